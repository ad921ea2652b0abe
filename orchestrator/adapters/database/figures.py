"""Figures for dashboards, computed where the records are.

Rows become plain tuples one by one, so that other threads get their turn however many there are.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from orchestrator.adapters.database.comparisons import standing_comparisons
from orchestrator.adapters.database.forgetting import RUN_DURATIONS, RUNS, STEP_DURATIONS, with_forgotten
from orchestrator.adapters.database.tables import AgencyRow, DrillRow, InstanceRow, PlanRow, RunRow, StepRow
from orchestrator.domain.catalog import Verb
from orchestrator.domain.drill import UNDER_WAY, DrillState
from orchestrator.domain.plan import Purpose
from orchestrator.domain.run import RunState, StepState
from orchestrator.domain.verdict import Verdict
from orchestrator.usecases.figure_ports import BOUNDS, Histogram

WAITING = (DrillState.APPROVAL_PENDING, DrillState.APPROVED)
PASSED = (Verdict.PASS, Verdict.PASS_WITH_FINDINGS)

_DRILLED = (col(DrillRow.agency), col(DrillRow.component))


class FigureRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def agencies(self) -> list[tuple[str, str, str, str]]:
        labels = (col(AgencyRow.id), col(AgencyRow.name), col(AgencyRow.framework), col(AgencyRow.site))
        query = sa.select(*labels).where(col(AgencyRow.offboarded_at).is_(None)).order_by(col(AgencyRow.id))
        return self._rows(query)

    def services(self) -> list[tuple[str, str, str, str]]:
        whose = (col(InstanceRow.agency), col(InstanceRow.component))
        state = sa.type_coerce(col(InstanceRow.state), sa.String)
        return self._rows(_served(sa.select(*whose, col(InstanceRow.tier), state).order_by(*whose), whose[0]))

    def drill_outcomes(self) -> list[tuple[str, str, str, int]]:
        outcome = sa.func.coalesce(sa.cast(col(DrillRow.verdict), sa.String), sa.cast(col(DrillRow.state), sa.String))
        labels = (*_DRILLED, outcome)
        ended = col(DrillRow.state).not_in((*WAITING, *UNDER_WAY))
        query = sa.select(*labels, sa.func.count()).where(ended).group_by(*labels).order_by(*labels)
        return self._rows(_served(query, _DRILLED[0]))

    def drills_measured(self) -> list[tuple[str, str, float | None, float | None]]:
        return self._newest((col(DrillRow.rto_seconds), col(DrillRow.rpo_seconds)), col(DrillRow.verdict).is_not(None))

    def drills_passed(self) -> list[tuple[str, str, datetime]]:
        ended = col(DrillRow.finished_at)
        return self._newest((ended,), col(DrillRow.verdict).in_(PASSED) & ended.is_not(None))

    def drills_due(self) -> list[tuple[str, str, datetime]]:
        query = sa.select(*_DRILLED, sa.func.min(col(DrillRow.scheduled_at))).where(col(DrillRow.state).in_(WAITING))
        return self._rows(_served(query.group_by(*_DRILLED).order_by(*_DRILLED), _DRILLED[0]))

    def recovery_points(self) -> list[tuple[str, str, datetime]]:
        whose = (col(RunRow.agency), col(StepRow.component))
        query = (
            sa.select(*whose, sa.func.max(col(StepRow.started_at)))
            .join_from(StepRow, RunRow, col(RunRow.id) == col(StepRow.run))
            .where(col(StepRow.verb) == Verb.BACKUP, col(StepRow.state) == StepState.SUCCEEDED)
            .group_by(*whose)
            .order_by(*whose)
        )
        return self._rows(_served(query, whose[0]))

    def drift(self) -> list[tuple[str, str, float]]:
        found: Any = self._session.execute(standing_comparisons().order_by("agency", "component"))
        return [(agency, component, float(changed)) for agency, component, _, changed in found]

    def runs(self) -> list[tuple[str, str, int]]:
        labels = (col(RunRow.purpose), col(RunRow.state))
        query = sa.select(*labels, sa.func.count()).group_by(*labels).order_by(*labels)
        counts = {(str(row[0]), str(row[1])): int(row[2]) for row in self._session.execute(query)}
        for gone in with_forgotten(self._session, RUNS, ()):
            purpose, state = gone.labels
            counts[purpose, state] = counts.get((purpose, state), 0) + gone.count
        return [(*whose, counts[whose]) for whose in sorted(counts)]

    def run_durations(self) -> list[Histogram]:
        return with_forgotten(self._session, RUN_DURATIONS, run_histograms(self._session))

    def step_durations(self) -> list[Histogram]:
        return with_forgotten(self._session, STEP_DURATIONS, step_histograms(self._session))

    def onboarding_durations(self) -> list[Histogram]:
        seconds = _seconds_between(self._session, col(PlanRow.created_at), col(RunRow.finished_at))
        query = (
            sa.select(col(AgencyRow.framework), *_buckets(seconds))
            .join_from(RunRow, PlanRow, col(PlanRow.id) == col(RunRow.plan))
            .join(AgencyRow, col(AgencyRow.id) == col(RunRow.agency))
            .where(col(RunRow.purpose) == Purpose.ONBOARD, col(RunRow.state) == RunState.SUCCEEDED)
            .group_by(col(AgencyRow.framework))
            .order_by(col(AgencyRow.framework))
        )
        return [_histogram(row, labels=1) for row in self._session.execute(query)]

    def _newest(self, columns: tuple[Any, ...], condition: Any) -> list[Any]:
        """Of the newest drill of every component of every agency that a condition holds for."""
        newest = sa.select(sa.func.max(col(DrillRow.id))).where(condition).group_by(*_DRILLED)
        query = sa.select(*_DRILLED, *columns).where(col(DrillRow.id).in_(newest)).order_by(*_DRILLED)
        return self._rows(_served(query, _DRILLED[0]))

    def _rows(self, query: Any) -> list[Any]:
        return [tuple(row) for row in self._session.execute(query)]


def run_counts(session: Session, *which: Any) -> list[Histogram]:
    """How many runs ended how, of some: histograms without durations."""
    labels = (col(RunRow.purpose), col(RunRow.state))
    query = sa.select(*labels, sa.func.count()).where(*which).group_by(*labels)
    none = tuple(0 for _ in BOUNDS)
    return [
        Histogram(labels=(str(row[0]), str(row[1])), at_most=none, count=int(row[2]), total_seconds=0.0)
        for row in session.execute(query)
    ]


def run_histograms(session: Session, *which: Any) -> list[Histogram]:
    """Durations of runs that have ended, of all or some, by purpose and outcome."""
    return _histograms(session, col(RunRow.seconds), (col(RunRow.purpose), col(RunRow.state)), which)


def step_histograms(session: Session, *which: Any) -> list[Histogram]:
    """The same of steps, by component, verb and outcome."""
    labels = (col(StepRow.component), col(StepRow.verb), col(StepRow.state))
    return _histograms(session, col(StepRow.seconds), labels, which)


def _histograms(session: Session, seconds: Any, labels: tuple[Any, ...], which: tuple[Any, ...]) -> list[Histogram]:
    query = sa.select(*labels, *_buckets(seconds)).where(seconds.is_not(None), *which)
    rows = session.execute(query.group_by(*labels).order_by(*labels))
    return [_histogram(row, labels=len(labels)) for row in rows]


def _served(query: Any, agency: Any) -> Any:
    """Without agencies that have left: what is told of single agencies must not grow for ever."""
    return query.join(AgencyRow, col(AgencyRow.id) == agency).where(col(AgencyRow.offboarded_at).is_(None))


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
