"""Who may reach which of an agency's services: the catalog's declarations, resolved to addresses and ports.

The hosts' own firewalls enforce it, and so does the agency's gateway, for traffic that leaves the agency's network.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network

from orchestrator.domain.estate.allocation import Allocation, values
from orchestrator.domain.estate.site import Site, hosts_in
from orchestrator.domain.ordering.difference import FieldChange
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.selling.catalog import GATEWAY, KEEPER, KEEPER_PORTS, NETWORK, Catalog, Component
from orchestrator.domain.selling.reach import Audience, Reach
from orchestrator.domain.value import Value

ANYWHERE = "0.0.0.0/0"


class Admission(Value):
    """A port at an address of a host, and the networks from which it accepts packets."""

    host: str
    address: str
    protocol: str
    port: int
    sources: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.host} {self.address} {self.protocol}/{self.port} from {', '.join(self.sources)}"


class Way(Value):
    """A port that somebody may reach through a host.

    A `direct` way leads to a host of the agency's own, which sees the addresses of devices on the agency's network.
    """

    address: str
    protocol: str
    port: int
    direct: bool

    def __str__(self) -> str:
        return f"way to {self.address} {self.protocol}/{self.port}"


class Reachability:
    """The catalog's declarations, resolved for one agency's services as they are or will be."""

    def __init__(
        self,
        services: Mapping[str, ServiceInstance],
        *,
        catalog: Catalog,
        allocations: Mapping[str, Allocation],
        site: Site,
    ) -> None:
        self._services, self._catalog, self._site = services, catalog, site
        self._blocks = values(allocations)

    def admissions(self, component: Component) -> tuple[Admission, ...]:
        """The ports on which the component's hosts answer, and to whom."""
        found = [
            Admission(host=host, address=address, protocol=protocol, port=port, sources=sources)
            for reach in component.reachability
            for host, address in self._places(component, reach)
            for protocol, port in self._ports(reach)
            if (sources := self._sources(component, reach))
        ]
        return tuple(sorted(found, key=str))

    def ways(self, component: Component) -> tuple[Way, ...]:
        """What may be reached through the component's hosts, by devices and by people who work or dial in there."""
        leads_devices = component.component == NETWORK or component.dial_in
        audience = Audience.DEVICES if leads_devices else Audience.WORKPLACES
        if audience is Audience.WORKPLACES and not component.workplaces:
            return ()
        found = [
            Way(address=address, protocol=protocol, port=port, direct=other.dedicates(reach.function))
            for other in self._components()
            for reach in other.reachability
            if audience in reach.admits and (reach.at == "host" or audience is Audience.WORKPLACES)
            for _, address in self._places(other, reach)
            for protocol, port in self._ports(reach)
        ]
        return tuple(sorted(found, key=str))

    def names(self, component: Component) -> dict[str, str]:
        """What an agency's network calls its other services that devices may reach on a shared host, with the address.
        A service is called the same wherever it is."""
        found: dict[str, str] = {}
        for other in self._components() if component.component == NETWORK else ():
            for reach in other.reachability:
                if Audience.DEVICES in reach.admits and reach.at == "host" and not other.dedicates(reach.function):
                    for _, address in self._places(other, reach):
                        found.setdefault(other.component, address)
        return found

    def described(self, component: Component) -> list[str]:
        """The same in words, so that a plan can show what changes."""
        return [str(one) for one in (*self.admissions(component), *self.ways(component))]

    # Inside

    def _components(self) -> Iterator[Component]:
        return (self._catalog.components[name] for name in sorted(self._services))

    def _places(self, component: Component, reach: Reach) -> Iterator[tuple[str, str]]:
        """(host, address) of each host of the function; none for a service that is being removed."""
        service = self._services.get(component.component)
        for host in service.hosts.get(reach.function, ()) if service else ():
            if reach.at == "network" and (subnet := self._subnet()):
                yield host, str(subnet[1])
            elif reach.at == "host" and host in self._site.hosts:
                yield host, self._site.hosts[host].address

    def _ports(self, reach: Reach) -> Iterator[tuple[str, int]]:
        number = self._blocks.get("number")
        known = {**self._blocks, "repository_port": KEEPER_PORTS + int(number) if number else 0}
        for port in reach.ports:
            protocol, _, at = port.partition("/")
            yield protocol, int(at.format(**known))

    def _sources(self, component: Component, reach: Reach) -> tuple[str, ...]:
        """The networks and addresses of the audiences, as a host sees them."""
        found = {source for audience in reach.admits for source in self._of(audience, component, reach)}
        return (ANYWHERE,) if ANYWHERE in found else tuple(sorted(found))

    def _of(self, audience: Audience, component: Component, reach: Reach) -> Iterator[str]:
        match audience:
            case Audience.ANYONE:
                yield ANYWHERE
            case Audience.PROVIDER:
                yield from map(str, self._site.management)
            case Audience.DEVICES if reach.at == "host":
                yield from self._devices(component, reach)
            case Audience.OWN:
                others = (function for function in component.hosts if function != reach.function)
                yield from self._addresses(component.component, *others)
            case Audience.WORKPLACES | Audience.BACKUPS | Audience.RECOVERY:
                for one in self._components():
                    yield from self._at(_hosts(one, self._services[one.component], audience))

    def _devices(self, component: Component, reach: Reach) -> Iterator[str]:
        """The addresses of devices, as a host sees them: only the agency's own hosts have a route to its network;
        others see its gateway's address. Every host sees those who dial in by the address of the host they dial."""
        if component.dedicates(reach.function) and NETWORK in self._services and (subnet := self._subnet()):
            yield str(subnet)
        else:
            yield from self._addresses(NETWORK, GATEWAY)
        for one in self._components():
            yield from self._addresses(one.component, *one.dial_in)

    def _addresses(self, component: str, *functions: str) -> Iterator[str]:
        """The addresses of the hosts of these functions, if the agency has the component."""
        hosts = self._services[component].hosts if component in self._services else {}
        yield from self._at(host for function in functions for host in hosts.get(function, ()))

    def _at(self, hosts: Iterable[str]) -> Iterator[str]:
        """The addresses of those of the hosts that are part of the site."""
        yield from (self._site.hosts[name].address for name in hosts if name in self._site.hosts)

    def _subnet(self) -> IPv4Network | None:
        block = self._blocks.get("subnet")
        return IPv4Network(block) if block else None


