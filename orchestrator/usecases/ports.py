"""What the use-cases need from the world, as protocols. Adapters fill them; tests may too."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from orchestrator.domain.admission import Place
from orchestrator.domain.agreement import CallOff, FrameworkAgreement
from orchestrator.domain.allocation import Allocation
from orchestrator.domain.catalog import Catalog, SecretKind
from orchestrator.domain.charges import Rate
from orchestrator.domain.events import Event, Happening
from orchestrator.domain.instance import ServiceInstance
from orchestrator.domain.plan import Plan
from orchestrator.domain.run import Busy, Run, RunState, StepRecord
from orchestrator.domain.run_options import OnFailure, Priority
from orchestrator.domain.site import Site
from orchestrator.domain.value import Value
from orchestrator.usecases.figure_ports import Figures
from orchestrator.usecases.probing_ports import Prober, Transitions
from orchestrator.usecases.recovery_ports import Backups, Canaries, Drills
from orchestrator.usecases.service_level_ports import (
    Declarations,
    Incidents,
    Meters,
    Months,
    ServiceFacts,
    ServicePeriods,
)


class Clock(Protocol):
    def now(self) -> datetime:
        """This instant, in UTC."""
        ...


class Problem(Value):
    """One thing wrong with a file: where, what, and what would be right."""

    file: str
    line: int | None
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class SourceDocument(Protocol):
    """A file people write, read: plain data that knows on which line each part stands."""

    @property
    def data(self) -> Any: ...

    def problem(self, path: Sequence[str | int], message: str) -> Problem: ...

    def check(self, schema: Mapping[str, Any]) -> list[tuple[tuple[str | int, ...], Problem]]:
        """Every place where the document departs from a JSON Schema."""
        ...


class CatalogSource(Protocol):
    """catalog/, inventories/ and call-off files. Unreadable or wrong files raise INVALID naming file and line."""

    def catalog(self) -> Catalog: ...

    def agreements(self) -> Mapping[str, FrameworkAgreement]: ...

    def sites(self) -> tuple[str, ...]: ...

    def site(self, name: str) -> Site: ...

    def document(self, path: Path) -> SourceDocument: ...

    def lint(self) -> list[Problem]:
        """What is inconsistent between catalog/, playbooks/ and inventories/."""
        ...


class StoredPlan(Value):
    """A plan as it was shown. `order` is None when the agency leaves."""

    id: int
    plan: Plan
    order: CallOff | None
    created_at: datetime


class AgencyRecord(Value):
    """An agency and the terms it was last applied under. `committed`: pounds that its `rates` come to. `owed`: pounds
    for months that were charged before it left, which whatever it orders next does not hold."""

    id: str
    name: str
    framework: str
    site: str
    call_off: CallOff
    committed: Decimal
    rates: tuple[Rate, ...] = ()
    owed: Decimal = Decimal(0)
    created_at: datetime
    offboarded_at: datetime | None = None


class Agencies(Protocol):
    def get(self, agency: str) -> AgencyRecord | None: ...
    def all(self) -> list[AgencyRecord]: ...
    def put(self, record: AgencyRecord) -> None: ...
    def committed(self, framework: str, *, without: str) -> Decimal:
        """Pounds that agencies in service, all but one, have committed to under a framework, and what was owed when
        agencies left, that one's too."""
        ...


class Instances(Protocol):
    def of(self, agency: str) -> dict[str, ServiceInstance]: ...
    def all(self) -> list[ServiceInstance]: ...
    def put(self, instance: ServiceInstance) -> None: ...
    def put_all(self, instances: Iterable[ServiceInstance]) -> None:
        """Instances of one agency, all at once."""
        ...


