"""How long planning a year's drills takes, and how near it comes to the fewest lanes that any plan needs."""

import sys
import time
from collections.abc import Mapping
from datetime import date

from rich.console import Console
from rich.table import Table

from orchestrator.domain.recovery.fleet_calendar import plan_calendar
from tests.bench.fleet import fleet

SIZES = ((1_000, 1), (10_000, 1), (10_000, 3), (10_000, 40))
"""Agencies, and the sites they are spread over."""


def measure(agencies: int, sites: int) -> tuple[float, int, Mapping[str, int], Mapping[str, int]]:
    """Seconds, drills planned, lanes used and lanes needed at least, by site."""
    requests = list(fleet(agencies, sites=sites))
    capacity = {f"site-{n}": 1_000 for n in range(sites)}
    began = time.perf_counter()
    calendar = plan_calendar(requests, capacity=capacity, first=date(2027, 1, 1), until=date(2028, 1, 1))
    return time.perf_counter() - began, len(calendar.placed), calendar.lanes, calendar.bound


def main(sizes: tuple[tuple[int, int], ...] = SIZES) -> None:
    """Measure and print."""
    table = Table(title="Four drills an agency in a year", title_justify="left")
    for heading in ("agencies", "sites", "drills", "seconds", "lanes", "lower bound", "lanes over it"):
        table.add_column(heading, justify="right")
    for agencies, sites in sizes:
        seconds, drills, lanes, bound = measure(agencies, sites)
        used, needed = sum(lanes.values()), sum(bound.values())
        table.add_row(
            f"{agencies:,}", str(sites), f"{drills:,}", f"{seconds:.1f}", str(used), str(needed),
            f"{used / needed - 1:.0%}",
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main(SIZES[: int(sys.argv[1])] if sys.argv[1:] else SIZES)
