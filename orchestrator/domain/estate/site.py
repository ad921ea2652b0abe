"""A site: hosts that the provider owns, and the pools from which agencies get allocations."""

from collections.abc import Mapping
from functools import cached_property
from ipaddress import IPv4Network
from typing import Any

from orchestrator.domain.estate.allocation import Pool
from orchestrator.domain.value import Value

Placement = Mapping[str, tuple[str, ...]]
"""function -> names of the hosts that serve it."""


def hosts_in(placement: Placement) -> tuple[str, ...]:
    """Every host of a placement once, sorted by name."""
    return tuple(sorted({host for hosts in placement.values() for host in hosts}))


class Host(Value):
    """`variables` are the host's own, as in the inventory."""

    name: str
    address: str
    groups: tuple[str, ...]
    variables: Mapping[str, Any] = {}


class Site(Value):
    """`facts` are the site's own variables, passed to every role unchanged. `management` are the networks from which
    its hosts are managed and monitored."""

    name: str
    domain: str
    hosts: Mapping[str, Host]
    pools: Mapping[str, Pool]
    management: tuple[IPv4Network, ...] = ()
    facts: Mapping[str, Any] = {}

    def group(self, name: str) -> tuple[str, ...]:
        """The names of the hosts in a group, sorted."""
        return self._members.get(name, ())

    @cached_property
    def _members(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for host in sorted(self.hosts.values(), key=lambda h: h.name):
            for group in host.groups:
                found.setdefault(group, []).append(host.name)
        return {group: tuple(names) for group, names in found.items()}
