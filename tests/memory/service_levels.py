"""Periods of service, declarations, meters, incidents, closed months and facts, in memory."""

from collections.abc import Collection, Iterable
from datetime import datetime

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.runs.run import RunState, StepState
from orchestrator.domain.selling.catalog import Verb
from orchestrator.domain.service_levels.closed_month import ClosedMonth, Statement
from orchestrator.domain.service_levels.declaration import Declaration
from orchestrator.domain.service_levels.incidents import Incident
from orchestrator.domain.service_levels.month_record import MonthRecord, Onboarding
from orchestrator.domain.service_levels.record import Maintenance
from orchestrator.ports.service_levels import KeptMeter, ServicePeriod
from tests.memory.records import Repository, add_new


class ServicePeriods(Repository):
    def begin(self, agency: str, component: str, *, at: datetime) -> None:
        self.records.require_agency(agency)
        if not self._open(agency, component):
            add_new(self.records.periods, (agency, component, at), None)

    def end(self, agency: str, component: str, *, at: datetime) -> None:
        for key in self._open(agency, component):
            self.records.periods[key] = at
        self.records.forget_meters(agency, component)

    def within(self, start: datetime, end: datetime, *, agency: str | None = None) -> list[ServicePeriod]:
        periods = (ServicePeriod(*key, ended_at) for key, ended_at in sorted(self.records.periods.items()))
        mine = (period for period in periods if agency in (None, period.agency))
        return [p for p in mine if p.began_at < end and (p.ended_at is None or p.ended_at > start)]

    def _open(self, agency: str, component: str) -> list[tuple[str, str, datetime]]:
        rows = self.records.periods.items()
        return [key for key, ended_at in rows if key[:2] == (agency, component) and ended_at is None]


class Declarations(Repository):
    def add(self, declaration: Declaration) -> Declaration:
        added = declaration.model_copy(update={"id": self.records.number("declaration")})
        self.put(added)
        return added

    def put(self, declaration: Declaration) -> None:
        self.records.require_agency(declaration.agency)
        self.records.declarations[declaration.id] = declaration, self.last_change() + 1
        self.records.forget_meters(declaration.agency)

    def get(self, declaration: int) -> Declaration | None:
        return next((one for one in self._all() if one.id == declaration), None)

    def within(self, start: datetime, end: datetime, *, agency: str | None = None) -> list[Declaration]:
        mine = (one for one in self._all() if agency in (None, one.agency))
        there = (one for one in mine if one.what.start < end and _over_at(one) > start)
        return sorted(there, key=lambda one: (one.what.start, one.id))

    def newest(self, *, agency: str | None = None, limit: int = 50) -> list[Declaration]:
        return [one for one in reversed(self._all()) if agency in (None, one.agency)][:limit]

    def of(self, agencies: Collection[str]) -> list[Declaration]:
        return [one for one in self._all() if one.agency in agencies]

    def changes(self, after: int) -> list[tuple[int, str]]:
        rows = self.records.declarations.values()
        return sorted((change, one.agency) for one, change in rows if change > after)

    def last_change(self) -> int:
        return max((change for _, change in self.records.declarations.values()), default=0)

    def _all(self) -> list[Declaration]:
        return [row for _, (row, _) in sorted(self.records.declarations.items())]


def _over_at(declaration: Declaration) -> datetime:
    what = declaration.what
    return what.over_at if isinstance(what, Maintenance) else what.end


class Meters(Repository):
    def all(self) -> list[KeptMeter]:
        return list(self.records.meters.values())

    def put(self, meters: Iterable[KeptMeter]) -> None:
        self.records.meters.update({(kept.agency, kept.component): kept for kept in meters})


class Incidents(Repository):
    def put(self, agency: str, number: str, incident: Incident) -> None:
        self.records.require_agency(agency)
        self.records.incidents[agency, number] = incident

    def within(self, agency: str, start: datetime, end: datetime) -> dict[str, Incident]:
        mine = ((number, one) for (whose, number), one in self.records.incidents.items() if whose == agency)
        rows = sorted(mine, key=lambda row: (row[1].reported_at, row[0]))
        return {n: one for n, one in rows if one.reported_at < end and (not one.fixed_at or one.fixed_at >= start)}


class Months(Repository):
    def get(self, agency: str, month: CalendarMonth) -> ClosedMonth | None:
        return next((closed for closed in self.of(agency) if closed.month == month), None)

    def add_version(self, month: ClosedMonth, record: MonthRecord) -> None:
        self.records.require_agency(month.agency)
        key = month.agency, str(month.month), month.current.version
        add_new(self.records.months, key, (month.current, record))

    def record(self, agency: str, month: CalendarMonth) -> MonthRecord:
        mine = {key[2]: record for key, (_, record) in self.records.months.items() if key[:2] == (agency, str(month))}
        return mine[max(mine)]

    def of(self, agency: str) -> list[ClosedMonth]:
        found: dict[str, list[Statement]] = {}
        for (whose, month, _), (statement, _) in sorted(self.records.months.items(), key=lambda row: row[0]):
            if whose == agency:
                found.setdefault(month, []).append(statement)
        return [
            ClosedMonth(agency=agency, month=CalendarMonth.named(month), versions=tuple(versions))
            for month, versions in found.items()
        ]


class ServiceFacts(Repository):
    def onboardings(self, agency: str, start: datetime, end: datetime) -> list[Onboarding]:
        found = [
            Onboarding(ordered_at=self.records.plans[run.plan].created_at, in_service_at=run.finished_at)
            for run in self.records.runs.values()
            if (run.agency, run.purpose, run.state) == (agency, Purpose.ONBOARD, RunState.SUCCEEDED)
            and run.finished_at
            and start <= run.finished_at < end
        ]
        return sorted(found, key=lambda one: one.in_service_at)

    def backups(self, agency: str, start: datetime, end: datetime) -> tuple[int, int]:
        ends = [
            step.state is StepState.SUCCEEDED
            for run in self.records.runs.values()
            if (run.agency, run.purpose) == (agency, Purpose.BACKUP)
            for step in self.records.steps[run.id]
            if step.verb is Verb.BACKUP and step.finished_at and start <= step.finished_at < end
        ]
        return ends.count(True), ends.count(False)
