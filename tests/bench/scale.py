"""How accepting, planning and driving runs grow with the number of agencies, on SQLite and on PostgreSQL.

The playbooks take no time (tests/bench/quick_worker.py); everything else is real. What matters is how a row compares to
the one above it: the times themselves belong to the machine.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from orchestrator.bootstrap import Application, initialise
from orchestrator.domain.runs.run import StepState
from orchestrator.settings import Settings
from tests.bench import world
from tests.bench.quick_worker import EVENTS_A_STEP
from tests.postgres import Postgres, binaries

SIZES = (100, 1_000, 10_000)
WORKERS = 2
DRIVING_SECONDS = 40
PLANS = 15
EVENTS = EVENTS_A_STEP + 2
"""Those of the playbook, and that the step started and finished."""


@dataclass(frozen=True)
class Row:
    """What one database did with one number of agencies."""

    database: str
    agencies: int
    accepted_a_second: float
    plan_milliseconds: float
    steps_a_second: float
    events_a_second: float
    worker_mib: int
    database_mib: float


@contextmanager
def environment(given: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(given)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def accept(app: Application, agencies: int) -> float:
    """Plan, store and queue one run an agency; how many a second."""
    began = time.perf_counter()
    for number in range(agencies):
        app.ordering.provisioning.open_run(app.ordering.planning.plan(world.call_off(number)).id)
    return agencies / (time.perf_counter() - began)


def plan_one(app: Application, agencies: int) -> float:
    """Median milliseconds to plan an agency that is not there yet."""
    took = []
    for number in range(PLANS):
        order = world.call_off(agencies + number)
        began = time.perf_counter()
        app.ordering.planning.plan(order)
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000


def drive(app: Application) -> tuple[float, float, int]:
    """Steps and events a second by all workers together, and the most memory one of them used."""
    command = [sys.executable, "-m", "tests.bench.quick_worker", str(DRIVING_SECONDS)]
    workers = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(WORKERS)]
    memory = [os.wait4(worker.pid, 0)[2].ru_maxrss // 1024 for worker in workers]
    with app.base.store.read() as tx:
        finished = [
            step.finished_at
            for run in tx.runs.newest(limit=100_000)
            if run.started_at
            for step in tx.runs.steps(run.id)
            if step.state is StepState.SUCCEEDED and step.finished_at
        ]
    seconds = (max(finished) - min(finished)).total_seconds()
    return len(finished) / seconds, len(finished) * EVENTS / seconds, max(memory)


def measure(database: str, url: str | None, agencies: int) -> Row:
    """One row, in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = world.build(folder, agencies=agencies) | ({"ORCHESTRATOR_DATABASE__URL": url} if url else {})
        with environment(given):
            settings = Settings()
            initialise(settings)
            app = Application(settings)
            accepted, plan = accept(app, agencies), plan_one(app, agencies)
            steps, events, memory = drive(app)
            app.close()
        size = bytes_of(folder / "home", url) / 2**20
    return Row(database, agencies, accepted, plan, steps, events, memory, size)


def bytes_of(home: Path, url: str | None) -> int:
    if url is None:
        return sum(file.stat().st_size for file in home.glob("*.db*"))
    with psycopg.connect(url) as connection:
        row = connection.execute("select pg_database_size(current_database())").fetchone()
    return int(row[0]) if row else 0


@contextmanager
def postgres() -> Iterator[Postgres | None]:
    """A server that writes to disk as a real one does; None where there is none."""
    programs = binaries()
    if programs is None:
        yield None
        return
    server = Postgres(programs)
    server.create()
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("alter system set fsync = on")
        connection.execute("select pg_reload_conf()")
    try:
        yield server
    finally:
        server.erase()


def main(sizes: tuple[int, ...] = SIZES) -> None:
    """Measure and print."""
    title = f"{len(world.COMPONENTS)} components an agency, {WORKERS} workers, {os.cpu_count()} cores"
    table = Table(title=title, title_justify="left")
    for heading in ("database", "agencies", "accepted /s", "plan of one ms", "steps /s", "events /s", "MiB a worker",
                    "database MiB"):  # fmt: skip
        table.add_column(heading, justify="left" if heading == "database" else "right")
    with postgres() as server:
        for agencies in sizes:
            for database in ("sqlite", "postgresql") if server else ("sqlite",):
                url = server.database() if server and database == "postgresql" else None
                row = measure(database, url, agencies)
                table.add_row(
                    row.database, f"{row.agencies:,}", f"{row.accepted_a_second:.0f}", f"{row.plan_milliseconds:.1f}",
                    f"{row.steps_a_second:.0f}", f"{row.events_a_second:.0f}", f"{row.worker_mib}",
                    f"{row.database_mib:.0f}",
                )  # fmt: skip
    Console(width=120).print(table)


if __name__ == "__main__":
    main(tuple(int(size) for size in sys.argv[1:]) or SIZES)
