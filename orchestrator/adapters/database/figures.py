"""Totals for dashboards, computed where the records are."""

from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from orchestrator.adapters.database.tables import AgencyRow, PlanRow, RunRow, StepRow
from orchestrator.domain.plan import Purpose
from orchestrator.domain.run import RunState
from orchestrator.usecases.ports import BOUNDS, Histogram


class FigureRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def runs(self) -> list[tuple[str, str, int]]:
        labels = (col(RunRow.purpose), col(RunRow.state))
        query = sa.select(*labels, sa.func.count()).group_by(*labels)
        return [(str(row[0]), str(row[1]), int(row[2])) for row in self._session.execute(query)]

    def run_durations(self) -> list[Histogram]:
        return self._histograms(col(RunRow.seconds), (col(RunRow.purpose), col(RunRow.state)))

    def step_durations(self) -> list[Histogram]:
        return self._histograms(col(StepRow.seconds), (col(StepRow.component), col(StepRow.verb), col(StepRow.state)))

    def onboarding_durations(self) -> list[Histogram]:
        seconds = _seconds_between(self._session, col(PlanRow.created_at), col(RunRow.finished_at))
        query = (
            sa.select(col(AgencyRow.framework), *_buckets(seconds))
            .join_from(RunRow, PlanRow, col(PlanRow.id) == col(RunRow.plan))
            .join(AgencyRow, col(AgencyRow.id) == col(RunRow.agency))
            .where(col(RunRow.purpose) == Purpose.ONBOARD, col(RunRow.state) == RunState.SUCCEEDED)
            .group_by(col(AgencyRow.framework))
        )
        return [_histogram(row, labels=1) for row in self._session.execute(query)]

    def _histograms(self, seconds: Any, labels: tuple[Any, ...]) -> list[Histogram]:
        query = sa.select(*labels, *_buckets(seconds)).where(seconds.is_not(None)).group_by(*labels)
        return [_histogram(row, labels=len(labels)) for row in self._session.execute(query)]


def _buckets(seconds: Any) -> list[Any]:
    counts = [sa.func.sum(sa.case((seconds <= bound, 1), else_=0)) for bound in BOUNDS]
    return [*counts, sa.func.count(), sa.func.sum(seconds)]


def _histogram(row: Any, *, labels: int) -> Histogram:
    *counts, count, total = row[labels:]
    return Histogram(labels=tuple(str(v) for v in row[:labels]), at_most=counts, count=count, total_seconds=total)


def _seconds_between(session: Session, start: Any, end: Any) -> Any:
    if session.get_bind().dialect.name == "postgresql":
        return sa.func.extract("epoch", end - start)
    return (sa.func.julianday(end) - sa.func.julianday(start)) * 86400.0
