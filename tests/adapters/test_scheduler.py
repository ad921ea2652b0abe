"""Several schedulers on one database: every tick once, none missed, and the last one caught up after a pause."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.database.connection import connect
from orchestrator.adapters.database.store import SqlStore
from orchestrator.adapters.database.tables import TickRow
from orchestrator.adapters.scheduler import Schedule, Scheduler

SCHEDULERS = 4
SECOND = timedelta(seconds=1)


class Bench:
    """Schedulers as in separate processes: each with its own connections."""

    def __init__(self, url: str) -> None:
        self.engines = [connect(url) for _ in range(SCHEDULERS)]
        self.done: list[datetime] = []

    def schedulers(self, **cron: str) -> list[Scheduler]:
        work = Schedule(name="bench", cron=cron, work=lambda: self.done.append(datetime.now(UTC)))
        return [Scheduler(store=SqlStore(e), clock=SystemClock(), schedules=[work]) for e in self.engines]

    def run(self, seconds: float, **cron: str) -> None:
        with ExitStack() as stack:
            for scheduler in self.schedulers(**cron):
                stack.enter_context(scheduler.running())
            time.sleep(seconds)

    def ticks(self) -> list[datetime]:
        """When the taken ticks were due."""
        with self.engines[0].connect() as connection:
            return list(connection.execute(sa.select(TickRow.due_at).order_by(TickRow.due_at)).scalars())


@pytest.fixture
def bench(url: str) -> Iterator[Bench]:
    bench = Bench(url)
    yield bench
    for engine in bench.engines:
        engine.dispose()


def test_a_tick_is_taken_by_one_of_many_schedulers(bench: Bench) -> None:
    bench.run(5.5, second="*")
    ticks = bench.ticks()
    assert len(ticks) >= 5
    assert {b - a for a, b in pairwise(ticks)} == {SECOND}, "none is missed"
    assert len(bench.done) == len(ticks), "none is done twice"


def test_ticks_missed_during_a_pause_are_caught_up_with_once(bench: Bench) -> None:
    due = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    with SqlStore(bench.engines[0]).begin() as tx:
        assert tx.ticks.take("bench", due, at=due)
        assert not tx.ticks.take("bench", due, at=due)
    bench.run(0.5, hour=str((due.hour + 12) % 24))
    assert len(bench.done) == 1
    assert timedelta(0) < datetime.now(UTC) - bench.ticks()[-1] <= timedelta(days=1)


def test_work_that_was_never_due_is_not_caught_up_with(bench: Bench) -> None:
    bench.run(0.5, hour=str((datetime.now(UTC).hour + 12) % 24))
    assert bench.done == []


def test_failing_work_is_reported_and_the_next_tick_comes(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def breaks() -> None:
        bench.done.append(datetime.now(UTC))
        raise ZeroDivisionError

    work = Schedule(name="bench", cron={"second": "*"}, work=breaks)
    with Scheduler(store=SqlStore(bench.engines[0]), clock=SystemClock(), schedules=[work]).running():
        time.sleep(2.5)
    assert len(bench.done) >= 2
    assert "ZeroDivisionError" in caplog.text


def test_work_that_takes_longer_than_its_interval_does_not_overlap_itself(bench: Bench) -> None:
    at_work, began, together = threading.Lock(), threading.Semaphore(0), []

    def slow() -> None:
        together.append(not at_work.acquire(blocking=False))
        began.release()
        time.sleep(1.5)
        at_work.release()

    work = Schedule(name="bench", cron={"second": "*"}, work=slow)
    with Scheduler(store=SqlStore(bench.engines[0]), clock=SystemClock(), schedules=[work]).running():
        assert all(began.acquire(timeout=30) for _ in range(2))
    assert not any(together)


def test_ticks_are_forgotten_after_a_week(bench: Bench) -> None:
    store, first = SqlStore(bench.engines[0]), datetime(2026, 11, 2, tzinfo=UTC)
    days = [first + timedelta(days=number) for number in (0, 1, 7, 8)]
    for due in days:
        with store.begin() as tx:
            assert tx.ticks.take("bench", due, at=due)
            assert tx.ticks.take("another", due, at=due)
    assert bench.ticks() == sorted([*days[1:], *days[1:]])
