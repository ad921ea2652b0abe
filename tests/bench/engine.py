"""What the engine costs when there is nothing to do, how soon it starts a run, and how soon it takes one over.

Steps take no time of Ansible's (tests/bench/quick_worker.py), everything else is real, with the settings as they come.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orchestrator.bootstrap import Application, initialise
from orchestrator.domain.events import TaskFinished
from orchestrator.domain.runs.run import OPEN_RUN, StepState
from orchestrator.settings import Settings
from orchestrator.usecases.runs.views import RunView
from tests.bench import world
from tests.bench.scale import environment

RUNS = 7
IDLE_SECONDS = 20
BATCHES, BATCH = 60, 100
FOR_EVER = "3600"


@contextmanager
def worker(**given: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker that goes on for as long as the context lasts."""
    command = [sys.executable, "-m", "tests.bench.quick_worker", FOR_EVER, "--stay"]
    process = subprocess.Popen(command, env=os.environ | given, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def open_run(app: Application, number: int) -> int:
    return app.ordering.provisioning.open_run(app.ordering.planning.plan(world.call_off(number)).id).id


def ended(app: Application, run: int) -> RunView:
    until(lambda: app.observing.run(run).state not in OPEN_RUN)
    return app.observing.run(run)


def start_latency(app: Application) -> float:
    """Median seconds from queued to started, on an idle worker."""
    views = [ended(app, open_run(app, number)) for number in range(RUNS)]
    return statistics.median((v.started_at - v.created_at).total_seconds() for v in views if v.started_at)


def idle_share(process: "subprocess.Popen[bytes]") -> float:
    """Share of one core that a worker uses while there is nothing to do."""

    def used() -> float:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = used()
    time.sleep(IDLE_SECONDS)
    return (used() - before) / IDLE_SECONDS


def takeover(app: Application) -> float:
    """Seconds from kill -9 of a worker in mid-step until another has started that step again."""
    with worker(BENCH_STEP_SECONDS="30") as victim:
        run = open_run(app, 100)
        until(lambda: any(s.state is StepState.RUNNING for s in app.observing.run(run).steps))
        with worker():
            until(lambda: len(app.engine.live_workers()) == 2)
            killed = time.time()
            victim.send_signal(signal.SIGKILL)
            until(lambda: any(s.attempt > 1 for s in app.observing.run(run).steps))
            again = [s for s in app.observing.run(run).steps if s.attempt > 1]
            return min(s.started_at.timestamp() for s in again if s.started_at) - killed


def events_stored(app: Application, run: int) -> tuple[float, float]:
    """Events a second stored in batches, and read back in order."""
    told = [TaskFinished(host="h", task=f"Task {n}", outcome="ok", seconds=0.1) for n in range(BATCH)]
    began = time.perf_counter()
    for _ in range(BATCHES):
        with app.base.store.begin() as tx:
            tx.events.add(told, agency="agency-0", at=app.base.clock.now(), run=run)
    stored = time.perf_counter() - began
    began = time.perf_counter()
    read = sum(1 for _ in app.observing.events(run=run))
    return BATCHES * BATCH / stored, read / (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name, environment(world.build(Path(name), agencies=100)):
        initialise(Settings())
        app = Application(Settings())
        with worker() as process:
            first = ended(app, open_run(app, 50))
            latency, idle = start_latency(app), idle_share(process)
        stored, read = events_stored(app, first.run)
        rows = {
            "queued run to started, idle worker": f"{latency:.2f} s",
            "an idle worker's share of a core": f"{idle:.1%}",
            "step started again after kill -9 of its worker": f"{takeover(app):.1f} s",
            "events stored a second": f"{stored:,.0f}",
            "events streamed a second": f"{read:,.0f}",
        }
        app.close()
    table = Table(title=f"The engine on SQLite, {os.cpu_count()} cores", title_justify="left", show_header=False)
    for what, figure in rows.items():
        table.add_row(what, figure)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
