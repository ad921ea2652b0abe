"""What can be bought: components, their tiers, and what each needs to be delivered."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal

from pydantic import Field

from orchestrator.domain.identifiers import Identifier, Name
from orchestrator.domain.selling.drill_policy import DrillPolicy
from orchestrator.domain.service_levels.hours import ServiceHours
from orchestrator.domain.value import Value

PortTemplate = Annotated[str, Field(pattern=r"^(tcp|udp)/([0-9]{1,5}|\{[a-z_]+\})$")]

NETWORK, GATEWAY = "network", "gateway"
"""The component that gives an agency its network, and its function whose hosts lead there."""

KEEPER = "disaster-recovery"
"""The component that keeps the backups of the others."""

KEEPER_PORTS = 9000
"""An agency's repositories answer on the port this much above its number."""


DESK = "service-desk"
"""The component whose records incidents come from, and whose hours they are judged by."""


class Verb(StrEnum):
    """What a step does with a component. The first six are playbooks and task files of the component's role, `compare`
    is its `provision` in check mode, and the others are the phases of a drill."""

    PRECHECK = "precheck"
    PROVISION = "provision"
    VERIFY = "verify"
    BACKUP = "backup"
    RESTORE = "restore"
    RETIRE = "retire"
    COMPARE = "compare"
    """What provisioning again would change: drift."""
    EXAMINE = "examine"
    """Whether the recovery host could carry the drill."""
    PIN = "pin"
    """Freeze what may be restored: the disaster."""
    PREPARE = "prepare"
    """Make the bubble."""
    START = "start"
    PROBE = "probe"
    """Use what was restored until it works."""
    CHECK = "check"
    """Integrity, recovery point, isolation."""
    CLEANUP = "cleanup"
    REPORT = "report"


class Tenancy(StrEnum):
    SHARED = "shared"
    """A platform host serves many agencies."""
    DEDICATED = "dedicated"
    """A host serves one agency; the quantity ordered is a number of hosts."""


class SecretKind(StrEnum):
    PASSWORD = "password"  # noqa: S105 - the name of a kind
    KEY = "key"
    """Base64 of 32 random bytes; fits WireGuard."""
    AUTHORITY = "authority"
    """The same; an authority and the certificates it issues are computed from it."""


class RecoveryTarget(Value):
    """Objectives of a tier: how long until it works again, and how much may be lost; and when that is rehearsed.

    A tier that promises no drills is written down without them, so that digests stay what they were before there were
    any.
    """

    rto: timedelta
    rpo: timedelta
    drills: DrillPolicy | None = Field(default=None, exclude_if=lambda drills: drills is None)


class Price(Value):
    """Pounds a year, per agency or per unit ordered."""

    per: Literal["agency", "unit"]
    per_year: Annotated[Decimal, Field(ge=0, decimal_places=2)]


class Tier(Value):
    title: str
    parameters: Mapping[str, Any] = {}
    recovery: RecoveryTarget
    hours: ServiceHours | None = Field(default=None, exclude_if=lambda hours: hours is None)
    """When it is served, if not in the agreement's hours."""
    price: Price
    watts: Annotated[float, Field(ge=0)]


class ProbeKind(StrEnum):
    """What a probe does, and how its target is written (docs/service-levels.md, section Probing)."""

    DNS = "dns"
    """Asks a name server for the IPv4 address of a name: `SERVER[:PORT]/NAME`."""
    TCP = "tcp"
    """Opens a connection: `HOST:PORT`."""
    HTTP = "http"
    """Gets a page, which must answer with a status below 400: `http://...` or `https://...`."""
    SSH = "ssh"
    """Logs in with a password and runs a command that does nothing: `HOST[:PORT]`."""
    SIP = "sip"
    """Sends OPTIONS over UDP (RFC 3261), to which any answer but a failure of the server will do: `HOST[:PORT]`."""
    XMPP = "xmpp"
    """Opens a stream and reads the server's features (RFC 6120): `HOST[:PORT]/DOMAIN`."""
    LDAP = "ldap"
    """Binds, as `login` or as nobody: `ldap://HOST[:PORT]` or `ldaps://...`."""
    RT = "rt"
    """Opens a ticket, reads it and resolves it over REST 2 of Request Tracker: `https://HOST/QUEUE`."""


