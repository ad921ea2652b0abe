"""What can be bought: components, their tiers, and what each needs to be delivered."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal

from pydantic import Field

from orchestrator.domain.drill_policy import DrillPolicy
from orchestrator.domain.value import Value

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=30)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]


class Verb(StrEnum):
    """What a step does with a component. The first six are playbooks and task files of the component's role, the others
    the phases of a drill beside them."""

    PRECHECK = "precheck"
    PROVISION = "provision"
    VERIFY = "verify"
    BACKUP = "backup"
    RESTORE = "restore"
    RETIRE = "retire"
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
    price: Price
    watts: Annotated[float, Field(ge=0)]


class Probe(Value):
    kind: str
    target: str
    every: timedelta


class Endpoint(Value):
    """Where users find the service; `address` is a template over the allocation and the hosts."""

    name: str
    address: str


class Trust(Value):
    """A file on the hosts of a function that says who vouches for the service: what its users check it against."""

    function: Name
    file: Annotated[str, Field(pattern=r"^/[^\x00]+$")]


class RecoveryScope(Value):
    """What a backup of the component holds, in words, and what users check a restored copy against."""

    data: tuple[str, ...]
    trust: Trust | None = None


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
    """A service we sell. `hosts` maps each function it has to a group of the site's inventory."""

    component: Identifier
    title: str
    description: str
    role: Name
    tenancy: Tenancy
    needs: tuple[Identifier, ...] = ()
    hosts: Annotated[Mapping[Name, Name], Field(min_length=1)]
    allocates: Mapping[Name, Name] = {}
    secrets: Mapping[Name, SecretKind] = {}
    parameters: Mapping[str, Any]
    tiers: Annotated[Mapping[Identifier, Tier], Field(min_length=1)]
    probes: tuple[Probe, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    recovery: RecoveryScope
    timeouts: Mapping[Verb, timedelta] = {}
    retries: Mapping[Verb, Retry] = {}

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

    def in_order(self, ids: Iterable[str]) -> tuple[str, ...]:
        """`ids` with every component after those it needs, otherwise by name."""
        wanted = set(ids)
        graph = {i: sorted(set(self.components[i].needs) & wanted) for i in sorted(wanted)}
        return tuple(TopologicalSorter(graph).static_order())
