"""What the store in memory holds: a dictionary for each table, and what constraints refuse."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Self, TypeVar, cast

from orchestrator.domain.estate.allocation import Allocation
from orchestrator.domain.events import Event
from orchestrator.domain.ordering.agency import AgencyRecord, StoredPlan
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.probing.readings import ProbeKey, StateChange
from orchestrator.domain.recovery.canary import Canary
from orchestrator.domain.recovery.drills import Drill
from orchestrator.domain.recovery.held_backups import HeldBackups
from orchestrator.domain.runs.run import Run, StepRecord
from orchestrator.domain.runs.work_order import WorkOrder
from orchestrator.domain.service_levels.closed_month import Statement
from orchestrator.domain.service_levels.declaration import Declaration
from orchestrator.domain.service_levels.incidents import Incident
from orchestrator.domain.service_levels.month_record import MonthRecord
from orchestrator.ports.probing import KeptStanding
from orchestrator.ports.secrets import SecretPlace
from orchestrator.ports.service_levels import KeptMeter

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ConstraintError(Exception):
    """Records that contradict each other, which no use-case may try to write."""


class Block(NamedTuple):
    """A block that somebody holds, since when, and where in its pool it stands."""

    allocation: Allocation
    at: datetime
    position: int | None


class Secret(NamedTuple):
    token: bytes
    made_at: datetime
    proposed: bytes | None = None


class Worker(NamedTuple):
    beat: float
    alive: bool
    runs: int


class Lease(NamedTuple):
    """Who probes, as of which second, and up to when everything has been read."""

    holder: str | None = None
    beat: float = 0.0
    read_until: datetime | None = None


class Records:
    """All tables. Their values never change, so that a copy of the dictionaries is a copy of all."""

    def __init__(self) -> None:
        self.agencies: dict[str, AgencyRecord] = {}
        self.owed: dict[tuple[str, str], int] = {}
        """(agency, framework) -> pence."""
        self.instances: dict[tuple[str, str], ServiceInstance] = {}
        self.blocks: dict[tuple[str, str, str], Block] = {}
        self.plans: dict[int, StoredPlan] = {}
        self.runs: dict[int, Run] = {}
        self.steps: dict[int, tuple[StepRecord, ...]] = {}
        """By run, in their order."""
        self.forgotten: dict[int, tuple[Run, tuple[StepRecord, ...]]] = {}
        """Runs that are told of no more, and count all the same."""
        self.work_orders: dict[tuple[int, str], WorkOrder] = {}
        self.events: dict[int, Event] = {}
        self.secrets: dict[SecretPlace, Secret] = {}
        self.ticks: dict[tuple[str, datetime], datetime] = {}
        self.workers: dict[str, Worker] = {}
        self.newest_backups: dict[tuple[str, str], datetime] = {}
        self.held_backups: dict[tuple[str, str], HeldBackups] = {}
        self.drills: dict[int, Drill] = {}
        self.evidence: dict[int, tuple[str, str]] = {}
        """Drill -> document and digest, in the order they were kept."""
        self.canaries: dict[tuple[str, str, int], Canary] = {}
        self.transitions: dict[tuple[ProbeKey, datetime], tuple[int, StateChange]] = {}
        self.standings: dict[ProbeKey, KeptStanding] = {}
        self.prober: dict[int, Lease] = {1: Lease()}
        """One row."""
        self.periods: dict[tuple[str, str, datetime], datetime | None] = {}
        self.declarations: dict[int, tuple[Declaration, int]] = {}
        """With the number of the last change."""
        self.meters: dict[tuple[str, str], KeptMeter] = {}
        self.incidents: dict[tuple[str, str], Incident] = {}
        self.months: dict[tuple[str, str, int], tuple[Statement, MonthRecord]] = {}
        self.numbers: dict[str, int] = {}
        """The last number that was given, by what it was given to."""

    def copy(self) -> Self:
        return self._with(dict)

    def locked(self) -> Self:
        """A view that nobody can write to."""
        return self._with(lambda rows: cast("dict[Any, Any]", MappingProxyType(rows)))

    def _with(self, change: Callable[[dict[Any, Any]], dict[Any, Any]]) -> Self:
        made = type(self)()
        for name, rows in vars(self).items():
            setattr(made, name, change(rows))
        return made

    def number(self, of: str) -> int:
        """The next one, which no other has or had."""
        self.numbers[of] = self.numbers.get(of, 0) + 1
        return self.numbers[of]

    def require_agency(self, agency: str) -> None:
        if agency not in self.agencies:
            raise ConstraintError(f"there is no agency {agency}")

    def forget_meters(self, agency: str, component: str | None = None) -> None:
        forget(self.meters, lambda key, _: key[0] == agency and component in (None, key[1]))


@dataclass(frozen=True)
class Repository:
    """What all repositories in memory are made of."""

    records: Records


def add_new(rows: dict[K, V], key: K, row: V) -> None:
    if key in rows:
        raise ConstraintError(f"{key} is there already")
    rows[key] = row


def forget(rows: dict[K, V], which: Callable[[K, V], bool], *, limit: int | None = None) -> int:
    """Delete rows, `limit` at most. How many."""
    gone = [key for key, row in rows.items() if which(key, row)][:limit]
    for key in gone:
        del rows[key]
    return len(gone)


def newest(rows: Mapping[int, V], limit: int, which: Callable[[V], bool]) -> list[V]:
    """By their numbers, the highest in front."""
    return [row for _, row in sorted(rows.items(), reverse=True) if which(row)][:limit]
