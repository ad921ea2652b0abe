"""Scrapes at about the same time share one reading of the records."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.adapters.exposition.shared import FRESH_SECONDS, REST, SharedSnapshot
from orchestrator.ports.figures import Snapshot
from tests.adapters.exposition.snapshots import snapshot


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


class Reading:
    """A reading that takes a given time by the clock, and fails on demand."""

    def __init__(self, clock: Clock, takes: float = 0.0) -> None:
        self.clock, self.takes, self.times, self.fails = clock, takes, 0, False

    def __call__(self) -> Snapshot:
        self.clock.time += self.takes
        self.times += 1
        if self.fails:
            raise OSError
        return snapshot(1)


def test_the_snapshot_is_read_again_when_it_is_no_longer_fresh() -> None:
    clock = Clock()
    reading = Reading(clock)
    shared = SharedSnapshot(reading, clock=clock)
    first = shared.now()
    clock.time += FRESH_SECONDS * 0.9
    assert shared.now() is first
    clock.time += FRESH_SECONDS * 0.2
    assert shared.now() is not first
    assert reading.times == 2


def test_a_snapshot_that_is_slow_to_read_is_read_less_often() -> None:
    clock = Clock()
    reading = Reading(clock, takes=3.0)
    shared = SharedSnapshot(reading, clock=clock)
    shared.now()
    clock.time += 3.0 * REST - 0.1
    shared.now()
    assert reading.times == 1
    clock.time += 0.2
    shared.now()
    assert reading.times == 2


def test_no_old_snapshot_is_served_when_reading_fails() -> None:
    clock = Clock()
    reading = Reading(clock)
    shared = SharedSnapshot(reading, clock=clock)
    shared.now()
    clock.time += FRESH_SECONDS
    reading.fails = True
    for _ in range(2):
        with pytest.raises(OSError):
            shared.now()
    reading.fails = False
    shared.now()
    assert reading.times == 4


def test_a_scrape_that_comes_during_a_reading_gets_the_same_snapshot() -> None:
    begun, go_on, times = threading.Event(), threading.Event(), []

    def read() -> Snapshot:
        times.append(1)
        begun.set()
        go_on.wait(10)
        return snapshot(1)

    shared = SharedSnapshot(read)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(shared.now)
        begun.wait(10)
        second = pool.submit(shared.now)
        go_on.set()
        assert first.result(10) is second.result(10)
    assert len(times) == 1
