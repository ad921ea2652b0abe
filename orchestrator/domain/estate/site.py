"""A site: hosts the provider owns, and the pools agencies are given from."""

from collections.abc import Mapping
from functools import cached_property
from ipaddress import IPv4Network
from typing import Any

from orchestrator.domain.estate.allocation import Pool
from orchestrator.domain.value import Value

Placement = Mapping[str, tuple[str, ...]]
"""function -> names of the hosts that serve it."""


def hosts_in(placement: Placement) -> tuple[str, ...]:
    """Every host of a placement once, in name order."""
    return tuple(sorted({host for hosts in placement.values() for host in hosts}))


class Host(Value):
    """`variables` are the host's own, as the inventory gives them."""

    name: str
    address: str
    groups: tuple[str, ...]
    variables: Mapping[str, Any] = {}


class Site(Value):
    """`facts` are the site's own variables, handed to every role as they are. `management` are the networks that its
    hosts are managed and watched from."""

    name: str
    domain: str
    hosts: Mapping[str, Host]
    pools: Mapping[str, Pool]
    management: tuple[IPv4Network, ...] = ()
    facts: Mapping[str, Any] = {}

    def group(self, name: str) -> tuple[str, ...]:
        """Names of the hosts in a group, in name order."""
        return self._members.get(name, ())

    @cached_property
    def _members(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for host in sorted(self.hosts.values(), key=lambda h: h.name):
            for group in host.groups:
                found.setdefault(group, []).append(host.name)
        return {group: tuple(names) for group, names in found.items()}
