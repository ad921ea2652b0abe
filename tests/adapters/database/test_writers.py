"""Concurrent writers wait for each other on both databases, and readers see no gaps."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from orchestrator.adapters.database.connection import connect
from orchestrator.adapters.database.store import SqlStore
from orchestrator.adapters.database.tables import EventRow
from orchestrator.adapters.engine import queueing
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import PlanMade
from orchestrator.domain.runs.run import RunState, StepOutcome, StepState
from orchestrator.ports.store import Store
from tests.databases import PostgresDatabases
from tests.usecases.conftest import Handed, House, handed, house, order, small_world

__all__ = ["handed", "house", "small_world"]

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
A_MOMENT = 0.3
"""Long enough for a thread that is not blocked to finish."""


@pytest.fixture
def store(url: str, handed: Handed) -> Iterator[SqlStore]:
    engine = connect(url)
    yield SqlStore(engine, hand_over=handed)
    engine.dispose()


@pytest.fixture
def aside() -> Iterator[Callable[..., "Future[Any]"]]:
    """Runs a call in another thread."""
    with ThreadPoolExecutor(8) as pool:
        yield pool.submit


Aside = Callable[..., "Future[Any]"]


def add_event(store: Store, plan: int, *, inside: Callable[[], object] = lambda: None) -> None:
    with store.begin() as tx:
        tx.events.add([PlanMade(plan=plan, digest="d")], agency="a", at=NOW)
        inside()


def plans_after(store: Store, event: int) -> tuple[list[int], int]:
    with store.read() as tx:
        events = tx.events.after(event)
    return [e.what.plan for e in events if isinstance(e.what, PlanMade)], events[-1].id if events else event


class TestEvents:
    def test_committed_later_have_later_ids(self, house: House, aside: Aside) -> None:
        inserted, go = threading.Event(), threading.Event()
        first = aside(add_event, house.store, 1, inside=lambda: (inserted.set(), go.wait(2)))
        inserted.wait(10)
        second = aside(add_event, house.store, 2)
        seen, last = plans_after(house.store, 0)
        assert seen == [], "nothing is committed yet"
        assert not second.done()
        go.set()
        first.result(10), second.result(10)
        assert plans_after(house.store, last)[0] == [1, 2]

    def test_are_all_seen_by_a_reader_that_continues_after_the_last_one(self, house: House, aside: Aside) -> None:
        writers = [aside(lambda w: [add_event(house.store, w * 100 + n) for n in range(40)], w) for w in range(1, 5)]
        seen: list[int] = []
        last, finished = 0, False
        while not finished:
            finished = all(w.done() for w in writers)
            fresh, last = plans_after(house.store, last)
            seen += fresh
        assert sorted(seen) == sorted(w * 100 + n for w in range(1, 5) for n in range(40))

    def test_would_be_missed_if_writers_did_not_wait(
        self, postgres_databases: PostgresDatabases, tmp_path: Any
    ) -> None:
        """Why writers take turns: a sequence assigns ids before the commit, so a later id may be visible first."""
        engine = connect(postgres_databases.current(tmp_path))
        row = {"at": NOW, "agency": "a", "what": PlanMade(plan=1, digest="d").model_dump(mode="json")}
        with engine.connect() as slow, engine.connect() as quick:
            slow.execute(sa.insert(EventRow), [row])
            quick.execute(sa.insert(EventRow), [row])
            quick.commit()
            _, last = plans_after(SqlStore(engine), 0)
            slow.commit()
        assert plans_after(SqlStore(engine), last)[0] == [], "the first id came after the second and is never seen"
        assert len(plans_after(SqlStore(engine), 0)[0]) == 2
        engine.dispose()


class TestASignOfLife:
    def test_does_not_wait_for_a_writer_on_postgresql(
        self, postgres_databases: PostgresDatabases, tmp_path: Any, aside: Aside
    ) -> None:
        store = SqlStore(connect(postgres_databases.current(tmp_path)))
        with store.begin() as tx:
            tx.workers.join("w", host="h", runs=4)

        def beat() -> bool:
            with store.begin() as tx:
                return tx.workers.beat("w")

        with store.begin() as slow:
            slow.runs.newest()
            assert aside(beat).result(2)


class TestARun:
    def test_cancelled_during_its_admission_is_admitted_and_marked_for_cancelling(
        self, house: House, aside: Aside
    ) -> None:
        run = house.provisioning.open_run(house.planning.plan(order()).id)
        asked: list[Future[Any]] = []

        def cancel_meanwhile(*_: object) -> None:
            asked.append(aside(house.driving.cancel, run.id))
            threading.Event().wait(A_MOMENT)

        house.handed.then = cancel_meanwhile
        house.admit()
        cancelled = asked[0].result(10)
        assert (cancelled.state, cancelled.cancel_requested) == (RunState.ADMITTED, True)
        assert house.observing.run(run.id).state is RunState.ADMITTED
        assert house.driving.begin(run.id, 1)
        assert house.observing.run(run.id).cancel_requested, "beginning does not forget that it was asked for"
        assert house.driving.next_steps(run.id).ready == ()
        assert house.driving.conclude(run.id, run.attempt).state is RunState.CANCELLED

    def test_admitted_by_many_at_once_is_handed_over_once(self, house: House, aside: Aside) -> None:
        for agency in ("a-one", "a-two"):
            house.provisioning.open_run(house.planning.plan(order(agency)).id)
        tries = [aside(house.admit) for _ in range(6)]
        assert sum(t.result(20) for t in tries) == 2
        assert sorted(house.handed.runs) == [1, 2]

    def test_whose_step_is_started_twice_at_once_counts_both_attempts(self, house: House, aside: Aside) -> None:
        run = house.provisioning.open_run(house.planning.plan(order()).id)
        house.admit()
        house.driving.begin(run.id, 1)
        starts = [aside(house.driving.start, run.id, "alpha.precheck", worker="w") for _ in range(4)]
        assert sorted(s.result(20).step.attempt for s in starts) == [1, 2, 3, 4]

    def test_whose_steps_finish_at_once_records_every_outcome(self, house: House, aside: Aside) -> None:
        services: dict[str, dict[str, Any]] = {"alpha": {}, "beta": {}, "gamma": {}, "delta": {}}
        run = house.provisioning.open_run(house.planning.plan(order(**services)).id)
        house.admit()
        house.driving.begin(run.id, 1)

        def perform(step: str) -> None:
            started = house.driving.start(run.id, step, worker="w")
            house.driving.finish(started, StepOutcome(state=StepState.SUCCEEDED))

        while steps := house.driving.next_steps(run.id).ready:
            for done in [aside(perform, s.id) for s in steps]:
                done.result(20)
        assert house.driving.conclude(run.id, run.attempt).state is RunState.SUCCEEDED
        assert set(house.states("a-one").values()) == {"in_service"}

    def test_resumed_by_many_at_once_is_resumed_once(self, house: House, aside: Aside) -> None:
        run = house.apply(order(), alpha_verify=StepState.FAILED)
        tries = [aside(house.driving.resume, run.id) for _ in range(4)]
        refused = [t.exception(20) for t in tries if t.exception(20)]
        assert [e.kind for e in refused if isinstance(e, OrchestratorError)] == [Kind.CONFLICT] * 3
        assert house.observing.run(run.id).attempt == 2


class TestOrdersAtOnce:
    def test_never_exceed_the_ceiling_together(self, house: House, aside: Aside) -> None:
        """£1,000,000 is enough for two of these orders for £496,100 a year, but not for three."""
        plans = [house.planning.plan(order(agency, seats=62_000)) for agency in ("a-one", "a-two", "a-three")]
        opened = [aside(house.provisioning.open_run, plan.id) for plan in plans]
        refused = [o.exception(20) for o in opened if o.exception(20)]
        assert [e.kind for e in refused if isinstance(e, OrchestratorError)] == [Kind.NOT_COVERED]


class TestARunThatIsHandedOver:
    def test_is_not_in_the_queue_when_its_transaction_is_rolled_back(self, house: House, url: str) -> None:
        run = house.provisioning.open_run(house.planning.plan(order()).id)
        submitter = queueing.Submitter(url)

        def fail(*attempt: Any) -> None:
            submitter.enqueue(*attempt)
            raise ZeroDivisionError

        house.handed.then = fail
        with pytest.raises(ZeroDivisionError):
            house.admit()
        assert queued(url) == []
        assert house.observing.run(run.id).state is RunState.QUEUED
        house.handed.then = submitter.enqueue
        house.admit()
        assert queued(url) == ["run-1-1"]
        assert house.observing.run(run.id).state is RunState.ADMITTED
        submitter.close()


def queued(url: str) -> list[str]:
    """The content of the queue's own table."""
    engine = connect(url)
    apart = "dbos." if engine.dialect.name == "postgresql" else ""
    with engine.connect() as connection:
        found = connection.execute(sa.text(f"select workflow_uuid from {apart}workflow_status")).scalars().all()
    engine.dispose()
    return list(found)
