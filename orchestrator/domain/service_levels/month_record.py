"""All records of an agency's month, and the measures that follow from them."""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Annotated, NamedTuple

from pydantic import Field

from orchestrator.domain.calendars.local_time import instant_of
from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.calendars.spans import Instant, Span, Spans, between, second_of
from orchestrator.domain.calendars.working_days import working_days_after
from orchestrator.domain.identifiers import AgencyId, Identifier
from orchestrator.domain.service_levels.availability import Availability, availability
from orchestrator.domain.service_levels.figures import Achieved, Measure
from orchestrator.domain.service_levels.hours import ServiceHours, service_spans
from orchestrator.domain.service_levels.incidents import (
    Incident,
    IncidentClock,
    IncidentTerms,
    Outcome,
    fix_clock,
    response_clock,
)
from orchestrator.domain.service_levels.record import ServiceRecord
from orchestrator.domain.service_levels.terms import Indicator, ServiceTerms, in_time, measure_of, share
from orchestrator.domain.value import Value

IsBankHoliday = Callable[[date], bool]
Count = Annotated[int, Field(ge=0)]


class ServedComponent(Value):
    """A service in the month, for as long as the agency had it without interruption."""

    component: Identifier
    hours: ServiceHours | None
    """The hours of its tier; None for the agreement's."""
    start: Instant
    end: Instant
    record: ServiceRecord

    @property
    def span(self) -> Span:
        return between(self.start, self.end)


class Day(NamedTuple):
    """A service's figure for one day."""

    day: date
    figure: Availability


class Onboarding(Value):
    """An order that came into service in the month."""

    ordered_at: Instant
    in_service_at: Instant

    def in_time(self, terms: ServiceTerms, *, is_bank_holiday: IsBankHoliday) -> bool:
        """Whether it took at most the promised number of working days, in the agreement's time zone."""
        ordered, served = (at.astimezone(terms.hours.zone).date() for at in (self.ordered_at, self.in_service_at))
        return served <= working_days_after(ordered, terms.onboarding_days, is_holiday=is_bank_holiday)


class DrillDue(Value):
    """A drill that was due in the month. Missing figures are None; if nothing came back, the drill says so, and its
    objective was missed."""

    drill: int
    component: Identifier
    due_at: Instant
    passed: bool
    rto_seconds: float | None
    rto_objective_seconds: float
    rpo_seconds: float | None
    rpo_objective_seconds: float
    never_recovered: bool = Field(default=False, exclude_if=operator.not_)
    all_lost: bool = Field(default=False, exclude_if=operator.not_)

    @property
    def recovered_in_time(self) -> bool | None:
        """Whether it kept the recovery time; None if unknown."""
        return _within(self.rto_seconds, self.rto_objective_seconds, never=self.never_recovered)

    @property
    def lost_little(self) -> bool | None:
        return _within(self.rpo_seconds, self.rpo_objective_seconds, never=self.all_lost)


def _within(measured: float | None, objective: float, *, never: bool) -> bool | None:
    if measured is None:
        return False if never else None
    return measured <= objective


class DeskTerms(Value):
    """The terms by which incidents are judged."""

    targets: IncidentTerms
    hours: ServiceHours


class MonthRecord(Value):
    """`until` is the end of the month, or now during it. `incidents` are by their numbers at the service desk, whenever
    they were reported; `desk_hours` are those of the desk's tier. `earlier` has the terms with which other months were
    closed, by name, for months in which incidents were reported."""

    agency: AgencyId
    month: CalendarMonth
    terms: ServiceTerms
    """The terms in force when the month was first closed."""
    until: Instant
    services: tuple[ServedComponent, ...] = ()
    incidents: Mapping[str, Incident] = {}
    desk_hours: ServiceHours | None = None
    earlier: Mapping[str, DeskTerms] = Field(default={}, exclude_if=lambda earlier: not earlier)
    onboardings: tuple[Onboarding, ...] = ()
    backups: Count = 0
    backups_failed: Count = 0
    no_backup_ended: bool = Field(default=False, exclude_if=operator.not_)
    """True if no backup ended although some were due."""
    drills: tuple[DrillDue, ...] = ()

    def agreed_as_in(self, before: "MonthRecord") -> "MonthRecord":
        """The same month as known later, with the hours and objectives with which it was closed, whatever the tier now;
        and with no fewer backups, because records of single ones are not kept for ever."""
        hours = {served.component: served.hours for served in before.services}
        promised = {
            drill.drill: drill.model_dump(include={"rto_objective_seconds", "rpo_objective_seconds"})
            for drill in before.drills
        }
        fewer = self.backups + self.backups_failed < before.backups + before.backups_failed
        known = before if fewer else self
        return self.model_copy(
            update={
                "services": tuple(
                    s.model_copy(update={"hours": hours.get(s.component, s.hours)}) for s in self.services
                ),
                "drills": tuple(d.model_copy(update=promised.get(d.drill, {})) for d in self.drills),
                "desk_hours": before.desk_hours,
                "earlier": {**self.earlier, **before.earlier},
                "backups": known.backups,
                "backups_failed": known.backups_failed,
                "no_backup_ended": self.no_backup_ended and not fewer,
            }
        )

    @property
    def desk_terms(self) -> DeskTerms:
        """The terms for incidents reported in this month."""
        return DeskTerms(targets=self.terms.incidents, hours=self.desk_hours or self.terms.hours)

    def month_of(self, incident: Incident) -> CalendarMonth:
        """The month in which it was reported, in the agreement's time zone."""
        return CalendarMonth.of(incident.reported_at.astimezone(self.terms.hours.zone).date())

    @property
    def within(self) -> Span:
        """The month so far."""
        whole = self.month.span(self.terms.hours.zone)
        return Span(whole.start, min(whole.end, second_of(self.until)))