class Login(Value):
    """Whom a probe logs in as: the first of the people that a parameter lists, one of the component's `people`. `name`
    is a template in which {person} may be used beside what targets know."""

    people: Name
    name: str = "{person}"


class Probe(Value):
    """How the service is asked whether it works. `target` is a template over the allocation and the hosts."""

    kind: ProbeKind
    target: str
    every: Annotated[timedelta, Field(ge=timedelta(seconds=1), le=timedelta(hours=1))]
    login: Login | None = None
    called: Name | None = None
    """What its timeline is called, where a component has two of a kind."""
    enough: Annotated[float, Field(gt=0, le=1, exclude_if=lambda enough: enough == 1)] = 1.0
    """Which part of the hosts that a service has to itself must be up for it to be; at least one."""

    @property
    def id(self) -> str:
        return self.called or self.kind.value


class Endpoint(Value):
    """Where users find the service; `address` is a template over the allocation and the hosts."""

    name: str
    address: str


class Audience(StrEnum):
    """Who may ask a service on a port. Nobody else is answered."""

    PROVIDER = "provider"
    """Machines that the site is managed and watched from."""
    DEVICES = "devices"
    """Devices on the agency's own network, and those that dial in to it."""
    WORKPLACES = "workplaces"
    """Hosts on which the agency's people work: functions that a component calls `workplaces`."""
    BACKUPS = "backups"
    """Hosts of the agency's whose backups are kept."""
    RECOVERY = "recovery"
    """The agency's recovery host: users there leave canaries, and see that a service works."""
    ANYONE = "anyone"


class Reach(Value):
    """Ports of a function, and who may ask there.

    A port is a template over the allocation: `tcp/443`, `udp/{vpn_port}`, and `{repository_port}` for backups. They are
    at the host's own address or, where it is a gateway, at the address it has on the agency's `network`.
    """

    function: Name
    ports: Annotated[tuple[PortTemplate, ...], Field(min_length=1)]
    admits: Annotated[tuple[Audience, ...], Field(min_length=1)]
    at: Literal["host", "network"] = "host"


class Homes(Value):
    """Where people of a parameter have their homes on the hosts of a function: `path` is a template over {person} and
    {agency_id}."""

    function: Name
    people: Name
    path: Annotated[str, Field(pattern=r"^/[^\x00]+$")]


class Trust(Value):
    """A file on the hosts of a function that says who vouches for the service: what its users check it against."""

    function: Name
    file: Annotated[str, Field(pattern=r"^/[^\x00]+$")]


ALL_LEVELS = (1, 2, 3, 4, 5)


class RecoveryScope(Value):
    """What a backup of the component holds, in words, and what users check a restored copy against.

    `integrity` are the levels that a drill has to have looked at before it can pass (docs/recovery.md). Level 4 is the
    chain of canaries, which a component has that its users can write to from outside.
    """

    data: tuple[str, ...]
    trust: Trust | None = None
    integrity: tuple[Annotated[int, Field(ge=1, le=5)], ...] = Field(
        default=ALL_LEVELS, min_length=1, exclude_if=lambda levels: levels == ALL_LEVELS
    )


class Retry(Value):
    """How often a step is tried before the run fails, and the pause before the second try, doubled before each
    further one. Only a host that did not answer and a step that took too long are tried again: what failed for a reason
    of its own would fail again."""

    attempts: Annotated[int, Field(ge=1, le=10)] = 1
    pause: Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(hours=1))] = timedelta(seconds=10)


DEFAULT_TIMEOUTS: Mapping[Verb, timedelta] = {
    Verb.PRECHECK: timedelta(minutes=5),
    Verb.PROVISION: timedelta(minutes=30),
    Verb.VERIFY: timedelta(minutes=10),
    Verb.BACKUP: timedelta(hours=2),
    Verb.RESTORE: timedelta(hours=2),
    Verb.RETIRE: timedelta(minutes=15),
    Verb.COMPARE: timedelta(minutes=10),
    Verb.EXAMINE: timedelta(minutes=1),
    Verb.PIN: timedelta(minutes=10),
    Verb.PREPARE: timedelta(minutes=2),
    Verb.START: timedelta(minutes=2),
    Verb.PROBE: timedelta(hours=4),
    Verb.CHECK: timedelta(hours=1),
    Verb.CLEANUP: timedelta(minutes=10),
    Verb.REPORT: timedelta(minutes=2),
}


