"""What can be bought: components, their tiers, and what each needs to be delivered."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from orchestrator.domain.identifiers import Identifier, Name
from orchestrator.domain.selling.drill_policy import DrillPolicy
from orchestrator.domain.selling.homes import Homes
from orchestrator.domain.selling.reach import Reach
from orchestrator.domain.selling.recovery_scope import RecoveryScope
from orchestrator.domain.selling.vouches import Vouches
from orchestrator.domain.selling.work_terms import WorkTerms
from orchestrator.domain.service_levels.hours import ServiceHours
from orchestrator.domain.text_types import LINE
from orchestrator.domain.value import Value

NETWORK, GATEWAY = "network", "gateway"
"""The component that provides an agency's network, and its function whose hosts are the gateway to it."""

KEEPER = "disaster-recovery"
"""The component that stores the backups of the others."""

KEEPER_PORTS = 9000
"""An agency's repositories answer on this port plus its number."""


DESK = "service-desk"
"""The component that records incidents, and by whose hours they are judged."""


class Verb(StrEnum):
    """What a step does with a component. The first six are playbooks and task files of the component's role; `compare`
    is its `provision` in check mode; the others are the phases of a drill."""

    PRECHECK = "precheck"
    PROVISION = "provision"
    VERIFY = "verify"
    BACKUP = "backup"
    RESTORE = "restore"
    RETIRE = "retire"
    COMPARE = "compare"
    """Find what provisioning again would change: drift."""
    EXAMINE = "examine"
    """Check whether the recovery host can carry the drill."""
    PIN = "pin"
    """Freeze what may be restored: the disaster."""
    PREPARE = "prepare"
    """Create the bubble."""
    START = "start"
    PROBE = "probe"
    """Use the restored service until it works."""
    CHECK = "check"
    """Check integrity, recovery point and isolation."""
    CLEANUP = "cleanup"
    REPORT = "report"


class Tenancy(StrEnum):
    SHARED = "shared"
    """A platform host serves many agencies."""
    DEDICATED = "dedicated"
    """A host serves one agency; the quantity ordered is a number of hosts. Functions that are `shared` are excepted."""
    ACCOMPANYING = "accompanying"
    """It has no hosts of its own: it is on the hosts of its groups that other components dedicate to the agency."""


class SecretKind(StrEnum):
    PASSWORD = "password"  # noqa: S105 - the name of a kind
    KEY = "key"
    """Base64 of 32 random bytes; fits WireGuard."""
    AUTHORITY = "authority"
    """The same; an authority and its certificates are derived from it."""


class RecoveryTarget(Value):
    """A tier's objectives: how long until it works again, how much may be lost, and when that is rehearsed.

    The document of a tier without drills omits them, so that digests are the same as before drills existed.
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
    recovery: RecoveryTarget | None = None
    """None if there is nothing to recover: people's work."""
    hours: ServiceHours | None = Field(default=None, exclude_if=lambda hours: hours is None)
    """Its service hours, if they differ from the agreement's."""
    within: Mapping[Verb, Annotated[timedelta, Field(gt=timedelta(0))]] = Field(
        default={}, exclude_if=lambda within: not within
    )
    """Service time in which people carry out each work order."""
    price: Price
    watts: Annotated[float, Field(ge=0)]

    @property
    def objectives(self) -> RecoveryTarget:
        """The recovery objectives of a tier of something that can be recovered."""
        assert self.recovery is not None
        return self.recovery


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
    """Sends OPTIONS over UDP (RFC 3261); any answer but a server failure counts: `HOST[:PORT]`."""
    XMPP = "xmpp"
    """Opens a stream and reads the server's features (RFC 6120): `HOST[:PORT]/DOMAIN`."""
    LDAP = "ldap"
    """Binds, as `login` or anonymously: `ldap://HOST[:PORT]` or `ldaps://...`."""
    RT = "rt"
    """Opens a ticket, reads it and resolves it over REST 2 of Request Tracker: `https://HOST/QUEUE`."""


class Login(Value):
    """Whom a probe logs in as: the first person in a parameter that is one of the component's `people`. `name` is a
    template that may use {person} besides the names available to targets."""

    people: Name
    name: str = "{person}"


