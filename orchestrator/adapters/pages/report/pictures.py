"""The geometry of the report's charts: the days of the month, and figures over the months."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from orchestrator.adapters.pages.wording import length
from orchestrator.domain.service_levels.report import DayLine, MeasureLine, ServiceLine, TrendPoint
from orchestrator.domain.service_levels.terms import Indicator, indicator_of

WIDTH = 700.0
LEFT = 150.0
STRIP = 22.0
SMALLEST_BAD = 2.0
"""Minimum height, so that an outage of a second is visible."""

GRAPH_HEIGHT = 74.0
MARGIN = 0.15
"""Share of the range of figures, above and below them."""


class Cell(NamedTuple):
    """A day of a strip. `bad` and `unmeasured` are heights, drawn from the bottom and from the top."""

    x: float
    width: float
    served: bool
    bad: float
    unmeasured: float
    title: str


def strip(service: ServiceLine) -> tuple[Cell, ...]:
    """One cell per day, all of equal width. The bad share of the day's service time is the share of the height."""
    width = (WIDTH - LEFT) / max(len(service.days), 1)
    return tuple(_cell(day, LEFT + n * width, width) for n, day in enumerate(service.days))


def _cell(day: DayLine, x: float, width: float) -> Cell:
    due = max(day.eligible, day.bad + day.unmeasured)
    if not due:
        return Cell(x, width, served=False, bad=0, unmeasured=0, title=f"{day.day:%-d %B}: no service hours")
    told = [
        f"{length(seconds)} {word}"
        for seconds, word in ((day.bad, "down"), (day.unmeasured, "not measured"))
        if seconds
    ]
    title = f"{day.day:%-d %B}: {', '.join(told) or 'up'}"
    return Cell(x, width, served=True, bad=_height(day.bad, due), unmeasured=_height(day.unmeasured, due), title=title)


def _height(seconds: int, due: int) -> float:
    return max(SMALLEST_BAD, STRIP * seconds / due) if seconds else 0.0


class Point(NamedTuple):
    x: float
    y: float
    kept: bool
    month: str
    figure: Decimal


class Graph(NamedTuple):
    """One measure over the months. `target` is the height of the target's line."""

    measure: str
    points: tuple[Point, ...]
    line: str
    target: float
    lowest: Decimal
    highest: Decimal


def graphs(measures: Sequence[MeasureLine], trend: Sequence[TrendPoint]) -> Iterator[Graph]:
    """A graph for every availability that was judged in any of the months."""
    for measure in measures:
        if indicator_of(measure.measure) is Indicator.AVAILABILITY:
            figures = [(n, point.month, point.achieved.get(measure.measure)) for n, point in enumerate(trend)]
            known = [(n, month, figure) for n, month, figure in figures if figure is not None]
            if known:
                yield _graph(measure, known, len(trend))


def _graph(measure: MeasureLine, known: Sequence[tuple[int, str, Decimal]], months: int) -> Graph:
    lowest = min(measure.target, *(figure for _, _, figure in known))
    highest = max(measure.target, *(figure for _, _, figure in known))
    room = max((highest - lowest) * Decimal(str(MARGIN)), Decimal("0.05"))
    low, high = lowest - room, min(highest + room, Decimal(100) + room)

    def y(figure: Decimal) -> float:
        return GRAPH_HEIGHT * float((high - figure) / (high - low))

    step = (WIDTH - LEFT) / max(months, 1)
    points = tuple(
        Point(LEFT + (n + 0.5) * step, y(figure), figure >= measure.target, month, figure) for n, month, figure in known
    )
    line = " ".join(f"{point.x:.1f},{point.y:.1f}" for point in points)
    return Graph(measure.measure, points, line, y(measure.target), lowest, highest)