class Component(Value):
    """A service we sell. `hosts` maps each function it has to a group of the site's inventory.

    Of an `exclusive` one, agencies take turns: no two steps change it on the same host at the same time.
    """

    component: Identifier
    title: str
    description: str
    role: Name
    tenancy: Tenancy
    needs: tuple[Identifier, ...] = ()
    hosts: Annotated[Mapping[Name, Name], Field(min_length=1)]
    allocates: Mapping[Name, Name] = {}
    secrets: Mapping[Name, SecretKind] = {}
    people: Mapping[Name, Name] = Field(default={}, exclude_if=lambda people: not people)
    """Parameters that list people, and the secret that the passwords of each list are derived from."""
    parameters: Mapping[str, Any]
    tiers: Annotated[Mapping[Identifier, Tier], Field(min_length=1)]
    probes: tuple[Probe, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    reachability: tuple[Reach, ...] = Field(default=(), exclude_if=lambda reachability: not reachability)
    workplaces: tuple[Name, ...] = Field(default=(), exclude_if=lambda workplaces: not workplaces)
    """Functions on whose hosts the agency's people run programs of their own."""
    homes: Homes | None = Field(default=None, exclude_if=lambda homes: homes is None)
    recovery: RecoveryScope
    timeouts: Mapping[Verb, timedelta] = {}
    retries: Mapping[Verb, Retry] = {}
    exclusive: bool = Field(default=False, exclude_if=lambda exclusive: not exclusive)

    @cached_property
    def document(self) -> dict[str, Any]:
        """JSON-compatible form. Every plan's digest is made of it."""
        return self.model_dump(mode="json")

    @property
    def probe_ids(self) -> frozenset[str]:
        return frozenset(probe.id for probe in self.probes)

    @property
    def certified(self) -> bool:
        """Whether its hosts have certificates that end."""
        return SecretKind.AUTHORITY in self.secrets.values()

    def retry(self, verb: Verb) -> Retry:
        return self.retries.get(verb, Retry())

    def timeout(self, verb: Verb) -> timedelta:
        return self.timeouts.get(verb, DEFAULT_TIMEOUTS[verb])

    def resolve(self, tier: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """Parameter values in force: schema default, then tier, then what the call-off chose."""
        properties: Mapping[str, Any] = self.parameters.get("properties", {})
        defaults = {name: schema["default"] for name, schema in properties.items() if "default" in schema}
        return {**defaults, **self.tiers[tier].parameters, **chosen}


class Catalog(Value):
    """Every component on sale, by id."""

    components: Mapping[str, Component]

    @property
    def exclusive(self) -> frozenset[str]:
        """Components that no two steps may change on the same host at the same time."""
        return frozenset(name for name, component in self.components.items() if component.exclusive)

    def problems(self) -> list[tuple[str, str]]:
        """(component, what is wrong) for needs that do not exist or run in a circle."""
        unknown = [
            (c.component, f"needs {need!r}, which is not in the catalog")
            for c in self.components.values()
            for need in c.needs
            if need not in self.components
        ]
        try:
            self.in_order(self.components)
        except CycleError as error:
            circle: list[str] = error.args[1]
            return [*unknown, (circle[0], f"needs run in a circle: {' -> '.join(reversed(circle))}")]
        return unknown

    def with_needs(self, component: str) -> set[str]:
        """A component, what it needs, and what that needs."""
        return {component}.union(*(self.with_needs(need) for need in self.components[component].needs))

    def in_order(self, ids: Iterable[str]) -> tuple[str, ...]:
        """`ids` with every component after those it needs, otherwise by name."""
        wanted = set(ids)
        graph = {i: sorted(set(self.components[i].needs) & wanted) for i in sorted(wanted)}
        return tuple(TopologicalSorter(graph).static_order())