class Probe(Value):
    """How to check whether the service works. `target` is a template over the allocation and the hosts."""

    kind: ProbeKind
    target: str
    every: Annotated[timedelta, Field(ge=timedelta(seconds=1), le=timedelta(hours=1))]
    login: Login | None = None
    called: Name | None = None
    """The name of its timeline, if a component has two probes of a kind."""
    enough: Annotated[float, Field(gt=0, le=1, exclude_if=lambda enough: enough == 1)] = 1.0
    """The share of a service's own hosts that must be up for it to be up; at least one host."""

    @property
    def id(self) -> str:
        return self.called or self.kind.value


class Endpoint(Value):
    """Where users find the service; `address` is a template over the allocation and the hosts."""

    name: str
    address: str


BY_PEOPLE = (Verb.PROVISION, Verb.VERIFY, Verb.RETIRE)
"""Verbs that people can carry out."""


def names_of(people: Iterable[Any]) -> tuple[str, ...]:
    """The names in a list of people. Each of them is a name, or a mapping with a `name` among other facts."""
    return tuple(person["name"] if isinstance(person, Mapping) else person for person in people)


class Retry(Value):
    """How often a step is tried before the run fails, and the pause before the second try, which doubles each time.
    Only unreachable hosts and timeouts are retried: a step that failed by itself would fail again."""

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
    """A service we sell. `hosts` maps each of its functions to a group of the site's inventory.

    Its verbs are carried out by the playbooks of its `role`, or by people: then it has `work` instead of a role and
    hosts. If it is `exclusive`, agencies take turns: no two steps change it on the same host at the same time.
    """

    component: Identifier
    title: str
    description: str
    role: Name | None = Field(default=None, exclude_if=lambda role: role is None)
    tenancy: Tenancy
    needs: tuple[Identifier, ...] = ()
    hosts: Mapping[Name, Name] = {}
    work: Mapping[Verb, WorkTerms] = Field(default={}, exclude_if=lambda work: not work)
    shared: tuple[Name, ...] = Field(default=(), exclude_if=lambda shared: not shared)
    """Functions of a dedicated component whose hosts serve many agencies all the same."""
    allocates: Mapping[Name, Name] = {}
    secrets: Mapping[Name, SecretKind] = {}
    people: Mapping[Name, Name] = Field(default={}, exclude_if=lambda people: not people)
    """Parameters that list people, and the secret from which the passwords of each list are derived."""
    totp: Mapping[Name, Name] = Field(default={}, exclude_if=lambda totp: not totp)
    """Those of them whose people also log in with a one-time code, and the secret from which their keys are derived."""
    vouches: Vouches | None = Field(default=None, exclude_if=lambda vouches: vouches is None)
    accounts_from: Identifier | None = Field(default=None, exclude_if=lambda source: source is None)
    """The component that vouches for the passwords of its `people` instead of its own secrets, if the agency has it."""
    parameters: Mapping[str, Any]
    tiers: Annotated[Mapping[Identifier, Tier], Field(min_length=1)]
    probes: tuple[Probe, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    reachability: tuple[Reach, ...] = Field(default=(), exclude_if=lambda reachability: not reachability)
    workplaces: tuple[Name, ...] = Field(default=(), exclude_if=lambda workplaces: not workplaces)
    """Functions on whose hosts the agency's people run their own programs."""
    dial_in: tuple[Name, ...] = Field(default=(), exclude_if=lambda dial_in: not dial_in)
    """Functions on whose hosts the agency's people dial in: by these hosts' addresses they reach what devices reach."""
    homes: Homes | None = Field(default=None, exclude_if=lambda homes: homes is None)
    recovery: RecoveryScope = RecoveryScope(data=())
    timeouts: Mapping[Verb, timedelta] = {}
    retries: Mapping[Verb, Retry] = {}
    exclusive: bool = Field(default=False, exclude_if=lambda exclusive: not exclusive)
    proves: tuple[Annotated[str, LINE.field], ...] = Field(default=(), exclude=True)
    """What a verification shows, in words. Nothing is computed from it."""

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if self.work:
            self._check_work()
        elif not self.role or not self.hosts:
            raise ValueError("needs a role and hosts, or work if people deliver it")
        elif without := [name for name, tier in self.tiers.items() if tier.recovery is None]:
            raise ValueError(f"the tier {without[0]!r} needs recovery objectives")
        return self

    def _check_work(self) -> None:
        if self.role or self.hosts or self.recovery.data:
            raise ValueError("has work, so it can have no role, no hosts and no data to back up")
        if DESK not in self.needs:
            raise ValueError(f"has work, so it needs {DESK!r}, where its tickets are")
        if set(self.work) != set(BY_PEOPLE):
            raise ValueError(f"people carry out {', '.join(BY_PEOPLE)}: state the work of each and no other")
        for name, tier in self.tiers.items():
            if set(tier.within) != set(BY_PEOPLE):
                raise ValueError(f"the tier {name!r} must state within what time each of its work orders is done")

    @cached_property
    def document(self) -> dict[str, Any]:
        """JSON-compatible form. Every plan's digest is made of it."""
        return self.model_dump(mode="json")

    @property
    def probe_ids(self) -> frozenset[str]:
        return frozenset(probe.id for probe in self.probes)

    @property
    def certified(self) -> bool:
        """Whether its hosts have certificates, which expire."""
        return SecretKind.AUTHORITY in self.secrets.values()

    def dedicates(self, function: str) -> bool:
        """Whether a host with this function serves one agency alone."""
        return self.tenancy is not Tenancy.SHARED and function not in self.shared

    @property
    def accompanies(self) -> bool:
        """Whether it is on hosts that the agency has for other components."""
        return self.tenancy is Tenancy.ACCOMPANYING

    @property
    def by_people(self) -> bool:
        """Whether people deliver it."""
        return bool(self.work)

    @property
    def role_name(self) -> str:
        """The role of a component that playbooks deliver."""
        assert self.role is not None
        return self.role

    @property
    def sold_by_unit(self) -> bool:
        """Whether call-offs order a quantity of it."""
        return self.tenancy is Tenancy.DEDICATED or any(tier.price.per == "unit" for tier in self.tiers.values())

    def retry(self, verb: Verb) -> Retry:
        return self.retries.get(verb, Retry())

    def timeout(self, verb: Verb) -> timedelta:
        return self.timeouts.get(verb, DEFAULT_TIMEOUTS[verb])

    def resolve(self, tier: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """The effective parameter values: the schema's defaults, overridden by the tier, overridden by the call-off."""
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

    @cached_property
    def hosting(self) -> tuple[str, ...]:
        """Components with hosts that are an agency's own, which others may accompany."""
        return tuple(name for name, one in self.components.items() if one.tenancy is Tenancy.DEDICATED)

    def follows(self, component: str) -> tuple[str, ...]:
        """Components that come before this one, if the agency has them."""
        one = self.components[component]
        return (*one.needs, *filter(None, [one.accounts_from]), *(self.hosting if one.accompanies else ()))

    def tier(self, component: str, tier: str) -> Tier:
        return self.components[component].tiers[tier]

    def problems(self) -> list[tuple[str, str, str]]:
        """(component, field, what is wrong) for needs that do not exist or are circular, and for accounts for which
        nobody vouches."""
        unknown = [
            (c.component, "needs", f"needs {need!r}, which is not in the catalog")
            for c in self.components.values()
            for need in c.needs
            if need not in self.components
        ]
        vouching = [name for name, component in self.components.items() if component.vouches]
        unknown += [
            (c.component, "accounts_from", f"{c.accounts_from!r} is no component that vouches for passwords")
            for c in self.components.values()
            if c.accounts_from not in (None, *vouching)
        ]
        try:
            self.in_order(self.components)
        except CycleError as error:
            circle: list[str] = error.args[1]
            return [*unknown, (circle[0], "needs", f"circular needs: {' -> '.join(reversed(circle))}")]
        return unknown

    def with_needs(self, component: str) -> set[str]:
        """A component and all its needs, including indirect ones."""
        return {component}.union(*(self.with_needs(need) for need in self.components[component].needs))

    def in_order(self, ids: Iterable[str]) -> tuple[str, ...]:
        """`ids` sorted so that every component comes after those it follows, otherwise by name."""
        wanted = set(ids)
        graph = {i: sorted(set(self.follows(i)) & wanted) for i in sorted(wanted)}
        return tuple(TopologicalSorter(graph).static_order())