class Allocations(Protocol):
    def of(self, agency: str, *, site: str) -> dict[str, Allocation]: ...
    def taken(self, site: str, pool: str) -> set[str]: ...
    def first_gap(self, site: str, pool: str) -> int | None:
        """The lowest position in the pool that nobody holds, as far as the records tell."""
        ...

    def held(self, site: str, pool: str, block: str) -> bool: ...
    def add(self, allocation: Allocation, *, at: datetime, position: int | None = None) -> None: ...
    def hold(self, agency: str) -> None: ...
    def release(self, agency: str, names: Iterable[str]) -> None: ...
    def give_up(self, agency: str, names: Iterable[str]) -> None:
        """Release of these what is only reserved."""
        ...

    def forget_reserved(self, *, before: datetime) -> None: ...


class Plans(Protocol):
    def add(self, plan: Plan, *, order: CallOff | None, at: datetime) -> StoredPlan: ...
    def get(self, plan: int) -> StoredPlan | None: ...
    def desired(self, plan: int) -> Mapping[str, ServiceInstance | None]:
        """The components that a stored plan changes, as it wants them, without reading all of it. None is to go."""
        ...

    def forget_unapplied(self, *, before: datetime, limit: int) -> int:
        """Delete plans that no run carried out, `limit` at most. How many."""
        ...


class Runs(Protocol):
    def open(
        self,
        plan: StoredPlan,
        *,
        at: datetime,
        priority: Priority = Priority.CHANGE,
        on_failure: OnFailure = OnFailure.KEEP,
        cause: int | None = None,
    ) -> Run:
        """A queued run with the plan's steps. A second open run of an agency is a conflict."""
        ...

    def get(self, run: int) -> Run | None: ...
    def put(self, run: Run) -> None: ...
    def open_of(self, agency: str) -> Run | None: ...
    def newest(self, *, agency: str | None = None, limit: int = 50) -> list[Run]: ...
    def queue(self) -> list[Place]:
        """Queued runs, the one that is due first in front."""
        ...

    def active(self) -> list[Place]:
        """Runs that are admitted or running."""
        ...

    def caused_by(self, run: int) -> Run | None:
        """The run that rolls this one back."""
        ...

    def count(self, state: RunState) -> int: ...
    def changing_elsewhere(self, run: Run) -> list[Busy]:
        """Steps of other runs at the run's site that are changing hosts now."""
        ...

    def drifted(self, agency: str) -> dict[str, int]:
        """Components whose hosts were found changed since they were last put right, and the run that found it."""
        ...

    def steps(self, run: int) -> list[StepRecord]: ...
    def step(self, run: int, step: str) -> StepRecord: ...
    def put_step(self, run: int, step: StepRecord) -> None: ...


class Events(Protocol):
    def add(self, happenings: Iterable[Happening], *, agency: str, at: datetime, run: int | None = None,
            step: str | None = None) -> None: ...  # fmt: skip

    def after(self, event: int, *, run: int | None = None, limit: int = 500) -> list[Event]: ...
    def current_tasks(self, run: int, steps: Sequence[str]) -> dict[str, str]:
        """Step -> the task that it began last."""
        ...

    def forget(self, *, before: datetime, apart_from: Sequence[str], limit: int) -> int:
        """Delete events of all agencies but some, `limit` at most. How many."""
        ...

    def forget_of(self, agency: str, *, before: datetime, limit: int) -> int: ...


SecretPlace = tuple[str, str, str]
"""Agency, component and name of a secret."""


class MadeSecret(NamedTuple):
    """That there is a secret, since when, and whether another is to take its place."""

    agency: str
    component: str
    name: str
    made_at: datetime
    replaced: bool


