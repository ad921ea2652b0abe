"""What an agency is given from a site's pools: address blocks, ports, numbers, dedicated hosts."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated, NamedTuple

from pydantic import Field, model_validator

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.value import Value


class NetworkPool(Value):
    """Address blocks of length `prefix` cut from `network`; the first block stays with the provider."""

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
    """Whole numbers from `first` to `last`, both included: ports, or the numbers agencies go by on a site."""

    first: int
    last: int

    def blocks(self) -> Iterator[str]:
        return (str(n) for n in range(self.first, self.last + 1))

    def block(self, position: int) -> str | None:
        number = self.first + position
        return str(number) if number <= self.last else None


class HostPool(Value):
    """Hosts that serve one agency each."""

    hosts: tuple[str, ...]

    def blocks(self) -> Iterator[str]:
        return iter(self.hosts)

    def block(self, position: int) -> str | None:
        return self.hosts[position] if position < len(self.hosts) else None


Pool = NetworkPool | NumberPool | HostPool
"""Blocks in an order; `block` is the one at a position from 0, None behind the last."""

NUMBERS = "agency_numbers"
"""The pool every agency takes its number on the site from."""

NUMBER = "number"
"""What that number is called."""


class Holding(StrEnum):
    RESERVED = "reserved"
    """Named by a stored plan; given back when the plan is not applied in time."""
    HELD = "held"
    """In use by a service of the agency."""


class Allocation(Value):
    """One block of one pool, given to one agency under a name (`subnet`, `vpn_port`, `number`, `host:pc1`)."""

    site: str
    pool: str
    block: str
    agency: str
    name: str
    holding: Holding = Holding.RESERVED


def host_pool(group: str) -> str:
    """The pool that the hosts of an inventory group form."""
    return f"hosts:{group}"


class Spot(NamedTuple):
    """A block, and where in its pool it stands."""

    position: int
    block: str


def lowest_free(pool: Pool, *, taken: set[str], named: str) -> Spot:
    """The first block nobody holds. A full pool is a conflict."""
    for position, block in enumerate(pool.blocks()):
        if block not in taken:
            return Spot(position, block)
    raise OrchestratorError(
        Kind.CONFLICT,
        f"the pool {named} is full: all {len(taken)} are taken",
        hint=f"enlarge {named} in the site's group_vars/all.yml, add hosts, or offboard an agency",
    )


def values(allocations: Mapping[str, Allocation]) -> dict[str, str | int]:
    """name -> block as roles read it: numbers as numbers, the rest as text; hosts are not among them."""
    return {
        name: int(a.block) if a.block.isdigit() else a.block
        for name, a in sorted(allocations.items())
        if not name.startswith("host:")
    }
