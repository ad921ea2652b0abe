"""The pool: probes are on time, spread out and complete; when they are late, it reports so."""

import logging
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.probes import pool
from orchestrator.adapters.probes.pool import ProbePool
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.probing.readings import ProbeTarget, Reading
from orchestrator.domain.service_levels.record import State
from orchestrator.ports.figures import ProbeCounts
from orchestrator.ports.probing import Prepared
from tests.adapters.probes.conftest import target

HERE = "127.0.0.1"


@dataclass
class Ledger:
    """A watcher that records everything, and lets the pool probe for a number of calls."""

    wanted: Sequence[ProbeTarget]
    hearings: int = 10_000
    readings: list[tuple[ProbeTarget, Reading]] = field(default_factory=list)
    read_until: list[datetime] = field(default_factory=list)
    takes: int = 0
    left: int = 0

    def take(self) -> bool:
        self.takes += 1
        return True

    def targets(self) -> Sequence[ProbeTarget]:
        return self.wanted

    def prepare(self, target: ProbeTarget) -> Prepared:
        if target.key.agency == "refused":
            raise OrchestratorError(Kind.INVALID, "there is no address")
        return Prepared(target)

    def heard(self, readings: Sequence[tuple[ProbeTarget, Reading]], *, read_until: datetime) -> bool:
        self.readings += readings
        self.read_until.append(read_until)
        return len(self.read_until) % self.hearings != 0

    def leave(self) -> None:
        self.left += 1


@contextmanager
def taking_connections() -> Iterator[str]:
    with socket.create_server((HERE, 0), backlog=1000) as server:
        server.settimeout(0.1)
        done = threading.Event()

        def accept() -> None:
            while not done.is_set():
                try:
                    server.accept()[0].close()
                except TimeoutError:
                    continue

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"{HERE}:{server.getsockname()[1]}"
        done.set()
        thread.join()


@pytest.fixture(autouse=True)
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "BEAT_SECONDS", 0.2)


def run(ledger: Ledger, seconds: float, *, concurrency: int = 100) -> ProbeCounts:
    counts, until = ProbeCounts(), time.monotonic() + seconds
    ProbePool(ledger, SystemClock(), counts, concurrency).run(lambda: time.monotonic() > until)
    return counts


def test_the_pool_reads_everything_at_its_interval_spread_evenly() -> None:
    with taking_connections() as place:
        ledger = Ledger([target("tcp", place, every=1, agency=f"a{n}") for n in range(50)])
        run(ledger, 4.5)
    assert {reading.state for _, reading in ledger.readings} == {State.UP}
    times: dict[str, list[datetime]] = {}
    for probed, reading in ledger.readings:
        times.setdefault(probed.key.agency, []).append(reading.at)
    assert len(times) == 50
    for one in times.values():
        assert len(one) in (4, 5)
        for first, then in pairwise(one):
            assert (then - first).total_seconds() == pytest.approx(1, abs=0.3)
    phases = sorted({round(one[0].timestamp() % 1, 1) for one in times.values()})
    assert len(phases) >= 8
    assert ledger.read_until == sorted(ledger.read_until)
    assert ledger.left == 1


def test_a_probe_that_cannot_run_is_unknown_and_a_refused_one_is_down() -> None:
    with socket.create_server((HERE, 0)) as server:
        closed = f"{HERE}:{server.getsockname()[1]}"
    ledger = Ledger([target("tcp", closed, every=1), target("tcp", "x", every=1, agency="refused")])
    run(ledger, 2)
    found = {(probed.key.agency, reading.state, reading.detail) for probed, reading in ledger.readings}
    assert found == {("a1", State.DOWN, "Connection refused"), ("refused", State.UNKNOWN, "there is no address")}


def test_a_pool_that_falls_behind_reports_it(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "LATE_SECONDS", 0.5)
    late: list[float | None] = []
    with socket.socket() as server, caplog.at_level(logging.WARNING):
        server.bind((HERE, 0))
        server.listen(0)  # never accepts: each probe hangs until its time is over
        place = f"{HERE}:{server.getsockname()[1]}"
        blocking = [socket.socket() for _ in range(3)]
        for one in blocking:
            one.setblocking(False)
            one.connect_ex((HERE, int(place.rpartition(":")[2])))
        ledger = Ledger([target("tcp", place, every=1, agency=f"a{n}") for n in range(8)])
        counts = ProbeCounts()
        until = time.monotonic() + 4

        def stopping() -> bool:
            late.append(counts.late_seconds)
            return time.monotonic() > until

        ProbePool(ledger, SystemClock(), counts, 1).run(stopping)
        for one in blocking:
            one.close()
    assert max(seconds for seconds in late if seconds is not None) > 1
    assert counts.late_seconds is None
    [said] = [r.message for r in caplog.records if "does not keep up" in r.message]
    assert said.startswith("probing does not keep up: probes start up to ")
    behind = datetime.now(ledger.read_until[-1].tzinfo) - ledger.read_until[-1]
    assert behind > timedelta(seconds=1), "what was not read yet is not said to be read"


def test_a_pool_that_lost_its_turn_stops_and_asks_for_it_again() -> None:
    ledger = Ledger([], hearings=3)
    run(ledger, 3)
    assert ledger.takes >= 2
    assert ledger.left == ledger.takes
