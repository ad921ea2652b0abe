"""What a scrape costs: reading the records, rendering, beside prometheus_client's own renderer; and whom it holds up.

CPU seconds, not time: a scraper that takes the exposition slowly costs no more. "held up" is the longest that another
thread of the process, which wants to run every half millisecond, was late while an exposition was rendered. Best of
three tries each: the machine is not ours alone.
"""

import gc
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from orchestrator.adapters.exposition.detail import DETAIL
from orchestrator.adapters.exposition.rendering import Renderer
from orchestrator.adapters.exposition.shared import SharedSnapshot
from orchestrator.adapters.exposition.summary import SUMMARY
from orchestrator.ports.figures import Snapshot
from tests.adapters.exposition.reference import rendered
from tests.adapters.exposition.snapshots import SERIES_AN_AGENCY, snapshot
from tests.bench import records

AGENCIES = (100, 1_000, 10_000)
SERIES = (100_000, 1_000_000)
TRIES = 3
EVERY_SECONDS = 0.0005
MOVES = ("eligible_seconds", "bad_seconds", "availability", "coverage")
"""Figures of service levels that are others at the next scrape."""

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    agencies: int
    series: int
    first: float
    next: float
    summary: float
    theirs: float
    held_up_milliseconds: float


def cpu(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds of this thread."""
    began = time.thread_time()
    done = work()
    return time.thread_time() - began, done


def least(measure: Callable[[], float]) -> float:
    return min(measure() for _ in range(TRIES))


def take(renderer: Renderer, of: Snapshot) -> float:
    """CPU seconds to render, taken slice by slice as `serve` does."""

    def run() -> None:
        for _ in renderer.render(of, openmetrics=False):
            pass

    return cpu(run)[0]


def moved(before: Snapshot) -> Snapshot:
    """A scrape later: the totals have advanced, and with them the ratios; the rest is equal, and read anew."""
    levels = before.service_levels
    later = {
        name: tuple((a, c, figure + 0.25) if name in MOVES else (a, c, figure) for a, c, figure in rows)
        for name, rows in levels._asdict().items()
    }
    recovery = {name: tuple((*row,) for row in rows) for name, rows in before.recovery._asdict().items()}
    return before._replace(
        service_levels=levels._make(later.values()), recovery=before.recovery._make(recovery.values())
    )


def next_scrape(of: Snapshot) -> float:
    renderer = Renderer(DETAIL)
    take(renderer, of)
    return take(renderer, moved(of))


def held_up(work: Callable[[], Any]) -> float:
    """Milliseconds that another thread was late at most while some work went on."""
    done, late = threading.Event(), [0.0]

    def other() -> None:
        before = time.perf_counter()
        while not done.is_set():
            time.sleep(EVERY_SECONDS)
            now = time.perf_counter()
            late[0] = max(late[0], now - before - EVERY_SECONDS)
            before = now

    thread = threading.Thread(target=other)
    thread.start()
    work()
    done.set()
    thread.join()
    return late[0] * 1000


def measure(agencies: int) -> Row:
    of = snapshot(agencies)
    parts = Renderer(DETAIL).render(of, openmetrics=False)
    series = sum(not line.startswith(b"#") for part in parts for line in part.splitlines())
    gc.collect()
    again = Renderer(DETAIL)
    return Row(
        agencies=agencies,
        series=series,
        first=least(lambda: take(Renderer(DETAIL), of)),
        next=least(lambda: next_scrape(of)),
        summary=least(lambda: take(Renderer(SUMMARY), of)),
        theirs=cpu(lambda: rendered(of, as_openmetrics=False))[0],
        held_up_milliseconds=least(lambda: held_up(lambda: take(again, of))),
    )


def read(agencies: int) -> tuple[float, float]:
    """CPU seconds to read a snapshot from SQLite, in this thread; and how long another was held up."""
    with tempfile.TemporaryDirectory() as folder, records.filled(Path(folder), agencies=agencies) as observing:
        never_fresh = (100.0**n for n in count())
        shared = SharedSnapshot(observing.snapshot, clock=never_fresh.__next__)
        shared.now()
        return least(lambda: cpu(shared.now)[0]), least(lambda: held_up(shared.now))


def main(agencies: tuple[int, ...] = AGENCIES, series: tuple[int, ...] = SERIES) -> None:
    """Measure and print."""
    gc.freeze()  # as serve does
    table = Table(title="CPU seconds of a scrape, 5 components an agency", title_justify="left")
    for heading in ("agencies", "series", "first", "next", "summary", "prometheus_client", "times", "held up ms"):
        table.add_column(heading, justify="right")
    for number in (*agencies, *(-(-n // SERIES_AN_AGENCY) for n in series)):
        row = measure(number)
        table.add_row(
            f"{row.agencies:,}", f"{row.series:,}", f"{row.first:.3f}", f"{row.next:.3f}", f"{row.summary:.3f}",
            f"{row.theirs:.2f}", f"{row.theirs / row.first:.0f}", f"{row.held_up_milliseconds:.1f}",
        )  # fmt: skip
    Console(width=120).print(table)
    table = Table(title="Reading the records before it, from SQLite", title_justify="left")
    for heading in ("agencies", "steps recorded", "CPU s", "held up ms"):
        table.add_column(heading, justify="right")
    for number in agencies:
        seconds, late = read(number)
        table.add_row(f"{number:,}", f"{number * records.STEPS_AN_AGENCY:,}", f"{seconds:.3f}", f"{late:.1f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main(tuple(int(number) for number in sys.argv[1:]) or AGENCIES)
