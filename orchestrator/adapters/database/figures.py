"""Figures for dashboards, computed where the records are.

Rows become plain tuples one by one, so that other threads get their turn even with many rows.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from orchestrator.adapters.database.comparisons import standing_comparisons
from orchestrator.adapters.database.counting import RUN_DURATIONS, RUNS, STEP_DURATIONS, histograms
from orchestrator.adapters.database.tables import (
    AgencyRow,
    DrillRow,
    InstanceRow,
    NewestBackupRow,
    PlanRow,
    RunRow,
    ServicePeriodRow,
)
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.recovery.drills import STOPPED, UNDER_WAY, DrillState
from orchestrator.domain.recovery.verdict import Verdict
from orchestrator.domain.runs.run import RunState
from orchestrator.ports.figures import BOUNDS, Histogram

WAITING = (DrillState.APPROVAL_PENDING, DrillState.APPROVED)
PASSED = (Verdict.PASS, Verdict.PASS_WITH_FINDINGS)

_DRILLED = (col(DrillRow.agency), col(DrillRow.component))
_MEASURED = col(DrillRow.verdict).is_not(None) & col(DrillRow.state).not_in(STOPPED)


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

    def served(self, at: datetime) -> list[tuple[str, str, str, str, datetime]]:
        began_at, ended_at = col(ServicePeriodRow.began_at), col(ServicePeriodRow.ended_at)
        whose = (col(ServicePeriodRow.agency), col(ServicePeriodRow.component))
        same = (col(InstanceRow.agency) == whose[0], col(InstanceRow.component) == whose[1])
        query = sa.select(*whose, col(AgencyRow.framework), col(InstanceRow.tier), began_at)
        query = query.join_from(ServicePeriodRow, InstanceRow, sa.and_(*same)).order_by(*whose)
        query = query.where(began_at <= at, sa.or_(ended_at.is_(None), ended_at > at))
        return self._rows(_served(query, whose[0]))

    def drill_outcomes(self) -> list[tuple[str, str, str, int]]:
        verdict = sa.case((_MEASURED, sa.cast(col(DrillRow.verdict), sa.String)))
        outcome = sa.func.coalesce(verdict, sa.cast(col(DrillRow.state), sa.String))
        labels = (*_DRILLED, outcome)
        ended = col(DrillRow.state).not_in((*WAITING, *UNDER_WAY))
        query = sa.select(*labels, sa.func.count()).where(ended).group_by(*labels).order_by(*labels)
        return self._rows(_served(query, _DRILLED[0]))

    def drills_measured(self) -> list[tuple[str, str, float | None, float | None]]:
        return self._newest((col(DrillRow.rto_seconds), col(DrillRow.rpo_seconds)), _MEASURED)

    def drills_passed(self) -> list[tuple[str, str, datetime]]:
        ended = col(DrillRow.finished_at)
        return self._newest((ended,), col(DrillRow.verdict).in_(PASSED) & ended.is_not(None))

    def drills_due(self) -> list[tuple[str, str, datetime]]:
        query = sa.select(*_DRILLED, sa.func.min(col(DrillRow.scheduled_at))).where(col(DrillRow.state).in_(WAITING))
        return self._rows(_served(query.group_by(*_DRILLED).order_by(*_DRILLED), _DRILLED[0]))

    def recovery_points(self) -> list[tuple[str, str, datetime]]:
        whose = (col(NewestBackupRow.agency), col(NewestBackupRow.component))
        query = sa.select(*whose, col(NewestBackupRow.started_at)).order_by(*whose)
        return self._rows(_served(query, whose[0]))

    def drift(self) -> list[tuple[str, str, float]]:
        found: Any = self._session.execute(standing_comparisons().order_by("agency", "component"))
        return [(agency, component, float(changed)) for agency, component, _, changed in found]

    def runs(self) -> list[tuple[str, str, int]]:
        return [(purpose, state, h.count) for h in histograms(self._session, RUNS) for purpose, state in (h.labels,)]

    def run_durations(self) -> list[Histogram]:
        return histograms(self._session, RUN_DURATIONS)

    def step_durations(self) -> list[Histogram]:
        return histograms(self._session, STEP_DURATIONS)

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
        return [_histogram(row) for row in self._session.execute(query)]

    def _newest(self, columns: tuple[Any, ...], condition: Any) -> list[Any]:
        """The columns of the newest drill, among those that meet the condition, of each agency's components."""
        newest = sa.select(sa.func.max(col(DrillRow.id))).where(condition).group_by(*_DRILLED)
        query = sa.select(*_DRILLED, *columns).where(col(DrillRow.id).in_(newest)).order_by(*_DRILLED)
        return self._rows(_served(query, _DRILLED[0]))

    def _rows(self, query: Any) -> list[Any]:
        return [tuple(row) for row in self._session.execute(query)]


def _served(query: Any, agency: Any) -> Any:
    """Exclude agencies that have left: figures about single agencies must not grow for ever."""
    return query.join(AgencyRow, col(AgencyRow.id) == agency).where(col(AgencyRow.offboarded_at).is_(None))


def _buckets(seconds: Any) -> list[Any]:
    counts = [sa.func.sum(sa.case((seconds <= bound, 1), else_=0)) for bound in BOUNDS]
    return [*counts, sa.func.count(), sa.func.sum(seconds)]


def _histogram(row: Any) -> Histogram:
    framework, *counts, count, total = row
    return Histogram(labels=(framework,), at_most=counts, count=count, total_seconds=total)


def _seconds_between(session: Session, start: Any, end: Any) -> Any:
    if session.get_bind().dialect.name == "postgresql":
        return sa.func.extract("epoch", end - start)
    return (sa.func.julianday(end) - sa.func.julianday(start)) * 86400.0
