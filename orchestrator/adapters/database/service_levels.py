"""Periods of service, declarations, incidents, closed months, and whatever else a month is judged by."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from orchestrator.adapters.database.metering import forget_meters, forget_meters_of
from orchestrator.adapters.database.repository import Repository
from orchestrator.adapters.database.tables import (
    ClosedMonthRow,
    DeclarationRow,
    IncidentRow,
    PlanRow,
    RunRow,
    ServicePeriodRow,
    StepRow,
)
from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.runs.run import RunState, StepState
from orchestrator.domain.selling.catalog import Verb
from orchestrator.domain.service_levels.closed_month import ClosedMonth, Statement
from orchestrator.domain.service_levels.declaration import KINDS, Declaration
from orchestrator.domain.service_levels.incidents import Incident
from orchestrator.domain.service_levels.month_record import MonthRecord, Onboarding
from orchestrator.domain.service_levels.record import Maintenance
from orchestrator.ports.service_levels import ServicePeriod


class ServicePeriodRepository(Repository):
    def begin(self, agency: str, component: str, *, at: datetime) -> None:
        if self._session.exec(self._open(agency, component)).first() is None:
            self._session.add(ServicePeriodRow(agency=agency, component=component, began_at=at))
            self._session.flush()

    def end(self, agency: str, component: str, *, at: datetime) -> None:
        for row in self._session.exec(self._open(agency, component)):
            row.ended_at = at
        self._session.flush()
        forget_meters(self._session, [(agency, component)])

    def within(self, start: datetime, end: datetime, *, agency: str | None = None) -> list[ServicePeriod]:
        ended_at = col(ServicePeriodRow.ended_at)
        columns = (col(ServicePeriodRow.agency), col(ServicePeriodRow.component), col(ServicePeriodRow.began_at))
        query = sa.select(*columns, ended_at).order_by(*columns)
        query = query.where(col(ServicePeriodRow.began_at) < end, sa.or_(ended_at.is_(None), ended_at > start))
        if agency is not None:
            query = query.where(col(ServicePeriodRow.agency) == agency)
        return [ServicePeriod._make(row) for row in self._session.execute(query)]

    def _open(self, agency: str, component: str) -> Any:
        mine = (col(ServicePeriodRow.agency) == agency, col(ServicePeriodRow.component) == component)
        return select(ServicePeriodRow).where(*mine, col(ServicePeriodRow.ended_at).is_(None))


class DeclarationRepository(Repository):
    def add(self, declaration: Declaration) -> Declaration:
        row = self._row(declaration)
        row.id = None
        self._session.add(row)
        self._session.flush()
        forget_meters_of(self._session, declaration.agency)
        return _declaration(row)

    def put(self, declaration: Declaration) -> None:
        self._session.merge(self._row(declaration))
        self._session.flush()
        forget_meters_of(self._session, declaration.agency)

    def get(self, declaration: int) -> Declaration | None:
        row = self._session.get(DeclarationRow, declaration)
        return _declaration(row) if row else None

    def within(self, start: datetime, end: datetime, *, agency: str | None = None) -> list[Declaration]:
        starts_at, ends_at = col(DeclarationRow.starts_at), col(DeclarationRow.ends_at)
        query = (
            select(DeclarationRow).where(starts_at < end, ends_at > start).order_by(starts_at, col(DeclarationRow.id))
        )
        if agency is not None:
            query = query.where(DeclarationRow.agency == agency)
        return [_declaration(row) for row in self._session.exec(query)]

    def newest(self, *, agency: str | None = None, limit: int = 50) -> list[Declaration]:
        query = select(DeclarationRow).order_by(col(DeclarationRow.id).desc()).limit(limit)
        if agency is not None:
            query = query.where(DeclarationRow.agency == agency)
        return [_declaration(row) for row in self._session.exec(query)]

    def of(self, agencies: Collection[str]) -> list[Declaration]:
        query = select(DeclarationRow).where(col(DeclarationRow.agency).in_(agencies))
        return [_declaration(row) for row in self._session.exec(query.order_by(col(DeclarationRow.id)))]

    def changes(self, after: int) -> list[tuple[int, str]]:
        change = col(DeclarationRow.change)
        rows = self._session.execute(sa.select(change, col(DeclarationRow.agency)).where(change > after))
        return [(int(row[0]), str(row[1])) for row in rows]

    def last_change(self) -> int:
        return self._session.exec(select(sa.func.max(DeclarationRow.change))).one() or 0

    def _row(self, declaration: Declaration) -> DeclarationRow:
        what = declaration.what
        return DeclarationRow(
            **declaration.model_dump(include={"id", "agency", "component", "why"}),
            kind=declaration.kind,
            starts_at=what.start,
            ends_at=what.over_at if isinstance(what, Maintenance) else what.end,
            what=what.model_dump(mode="json"),
            change=self.last_change() + 1,
        )


def _declaration(row: DeclarationRow) -> Declaration:
    assert row.id is not None
    what = KINDS[row.kind].model_validate(row.what)
    return Declaration(id=row.id, agency=row.agency, component=row.component, why=row.why, what=what)


class IncidentRepository(Repository):
    def put(self, agency: str, number: str, incident: Incident) -> None:
        row = IncidentRow(
            agency=agency,
            number=number,
            reported_at=incident.reported_at,
            fixed_at=incident.fixed_at,
            what=incident.model_dump(mode="json"),
        )
        self._session.merge(row)
        self._session.flush()

    def within(self, agency: str, start: datetime, end: datetime) -> dict[str, Incident]:
        reported_at, fixed_at = col(IncidentRow.reported_at), col(IncidentRow.fixed_at)
        query = select(IncidentRow).where(IncidentRow.agency == agency, reported_at < end)
        query = query.where(sa.or_(fixed_at.is_(None), fixed_at >= start))
        rows = self._session.exec(query.order_by(col(IncidentRow.reported_at), col(IncidentRow.number)))
        return {row.number: Incident.model_validate(row.what) for row in rows}


class MonthRepository(Repository):
    def get(self, agency: str, month: CalendarMonth) -> ClosedMonth | None:
        versions = self._versions(col(ClosedMonthRow.agency) == agency, col(ClosedMonthRow.month) == str(month))
        return versions[0] if versions else None

    def add_version(self, month: ClosedMonth, record: MonthRecord) -> None:
        self._session.add(
            ClosedMonthRow(
                agency=month.agency,
                month=str(month.month),
                version=month.current.version,
                statement=month.current.model_dump(mode="json"),
                record=record.model_dump(mode="json"),
            )
        )
        self._session.flush()

    def record(self, agency: str, month: CalendarMonth) -> MonthRecord:
        mine = (col(ClosedMonthRow.agency) == agency, col(ClosedMonthRow.month) == str(month))
        query = select(ClosedMonthRow.record).where(*mine).order_by(col(ClosedMonthRow.version).desc()).limit(1)
        return MonthRecord.model_validate(self._session.exec(query).one())

    def of(self, agency: str) -> list[ClosedMonth]:
        return self._versions(col(ClosedMonthRow.agency) == agency)

    def _versions(self, *conditions: Any) -> list[ClosedMonth]:
        columns = (col(ClosedMonthRow.agency), col(ClosedMonthRow.month), col(ClosedMonthRow.version))
        query = sa.select(*columns, col(ClosedMonthRow.statement)).where(*conditions).order_by(*columns)
        found: dict[tuple[str, str], list[Statement]] = {}
        for agency, month, _, statement in self._session.execute(query):
            found.setdefault((str(agency), str(month)), []).append(Statement.model_validate(statement))
        return [
            ClosedMonth(agency=agency, month=CalendarMonth.named(month), versions=tuple(versions))
            for (agency, month), versions in found.items()
        ]


class ServiceFactRepository(Repository):
    def onboardings(self, agency: str, start: datetime, end: datetime) -> list[Onboarding]:
        query = (
            sa.select(col(PlanRow.created_at), col(RunRow.finished_at))
            .join_from(RunRow, PlanRow, col(PlanRow.id) == col(RunRow.plan))
            .where(col(RunRow.agency) == agency, col(RunRow.purpose) == Purpose.ONBOARD)
            .where(col(RunRow.state) == RunState.SUCCEEDED, *_between(RunRow.finished_at, start, end))
            .order_by(col(RunRow.finished_at))
        )
        return [Onboarding(ordered_at=row[0], in_service_at=row[1]) for row in self._session.execute(query)]

    def backups(self, agency: str, start: datetime, end: datetime) -> tuple[int, int]:
        """Goes from the agency's runs to their steps. The outer join enforces this: SQLite would scan everybody's
        backups."""
        backup = sa.and_(col(StepRow.run) == col(RunRow.id), col(StepRow.verb) == Verb.BACKUP)
        joined = sa.outerjoin(
            RunRow,
            StepRow,
            sa.and_(backup, *_between(StepRow.finished_at, start, end)),
        )
        query = sa.select(col(StepRow.state), sa.func.count()).select_from(joined)
        query = query.where(col(RunRow.agency) == agency, col(RunRow.purpose) == Purpose.BACKUP)
        counts = {row[0]: int(row[1]) for row in self._session.execute(query.group_by(col(StepRow.state))) if row[0]}
        succeeded = counts.pop(StepState.SUCCEEDED, 0)
        return succeeded, sum(counts.values())


def _between(column: Any, start: datetime, end: datetime) -> tuple[Any, Any]:
    return col(column) >= start, col(column) < end
