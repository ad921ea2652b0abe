"""What it costs to close everybody's month, and to read the counters of everybody's services.

Five services an agency with ten outages each in two months, a week of backups twice a day, and some drills.
"""

import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orchestrator.adapters.bank_holidays import is_bank_holiday
from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.usecases.observing import Observing
from orchestrator.usecases.service_levels.closing import MonthEnd
from orchestrator.usecases.service_levels.contracts import Contracts
from orchestrator.usecases.service_levels.judging import Judging
from orchestrator.usecases.service_levels.metering import Metering
from tests.bench.records import filled

SIZES = (100, 1_000, 10_000)
MONTH = CalendarMonth.named("2026-10")


def closed(observing: Observing) -> float:
    """Seconds to close the month of all agencies."""
    judging = Judging(observing.source, observing.clock, is_bank_holiday)
    began = time.perf_counter()
    closings = list(MonthEnd(observing.store, judging).close(MONTH))
    took = time.perf_counter() - began
    assert all(closing.changed for closing in closings)
    return took


def metered(observing: Observing) -> tuple[float, float]:
    """CPU seconds of the first reading of all counters in a process, and of the next."""
    metering = Metering(Contracts(observing.source, is_bank_holiday, holidays="2026"))
    took = []
    for _ in range(2):
        with observing.store.read() as tx:
            began = time.process_time()
            assert metering.figures(tx).eligible_seconds
            took.append(time.process_time() - began)
    return took[0], took[1]


def main(sizes: tuple[int, ...] = SIZES) -> None:
    """Measure and print."""
    table = Table(title="Months and counters, 5 services an agency, SQLite", title_justify="left")
    for heading in ("agencies", "month closed s", "each ms", "counters, first CPU s", "next CPU s"):
        table.add_column(heading, justify="right")
    for agencies in sizes:
        with tempfile.TemporaryDirectory() as name, filled(Path(name), agencies=agencies) as observing:
            took, (first, again) = closed(observing), metered(observing)
        table.add_row(f"{agencies:,}", f"{took:.1f}", f"{took / agencies * 1000:.1f}", f"{first:.2f}", f"{again:.3f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main(tuple(int(size) for size in sys.argv[1:]) or SIZES)
