"""The store: one transaction per use-case."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import sqlalchemy as sa
from sqlmodel import Session

from orchestrator.adapters.database.connection import translated
from orchestrator.adapters.database.figures import FigureRepository
from orchestrator.adapters.database.repositories import (
    AgencyRepository,
    AllocationRepository,
    EventRepository,
    InstanceRepository,
    PlanRepository,
    RunRepository,
    SecretRepository,
    WorkerRepository,
)


class SqlTransaction:
    """The repositories over one session. `session` lets the engine enqueue in the same transaction."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.agencies = AgencyRepository(session)
        self.instances = InstanceRepository(session)
        self.allocations = AllocationRepository(session)
        self.plans = PlanRepository(session)
        self.runs = RunRepository(session)
        self.events = EventRepository(session)
        self.secrets = SecretRepository(session)
        self.workers = WorkerRepository(session)
        self.figures = FigureRepository(session)

    def exclusive(self, what: str) -> None:
        if self.session.get_bind().dialect.name == "postgresql":  # SQLite has one writer at a time anyway
            self.session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(what))))


class SqlStore:
    """State in SQLite or PostgreSQL, same code path."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        # SQLite lets one write at a time and makes the others sleep and ask again. Threads of one process are better
        # off in a queue: they go on the moment the lock is free.
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        with translated(), Session(self._engine.execution_options(read_only=True)) as session:
            yield SqlTransaction(session)

    @contextmanager
    def begin(self) -> Iterator[SqlTransaction]:
        with self._turn, translated(), Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield SqlTransaction(session)