class SecretRows(Protocol):
    """Encrypted secrets. What is stored is ciphertext; this port never sees more."""

    def of(self, agency: str, component: str) -> dict[str, bytes]: ...
    def add(self, agency: str, component: str, name: str, token: bytes, *, at: datetime) -> None: ...
    def forget(self, agency: str, component: str, *, apart_from: Sequence[str] = ()) -> None: ...
    def propose(self, place: SecretPlace, token: bytes) -> None:
        """Keep a secret that is to take the place of one there is, beside it."""
        ...

    def proposed(self, agency: str) -> dict[str, dict[str, bytes]]:
        """Component -> name -> the secret that is to take that one's place."""
        ...

    def accept(self, agency: str, component: str, *, at: datetime) -> None:
        """What was proposed takes the places of what was there."""
        ...

    def made(self, agency: str | None = None) -> list[MadeSecret]:
        """Which there are, of an agency or all, and since when. Never what they are."""
        ...

    def after(self, place: SecretPlace | None, *, limit: int) -> list[tuple[SecretPlace, bytes, bytes | None]]:
        """All there are, with those that are to take their places, in the order of their places, behind one of them."""
        ...

    def replace(self, place: SecretPlace, token: bytes, proposed: bytes | None) -> None: ...


class Workers(Protocol):
    """Who is alive, by the database's clock."""

    def beat(self, worker: str) -> bool:
        """Renew the lease. False when the worker has been declared dead."""
        ...

    def join(self, worker: str, *, host: str, runs: int) -> None:
        """`runs` are those of anybody that it takes at a time; none for one that works its own."""
        ...

    def leave(self, worker: str) -> None: ...
    def bury(self, *, lease: timedelta) -> None: ...
    def alive(self, *, lease: timedelta) -> set[str]:
        """Workers whose lease is running."""
        ...

    def serving(self, *, lease: timedelta) -> set[str]:
        """Those of them that take anybody's runs."""
        ...

    def capacity(self, *, lease: timedelta) -> int:
        """How many runs the living workers can work on at a time."""
        ...

    def unburied(self) -> set[str]:
        """Workers that have neither left nor been declared dead."""
        ...


class Ticks(Protocol):
    """Which ticks of which schedule somebody has taken."""

    def take(self, schedule: str, due: datetime, *, at: datetime) -> bool:
        """Whether the tick is ours: nobody has taken it before."""
        ...

    def last(self, schedule: str) -> datetime | None:
        """When the last tick that was taken was due."""
        ...


class Transaction(Protocol):
    """Committed on clean exit of its context, rolled back on an exception."""

    @property
    def agencies(self) -> Agencies: ...
    @property
    def instances(self) -> Instances: ...
    @property
    def allocations(self) -> Allocations: ...
    @property
    def plans(self) -> Plans: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def events(self) -> Events: ...
    @property
    def secrets(self) -> SecretRows: ...
    @property
    def workers(self) -> Workers: ...
    @property
    def ticks(self) -> Ticks: ...
    @property
    def backups(self) -> Backups: ...
    @property
    def drills(self) -> Drills: ...
    @property
    def canaries(self) -> Canaries: ...
    @property
    def transitions(self) -> Transitions: ...
    @property
    def prober(self) -> Prober: ...
    @property
    def service_periods(self) -> ServicePeriods: ...
    @property
    def declarations(self) -> Declarations: ...
    @property
    def meters(self) -> Meters: ...
    @property
    def incidents(self) -> Incidents: ...
    @property
    def months(self) -> Months: ...
    @property
    def facts(self) -> ServiceFacts: ...
    @property
    def figures(self) -> Figures: ...


class Store(Protocol):
    def begin(self) -> AbstractContextManager[Transaction]:
        """A transaction that may write; writers wait for each other, so each sees what those before it have done."""
        ...

    def read(self) -> AbstractContextManager[Transaction]:
        """A consistent view for reading only; never waits for writers."""
        ...


class Secrets(Protocol):
    """Makes secrets and keeps them unreadable at rest."""

    def generate(self, kind: SecretKind) -> str: ...
    def seal(self, clear: str) -> bytes: ...
    def open(self, token: bytes) -> str: ...


@dataclass(frozen=True)
class SiteAccess:
    """How the hosts of a site are reached: our key, and the host keys we expect."""

    key: Path
    known_hosts: Path
