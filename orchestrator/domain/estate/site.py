"""A site: hosts that the provider owns, and the pools from which agencies get allocations."""

from collections.abc import Mapping
from functools import cached_property
from ipaddress import IPv4Network
from typing import Any

from orchestrator.domain.estate.allocation import Pool
from orchestrator.domain.value import Value

Placement = Mapping[str, tuple[str, ...]]
"""function -> names of the hosts that serve it."""


STANDBY = "_standby"
"""What the name of a group ends in whose hosts stand by for those of another."""


def hosts_in(placement: Placement) -> tuple[str, ...]:
    """Every host of a placement once, sorted by name."""
    return tuple(sorted({host for hosts in placement.values() for host in hosts}))


def joined(one: Placement, other: Placement) -> Placement:
    """The hosts of both, by function."""
    functions = sorted({*one, *other})
    return {f: tuple(dict.fromkeys((*one.get(f, ()), *other.get(f, ())))) for f in functions}


def without(one: Placement, other: Placement) -> Placement:
    """The hosts of one that are not those of the other in the same function."""
    rest = {f: tuple(h for h in hosts if h not in other.get(f, ())) for f, hosts in one.items()}
    return {f: hosts for f, hosts in rest.items() if hosts}


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

    def standby(self, group: str) -> tuple[str, ...]:
        """The names of the hosts that stand by for those of a group, sorted. They serve nobody until a failover."""
        return self.group(f"{group}{STANDBY}")

    def present(self, placement: Placement) -> Placement:
        """The hosts of a placement that are part of the site."""
        kept = {f: tuple(h for h in hosts if h in self.hosts) for f, hosts in placement.items()}
        return {f: hosts for f, hosts in kept.items() if hosts}

    @cached_property
    def _members(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for host in sorted(self.hosts.values(), key=lambda h: h.name):
            for group in host.groups:
                found.setdefault(group, []).append(host.name)
        return {group: tuple(names) for group, names in found.items()}