def reach_changes(
    before: Mapping[str, ServiceInstance],
    after: Mapping[str, ServiceInstance],
    *,
    catalog: Catalog,
    allocations: Mapping[str, Allocation],
    site: Site,
    released: Mapping[str, Allocation] | None = None,
) -> Mapping[str, tuple[FieldChange, ...]]:
    """component that stays -> its changes in reachability, because others come, go or move. `released` are allocations
    that those who go have until then."""
    was, becomes = (
        Reachability(services, catalog=catalog, allocations=known, site=site)
        for services, known in ((before, {**(released or {}), **allocations}), (after, allocations))
    )
    stays = [catalog.components[name] for name in after if name in before]
    told = {one.component: (was.described(one), becomes.described(one)) for one in stays}
    return {c: (FieldChange(path="reachability", before=b, after=a),) for c, (b, a) in told.items() if b != a}


def _hosts(component: Component, service: ServiceInstance, audience: Audience) -> Iterable[str]:
    """The hosts of a service that belong to the audience. A copy that does not serve was restored from backups, or is
    to be."""
    match audience:
        case Audience.WORKPLACES:
            return (host for function in component.workplaces for host in service.hosts.get(function, ()))
        case Audience.BACKUPS:
            return hosts_in(service.everywhere) if component.recovery.data else ()
        case _:
            return hosts_in(service.hosts) if component.component == KEEPER else ()
