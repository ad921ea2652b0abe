"""The store: one transaction per use-case."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session

from orchestrator.adapters.database.allocations import AllocationRepository
from orchestrator.adapters.database.connection import take_turn, translated
from orchestrator.adapters.database.figures import FigureRepository
from orchestrator.adapters.database.metering import MeterRepository
from orchestrator.adapters.database.probing import ProberRepository, TransitionRepository
from orchestrator.adapters.database.recovery import BackupRepository, CanaryRepository, DrillRepository
from orchestrator.adapters.database.repositories import (
    AgencyRepository,
    EventRepository,
    InstanceRepository,
    PlanRepository,
    SecretRepository,
    TickRepository,
    WorkerRepository,
)
from orchestrator.adapters.database.runs import RunRepository
from orchestrator.adapters.database.service_levels import (
    DeclarationRepository,
    IncidentRepository,
    MonthRepository,
    ServiceFactRepository,
    ServicePeriodRepository,
)
from orchestrator.adapters.database.work_orders import WorkOrderRepository

HandOver = Callable[[Session, int, int], None]
"""Gives an attempt of a run (run, attempt) to the workers, within a session's transaction."""


@dataclass(frozen=True)
class SqlQueue:
    session: Session
    hand_over: HandOver

    def put(self, run: int, attempt: int) -> None:
        self.hand_over(self.session, run, attempt)


class SqlTransaction:
    """The repositories over one session.

    A writer waits for its turn when it first uses anything but `workers` and `prober`: their calls are single
    statements that need no turn, because signs of life must not wait for a long plan.
    """

    def __init__(self, session: Session, hand_over: HandOver, *, writes: bool) -> None:
        self.session = session
        self._hand_over = hand_over
        self.workers = WorkerRepository(session)
        self.prober = ProberRepository(session)
        self._waits = writes

    @property
    def agencies(self) -> AgencyRepository:
        return AgencyRepository(self._in_turn())

    @property
    def instances(self) -> InstanceRepository:
        return InstanceRepository(self._in_turn())

    @property
    def allocations(self) -> AllocationRepository:
        return AllocationRepository(self._in_turn())

    @property
    def plans(self) -> PlanRepository:
        return PlanRepository(self._in_turn())

    @property
    def runs(self) -> RunRepository:
        return RunRepository(self._in_turn())

    @property
    def work_orders(self) -> WorkOrderRepository:
        return WorkOrderRepository(self._in_turn())

    @property
    def queue(self) -> SqlQueue:
        return SqlQueue(self._in_turn(), self._hand_over)

    @property
    def events(self) -> EventRepository:
        return EventRepository(self._in_turn())

    @property
    def secrets(self) -> SecretRepository:
        return SecretRepository(self._in_turn())

    @property
    def ticks(self) -> TickRepository:
        return TickRepository(self._in_turn())

    @property
    def backups(self) -> BackupRepository:
        return BackupRepository(self._in_turn())

    @property
    def drills(self) -> DrillRepository:
        return DrillRepository(self._in_turn())

    @property
    def canaries(self) -> CanaryRepository:
        return CanaryRepository(self._in_turn())

    @property
    def transitions(self) -> TransitionRepository:
        return TransitionRepository(self._in_turn())

    @property
    def service_periods(self) -> ServicePeriodRepository:
        return ServicePeriodRepository(self._in_turn())

    @property
    def declarations(self) -> DeclarationRepository:
        return DeclarationRepository(self._in_turn())

    @property
    def meters(self) -> MeterRepository:
        return MeterRepository(self._in_turn())

    @property
    def incidents(self) -> IncidentRepository:
        return IncidentRepository(self._in_turn())

    @property
    def months(self) -> MonthRepository:
        return MonthRepository(self._in_turn())

    @property
    def facts(self) -> ServiceFactRepository:
        return ServiceFactRepository(self._in_turn())

    @property
    def figures(self) -> FigureRepository:
        return FigureRepository(self._in_turn())

    def _in_turn(self) -> Session:
        if self._waits:
            take_turn(self.session.connection())
            self._waits = False
        return self.session


def _nobody(_session: Session, run: int, _attempt: int) -> None:
    raise RuntimeError(f"run {run} cannot be handed over: the store has no queue")


class SqlStore:
    """State in SQLite or PostgreSQL, with the same code. `hand_over` is the engine's queue, in the same database."""

    def __init__(self, engine: sa.Engine, hand_over: HandOver = _nobody) -> None:
        self._engine, self._hand_over = engine, hand_over
        # SQLite allows one writer at a time and makes the others sleep and retry. Threads of one process queue here
        # instead, and continue the moment the lock is free.
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()
        self._reading = engine.execution_options(read_only=True)
        if engine.dialect.name == "postgresql":
            snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            self._reading = self._reading.execution_options(**snapshot)

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        with translated(), Session(self._reading) as session:
            yield SqlTransaction(session, self._hand_over, writes=False)

    @contextmanager
    def begin(self) -> Iterator[SqlTransaction]:
        with self._turn, translated(), Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield SqlTransaction(session, self._hand_over, writes=True)
