"""Reporting: the service report of an agency's month, closed or current."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.ordering.agency import AgencyRecord
from orchestrator.domain.ordering.instance import InstanceState
from orchestrator.domain.service_levels.closed_month import ClosedMonth
from orchestrator.domain.service_levels.declaration_kind import DeclarationKind
from orchestrator.domain.service_levels.figures import Figures, MeasureResult
from orchestrator.domain.service_levels.incidents import IncidentClock
from orchestrator.domain.service_levels.month_record import MonthRecord, ServedComponent, days, incident_clocks
from orchestrator.domain.service_levels.openslo import PromisedAvailability
from orchestrator.domain.service_levels.rating import Rating, RatingScale
from orchestrator.domain.service_levels.report import (
    AgreedLine,
    ClockLine,
    DayLine,
    IncidentLine,
    MeasureLine,
    OnboardingLine,
    Report,
    ServiceLine,
    TrendPoint,
)
from orchestrator.domain.service_levels.terms import Indicator, indicator_of
from orchestrator.domain.value import Value
from orchestrator.ports.store import Store
from orchestrator.usecases.finding import find_agency, in_service
from orchestrator.usecases.service_levels.judging import Judging, MonthJudgement

TREND_MONTHS = 12


class AgencyLine(Value):
    """An agency's month in one line. `coverage` is that of its least measured service, `judged` the number of measures
    with anything to judge."""

    agency: str
    month: str
    closed: bool
    lowest_availability: Decimal | None
    coverage: Decimal
    judged: int
    missed: tuple[str, ...]
    points: int
    credit: Decimal


@dataclass(frozen=True)
class Reporting:
    store: Store
    judging: Judging

    def report(self, agency: str, month: CalendarMonth | None = None) -> Report:
        """A closed month as it was last stated, otherwise what is known now. The current month by default."""
        with self.store.read() as tx:
            whose = find_agency(tx, agency)
            month = month or self.judging.this_month(whose)
            closed = [one for one in tx.months.of(agency) if one.month.first <= month.first]
            stated = closed[-1] if closed and closed[-1].month == month else None
            if stated:
                record, figures = tx.months.record(agency, month), stated.current.figures
            else:
                judged = self.judging.judged(tx, whose, self.judging.records(tx, whose, month))
                record, figures = judged.record, judged.figures
        return self._report(whose, record, figures, stated, closed[-TREND_MONTHS:])

    def overview(self, month: CalendarMonth | None = None) -> list[AgencyLine]:
        """Every agency that had anything in service in the month, from what is known now."""
        lines = []
        with self.store.read() as tx:
            for whose in tx.agencies.all():
                this = month or self.judging.this_month(whose)
                if self.judging.served(tx, whose, this):
                    judged = self.judging.judged(tx, whose, self.judging.records(tx, whose, this))
                    lines.append(_line(judged, closed=tx.months.get(whose.id, this) is not None))
        return lines

    def promises(self, agency: str | None = None) -> list[PromisedAvailability]:
        """The availability promised for what agencies have in service, of all agencies or one."""
        catalog, promises = self.judging.source.catalog(), []
        with self.store.read() as tx:
            for whose, recorded in in_service(tx, agency):
                agreement = self.judging.source.agreements()[whose.framework]
                promise = agreement.service_levels.promise(Indicator.AVAILABILITY.value)
                for component, instance in sorted(recorded.items()):
                    if promise and instance.state is InstanceState.IN_SERVICE:
                        sold = catalog.components[component]
                        promised = PromisedAvailability(
                            agency=whose.id,
                            component=component,
                            title=sold.title,
                            target=promise.target,
                            hours=sold.tiers[instance.tier].hours or agreement.service_levels.hours,
                            since=str(agreement.term.start),
                        )
                        promises.append(promised)
        return promises

    # Inside

    def _report(
        self,
        whose: AgencyRecord,
        record: MonthRecord,
        figures: Figures,
        stated: ClosedMonth | None,
        closed: list[ClosedMonth],
    ) -> Report:
        agreement = self.judging.source.agreements()[whose.framework]
        version = stated.current if stated else None
        return Report(
            agency=whose.id,
            name=whose.name,
            framework=agreement.title,
            authority=agreement.authority,
            supplier=agreement.supplier,
            month=str(record.month),
            until=record.until,
            time_zone=record.terms.hours.time_zone,
            version=version.version if version else None,
            closed_at=version.closed_at if version else None,
            why=version.why if version else None,
            provisional=figures.provisional or stated is None,
            charges=figures.charges,
            credit=figures.credit,
            points=figures.points,
            credit_notes=stated.credit_notes if stated else (),
            measures=tuple(_measures(record, figures)),
            services=tuple(self._services(record)),
            incidents=tuple(self._incidents(record)),
            onboardings=tuple(
                OnboardingLine(
                    **one.model_dump(),
                    in_time=one.in_time(record.terms, is_bank_holiday=self.judging.is_bank_holiday),
                )
                for one in record.onboardings
            ),
            drills=record.drills,
            backups=record.backups,
            backups_failed=record.backups_failed,
            agreed=tuple(_agreed(record)),
            trend=(
                *(_point(str(one.month), one.current.figures) for one in closed if one is not stated),
                _point(str(record.month), figures),
            ),
        )

    def _services(self, record: MonthRecord) -> Iterator[ServiceLine]:
        for served in record.services:
            strip = list(days(record, served, is_bank_holiday=self.judging.is_bank_holiday))
            if not strip:
                continue
            figure = strip[0].figure
            for day in strip[1:]:
                figure = figure.plus(day.figure)
            yield ServiceLine(
                component=served.component,
                title=self._title(served),
                eligible=figure.eligible,
                bad=figure.bad,
                unmeasured=figure.unmeasured,
                coverage=figure.coverage,
                percent=figure.percent,
                days=tuple(
                    DayLine(day=day, eligible=one.eligible, bad=one.bad, unmeasured=one.unmeasured)
                    for day, one in strip
                ),
            )

    def _title(self, served: ServedComponent) -> str:
        component = self.judging.source.catalog().components.get(served.component)
        return component.title if component else served.component

    def _incidents(self, record: MonthRecord) -> Iterator[IncidentLine]:
        for number, incident, response, fix in incident_clocks(record, is_bank_holiday=self.judging.is_bank_holiday):
            yield IncidentLine(
                number=number,
                priority=incident.priority,
                reported_at=incident.reported_at,
                response=_clock_line(response),
                fix=_clock_line(fix),
            )


def _clock_line(clock: IncidentClock) -> ClockLine:
    return ClockLine(elapsed=clock.elapsed, outcome=clock.outcome, due_at=clock.due_at)


def _measures(record: MonthRecord, figures: Figures) -> Iterator[MeasureLine]:
    for measure, result in sorted(figures.results.items(), key=lambda found: _order(found[0])):
        promise = record.terms.promise(measure)
        if promise:
            yield MeasureLine(
                measure=measure,
                indicator=indicator_of(measure),
                target=promise.target,
                achieved=result.achieved.percent,
                provisional=result.achieved.provisional,
                forgiven=result.achieved.forgiven,
                rating=_rating(promise.ratings, result),
                **result.model_dump(include={"missed", "missed_before", "points"}),
            )


def _line(judged: MonthJudgement, *, closed: bool) -> AgencyLine:
    figures, available = judged.figures, judged.availability.values()
    return AgencyLine(
        agency=judged.record.agency,
        month=str(judged.record.month),
        closed=closed,
        lowest_availability=min((one.percent for one in available if one.percent is not None), default=None),
        coverage=min((one.coverage for one in available), default=Decimal(1)),
        judged=sum(result.achieved.percent is not None for result in figures.results.values()),
        missed=tuple(sorted(figures.missed, key=_order)),
        points=figures.points,
        credit=figures.credit,
    )


def _order(measure: str) -> tuple[int, str]:
    """Sorts measures in the order of the indicators."""
    return list(Indicator).index(indicator_of(measure)), measure


def _rating(scale: RatingScale, result: MeasureResult) -> Rating:
    """A target missed by count is never good, whatever the percentage."""
    if result.achieved.forgiven:
        return Rating.GOOD
    rating = scale.rating(result.achieved.percent)
    return Rating.APPROACHING_TARGET if result.achieved.failed and rating is Rating.GOOD else rating


def _agreed(record: MonthRecord) -> Iterator[AgreedLine]:
    for served in record.services:
        for work in served.record.maintenance:
            yield AgreedLine(
                component=served.component,
                kind=DeclarationKind.MAINTENANCE,
                starts_at=work.start,
                ends_at=work.over_at,
                objection=work.refuse(record.terms.maintenance_notice),
            )
        for let_pass in served.record.exclusions:
            yield AgreedLine(
                component=served.component,
                kind=DeclarationKind.EXCLUSION,
                starts_at=let_pass.start,
                ends_at=let_pass.end,
                objection=let_pass.refuse(),
            )
        for outage in served.record.outages:
            yield AgreedLine(
                component=served.component,
                kind=DeclarationKind.OUTAGE,
                starts_at=outage.start,
                ends_at=outage.end,
                objection=None,
            )


def _point(month: str, figures: Figures) -> TrendPoint:
    return TrendPoint(month=month, achieved={m: result.achieved.percent for m, result in figures.results.items()})
