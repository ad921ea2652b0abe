"""Allocations from a site's pools: address blocks, ports, numbers, dedicated hosts."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated, NamedTuple

from pydantic import Field, model_validator

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.value import Value


class NetworkPool(Value):
    """Blocks of prefix length `prefix` from `network`; the provider keeps the first."""

    network: IPv4Network
    prefix: Annotated[int, Field(ge=8, le=30)]

    @model_validator(mode="after")
    def _fits(self) -> "NetworkPool":
        if self.prefix <= self.network.prefixlen:
            raise ValueError(f"prefix {self.prefix} must be longer than that of {self.network}")
        return self

    def blocks(self) -> Iterator[str]:
        blocks = self.network.subnets(new_prefix=self.prefix)
        next(blocks)
        return (str(block) for block in blocks)

    def block(self, position: int) -> str | None:
        size = 1 << (32 - self.prefix)
        start = int(self.network.network_address) + (position + 1) * size
        return str(IPv4Network((start, self.prefix))) if start <= int(self.network.broadcast_address) else None


class NumberPool(Value):
    """Integers from `first` to `last`, inclusive: ports, or the numbers of agencies at a site."""

    first: int
    last: int

    def blocks(self) -> Iterator[str]:
        return (str(n) for n in range(self.first, self.last + 1))

    def block(self, position: int) -> str | None:
        number = self.first + position
        return str(number) if number <= self.last else None


class HostPool(Value):
    """Hosts that each serve one agency."""

    hosts: tuple[str, ...]

    def blocks(self) -> Iterator[str]:
        return iter(self.hosts)

    def block(self, position: int) -> str | None:
        return self.hosts[position] if position < len(self.hosts) else None


Pool = NetworkPool | NumberPool | HostPool
"""An ordered set of blocks. `block` returns the one at a position, counted from 0; None after the last."""

NUMBERS = "agency_numbers"
"""The pool of agencies' numbers at a site."""

NUMBER = "number"
"""The name of that number's allocation."""


class Holding(StrEnum):
    RESERVED = "reserved"
    """Reserved by a stored plan; released if the plan is not applied in time."""
    HELD = "held"
    """In use by a service of the agency."""


class Allocation(Value):
    """One block of one pool, assigned to one agency under a name (`subnet`, `vpn_port`, `number`, `host:pc1`)."""

    site: str
    pool: str
    block: str
    agency: str
    name: str
    holding: Holding = Holding.RESERVED


def chosen(hosts: Sequence[str], allocations: Mapping[str, Allocation]) -> tuple[str, ...]:
    """The one of some shared hosts that serves the agency with these allocations. Agencies take turns by number."""
    return (hosts[(int(allocations[NUMBER].block) - 1) % len(hosts)],)


def host_pool(group: str) -> str:
    """The name of the pool formed by the hosts of an inventory group."""
    return f"hosts:{group}"


class Spot(NamedTuple):
    """A block and its position in its pool."""

    position: int
    block: str


def lowest_free(pool: Pool, *, taken: set[str], named: str) -> Spot:
    """The first free block. Raises CONFLICT if the pool is full."""
    for position, block in enumerate(pool.blocks()):
        if block not in taken:
            return Spot(position, block)
    raise OrchestratorError(
        Kind.CONFLICT,
        f"the pool {named} is full: all {len(taken)} are taken",
        hint=f"enlarge {named} in the site's group_vars/all.yml, add hosts, or offboard an agency",
    )


def values(allocations: Mapping[str, Allocation]) -> dict[str, str | int]:
    """name -> block for roles: numbers as integers, everything else as text; without hosts."""
    return {
        name: int(a.block) if a.block.isdigit() else a.block
        for name, a in sorted(allocations.items())
        if not name.startswith("host:")
    }
