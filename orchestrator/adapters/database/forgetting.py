"""Counting what is about to be forgotten, so that counters go on from where they were."""

from collections.abc import Iterable, Sequence
from operator import add
from typing import Any

from sqlmodel import Session, col, select

from orchestrator.adapters.database.tables import ForgottenRow
from orchestrator.usecases.figure_ports import Histogram

RUNS, RUN_DURATIONS, STEP_DURATIONS = "runs", "run_durations", "step_durations"
SEPARATOR = "/"


def remember(session: Session, family: str, histograms: Iterable[Histogram]) -> None:
    """Add to what was forgotten before."""
    for histogram in histograms:
        labels = SEPARATOR.join(histogram.labels)
        before = session.get(ForgottenRow, (family, labels))
        session.merge(_row(family, _sum(histogram, _histogram(before)) if before else histogram))
    session.flush()


def with_forgotten(session: Session, family: str, histograms: Sequence[Histogram]) -> list[Histogram]:
    """Histograms of what is on record, and of what was, in the order of their labels."""
    found = {histogram.labels: histogram for histogram in histograms}
    for row in session.exec(select(ForgottenRow).where(col(ForgottenRow.family) == family)):
        gone = _histogram(row)
        found[gone.labels] = _sum(found[gone.labels], gone) if gone.labels in found else gone
    return [found[labels] for labels in sorted(found)]


def _sum(one: Histogram, other: Histogram) -> Histogram:
    return Histogram(
        labels=one.labels,
        at_most=tuple(map(add, one.at_most, other.at_most)),
        count=one.count + other.count,
        total_seconds=one.total_seconds + other.total_seconds,
    )


def _row(family: str, histogram: Histogram) -> ForgottenRow:
    values: dict[str, Any] = histogram.model_dump(exclude={"labels"}) | {"at_most": list(histogram.at_most)}
    return ForgottenRow(family=family, labels=SEPARATOR.join(histogram.labels), **values)


def _histogram(row: ForgottenRow) -> Histogram:
    labels = tuple(row.labels.split(SEPARATOR))
    return Histogram(labels=labels, at_most=tuple(row.at_most), count=row.count, total_seconds=row.total_seconds)
