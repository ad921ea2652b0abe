"""How many runs are accepted (planned, stored, queued) by one process and by four, and whether planning stays as quick
among many agencies as among few.

`python -m tests.bench.accepting` measures; `python -m tests.bench.accepting FIRST COUNT` accepts, as one of the four.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count, repeat
from pathlib import Path

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from orchestrator.adapters.database.tables import metadata
from orchestrator.bootstrap import Application, initialise
from orchestrator.settings import Settings
from tests.bench import world
from tests.bench.scale import environment, postgres

PROCESSES = 4
RUNS = 200
"""Accepted by one process, and by each of the four."""
FEW, MANY = 100, 10_000
PAIRS = 31


def accept(first: int, count: int) -> None:
    """Tell when it began and ended: starting the process does not count."""
    app = Application(Settings())
    app.ordering.planning.plan(world.call_off(first))
    sys.stdout.write(f"{time.time()}\n")
    for number in range(first, first + count):
        app.ordering.provisioning.open_run(app.ordering.planning.plan(world.call_off(number)).id)
    sys.stdout.write(f"{time.time()}\n")
    app.close()


def together(first: int, processes: int) -> float:
    """Runs a second by so many processes, from the first run of the first to the last run of the last."""
    commands = [
        [sys.executable, "-m", "tests.bench.accepting", str(first + n * RUNS), str(RUNS)] for n in range(processes)
    ]
    accepting = [subprocess.Popen(command, stdout=subprocess.PIPE) for command in commands]
    times = [float(line) for process in accepting for line in process.communicate()[0].split()]
    assert len(times) == 2 * processes, "one of them failed"
    return processes * RUNS / (max(times) - min(times))


def filled(app: Application, agencies: int) -> None:
    """So many agencies that hold a number and a network each."""
    with app.base.store.begin() as tx:
        order = world.call_off(0).document()
        served = [
            {"id": f"old-{number}", "name": "", "framework": "trial", "site": "bench", "committed_pence": 100,
             "call_off": order, "created_at": app.base.clock.now()}
            for number in range(agencies)
        ]  # fmt: skip
        tx.session.execute(sa.insert(metadata.tables["agency"]), served)
        tx.session.execute(sa.insert(metadata.tables["commitment"]), {"framework": "trial", "pence": 100 * agencies})
        pools = app.base.source.site("bench").pools
        held = [
            {"site": "bench", "pool": pool, "block": pools[pool].block(position), "name": name,
             "agency": f"old-{position}", "holding": "held", "at": app.base.clock.now(), "position": position}
            for name, pool in (("number", "agency_numbers"), ("subnet", "agency_networks"))
            for position in range(agencies)
        ]  # fmt: skip
        tx.session.execute(sa.insert(metadata.tables["allocation"]), held)


def milliseconds(app: Application, number: int) -> float:
    order = world.call_off(number)
    began = time.perf_counter()
    app.ordering.planning.plan(order)
    return (time.perf_counter() - began) * 1000


def flatness(urls: tuple[str | None, str | None]) -> tuple[float, float, float]:
    """Median milliseconds to plan an agency among few and among many, in turns, and the median of their ratios."""
    apps = []
    with tempfile.TemporaryDirectory() as folder:
        for agencies, url in zip((FEW, MANY), urls, strict=True):
            home = Path(folder) / str(agencies)
            home.mkdir()
            given = world.build(home, agencies=MANY) | ({"ORCHESTRATOR_DATABASE__URL": url} if url else {})
            with environment(given):
                initialise(Settings())
                apps.append(Application(Settings()))
            filled(apps[-1], agencies)
        few, many = apps
        milliseconds(few, 0), milliseconds(many, 0)
        pairs = [(milliseconds(few, n), milliseconds(many, n)) for n in range(1, PAIRS + 1)]
        for app in apps:
            app.close()
    ratio = statistics.median(b / a for a, b in pairs)
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), ratio


def measure(urls: Iterator[str | None]) -> tuple[float, float, tuple[float, float, float]]:
    """On new databases: runs a second by one process and by all of them, and how flat planning is."""
    with tempfile.TemporaryDirectory() as name:
        url = next(urls)
        given = world.build(Path(name), agencies=1000) | ({"ORCHESTRATOR_DATABASE__URL": url} if url else {})
        with environment(given):
            initialise(Settings())
            alone, all_of_them = together(0, 1), together(RUNS, PROCESSES)
    return alone, all_of_them, flatness((next(urls), next(urls)))


def main() -> None:
    """Measure and print."""
    table = Table(title=f"Accepting, {len(world.COMPONENTS)} components an agency, {os.cpu_count()} cores")
    headings = ("accepted /s by one", f"by {PROCESSES}", f"plan among {FEW} ms", f"among {MANY:,} ms", "times")
    for heading in ("database", *headings):
        table.add_column(heading, justify="left" if heading == "database" else "right")
    with postgres() as server:
        kinds: dict[str, Iterator[str | None]] = {"sqlite": repeat(None)}
        if server:
            kinds["postgresql"] = (server.database() for _ in count())
        for kind, urls in kinds.items():
            alone, all_of_them, (few, many, ratio) = measure(urls)
            table.add_row(kind, f"{alone:.0f}", f"{all_of_them:.0f}", f"{few:.1f}", f"{many:.1f}", f"{ratio:.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    accept(int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else main()