def availabilities(record: MonthRecord, *, is_bank_holiday: IsBankHoliday) -> dict[str, Availability]:
    """Component -> its availability."""
    found: dict[str, Availability] = {}
    for served in record.services:
        terms = record.terms.availability(served.hours)
        figure = availability(terms, served.record, within=served.span, is_bank_holiday=is_bank_holiday)
        found[served.component] = found[served.component].plus(figure) if served.component in found else figure
    return found


def days(record: MonthRecord, served: ServedComponent, *, is_bank_holiday: IsBankHoliday) -> Iterator[Day]:
    """A component's figure for every day of the month on which the agency had it, in the agreement's time zone."""
    zone, terms = record.terms.hours.zone, record.terms.availability(served.hours)
    day = served.start.astimezone(zone).date()
    while (begins_at := instant_of(datetime.combine(day, time()), zone)) < served.end:
        after = day + timedelta(days=1)
        within = between(
            max(begins_at, served.start), min(instant_of(datetime.combine(after, time()), zone), served.end)
        )
        yield Day(day, availability(terms, served.record, within=within, is_bank_holiday=is_bank_holiday))
        day = after


def achieved(
    record: MonthRecord, available: Mapping[str, Availability], *, is_bank_holiday: IsBankHoliday
) -> dict[Measure, Achieved]:
    """Every measure in the records, including `availabilities`."""
    found = {
        measure_of(Indicator.AVAILABILITY, component): Achieved(percent=figure.percent, provisional=figure.provisional)
        for component, figure in available.items()
    }
    found |= _incidents(record, is_bank_holiday=is_bank_holiday)
    found[Indicator.LEAD_TIME.value] = _kept(
        onboarding.in_time(record.terms, is_bank_holiday=is_bank_holiday) for onboarding in record.onboardings
    )
    ended = record.backups + record.backups_failed
    found[Indicator.BACKUPS.value] = Achieved(percent=share(record.backups, ended or int(record.no_backup_ended)))
    return found | _drills(record.drills)


def _drills(drills: Iterable[DrillDue]) -> dict[Measure, Achieved]:
    due = tuple(drills)
    return {
        Indicator.DRILLS.value: _kept(drill.passed for drill in due),
        Indicator.RECOVERY_TIME.value: _kept(kept for drill in due if (kept := drill.recovered_in_time) is not None),
        Indicator.RECOVERY_POINT.value: _kept(kept for drill in due if (kept := drill.lost_little) is not None),
    }


def _kept(outcomes: Iterable[bool]) -> Achieved:
    found = list(outcomes)
    return Achieved(percent=share(sum(found), len(found)))


def _incidents(record: MonthRecord, *, is_bank_holiday: IsBankHoliday) -> dict[Measure, Achieved]:
    """Each incident counts once, in the month in which its clock was decided."""
    indicators = (Indicator.INCIDENT_RESPONSE, Indicator.INCIDENT_FIX)
    counts: dict[Measure, list[bool]] = {
        measure_of(indicator, priority): [] for indicator in indicators for priority in record.terms.incidents
    }
    within = record.within
    for _, incident, response, fix in incident_clocks(record, is_bank_holiday=is_bank_holiday):
        for indicator, clock in zip(indicators, (response, fix), strict=True):
            if clock.decided_at and within.start <= second_of(clock.decided_at) < within.end:
                late = counts.setdefault(measure_of(indicator, incident.priority), [])
                late.append(clock.outcome is Outcome.LATE)
    return {
        measure: in_time(record.terms.few_incidents, incidents=len(late), late=sum(late))
        for measure, late in counts.items()
    }


class IncidentClocks(NamedTuple):
    """An incident, by its number at the desk, and its clocks as of `until`."""

    number: str
    incident: Incident
    response: IncidentClock
    fix: IncidentClock


def incident_clocks(record: MonthRecord, *, is_bank_holiday: IsBankHoliday) -> Iterator[IncidentClocks]:
    """The clocks of every incident with a promised priority, by the terms of the month in which it was reported: a new
    agreement in between moves no incident to another month."""
    first = min((incident.reported_at for incident in record.incidents.values()), default=record.until)
    since, opened = between(first, record.until), dict[ServiceHours, Spans]()
    for number, incident in record.incidents.items():
        terms = record.earlier.get(str(record.month_of(incident)), record.desk_terms)
        if terms.hours not in opened:
            opened[terms.hours] = service_spans(terms.hours, within=since, is_bank_holiday=is_bank_holiday)
        if incident.priority in terms.targets:
            response, fix = (
                read(incident, terms.targets, service=opened[terms.hours], now=record.until)
                for read in (response_clock, fix_clock)
            )
            yield IncidentClocks(number, incident, response, fix)
