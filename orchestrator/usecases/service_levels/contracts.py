"""Contracts: what every service is measured by, according to the present catalogue and records."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.calendars.spans import Span, between, second_of
from orchestrator.domain.service_levels.clock import ServiceClock
from orchestrator.domain.service_levels.hours import ServiceHours, service_spans
from orchestrator.domain.service_levels.terms import Indicator, ServiceTerms
from orchestrator.domain.value import digest_of
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.store import Transaction

CLOCK_AHEAD = timedelta(days=62)
"""How far ahead a clock reaches before it has to be built again."""

YEAR, MONTHS_A_YEAR = timedelta(days=365), 12

ServiceKey = tuple[str, str]
"""Agency and component."""


class Wound(NamedTuple):
    """A clock, and the span that it covers."""

    clock: ServiceClock
    covers: Span


@dataclass(frozen=True)
class ServiceMeasure:
    """What services of one component and tier, of agencies under one agreement, are measured by at present."""

    terms: ServiceTerms
    hours: ServiceHours
    probes: frozenset[str]
    clock: ServiceClock
    digest: str
    month: int
    """The second at which the current month began."""
    target: float | None
    period: float
    """Service time of an average month."""


class Contract(NamedTuple):
    """What one service is measured by, and since which second."""

    service: ServiceKey
    began: int
    by: ServiceMeasure


@dataclass
class Contracts:
    """`holidays` names the edition of the calendar of bank holidays."""

    source: CatalogSource
    is_bank_holiday: Callable[[date], bool]
    holidays: str
    _clocks: dict[ServiceHours, Wound] = field(default_factory=dict)

    def of_all(self, tx: Transaction, read_until: datetime) -> Iterator[Contract]:
        """The contracts of services that are being measured."""
        served = tx.figures.served(read_until)
        earliest = min((began_at for *_, began_at in served), default=read_until)
        measures: dict[tuple[str, str, str], ServiceMeasure | None] = {}
        for agency, component, framework, tier, began_at in served:
            which = framework, component, tier
            if which not in measures:
                measures[which] = self._measure(*which, earliest=earliest, read_until=read_until)
            if measure := measures[which]:
                yield Contract((agency, component), second_of(began_at), measure)

    # Inside

    def _measure(
        self, framework: str, component: str, tier: str, *, earliest: datetime, read_until: datetime
    ) -> ServiceMeasure | None:
        """None if nothing says how to measure the service."""
        agreement, sold = self.source.agreements().get(framework), self.source.catalog().components.get(component)
        if agreement is None or sold is None or tier not in sold.tiers:
            return None
        terms, probes = agreement.service_levels, frozenset(sold.probe_ids)
        hours = sold.tiers[tier].hours or terms.hours
        clock = self._wind(hours, earliest, read_until)
        promise = terms.promise(Indicator.AVAILABILITY.value)
        month = CalendarMonth.of(read_until.astimezone(terms.hours.zone).date())
        read_by = {
            "terms": terms.availability(hours).model_dump(mode="json"),
            "months": terms.hours.time_zone,
            "probes": sorted(probes),
            "holidays": self.holidays,
        }
        return ServiceMeasure(
            terms=terms,
            hours=hours,
            probes=probes,
            clock=clock,
            digest=digest_of(read_by),
            month=month.span(terms.hours.zone).start,
            target=float(promise.target) / 100 if promise else None,
            period=clock.seconds((between(read_until - YEAR, read_until),)) / MONTHS_A_YEAR,
        )

    def _wind(self, hours: ServiceHours, began_at: datetime, now: datetime) -> ServiceClock:
        """A clock that covers the lives of services up to now."""
        wound = self._clocks.get(hours)
        needed = between(min(began_at, now - YEAR), now)
        if wound and wound.covers.start <= needed.start and needed.end < wound.covers.end:
            return wound.clock
        covers = Span(needed.start, second_of(now + CLOCK_AHEAD))
        clock = ServiceClock(service_spans(hours, within=covers, is_bank_holiday=self.is_bank_holiday))
        self._clocks[hours] = Wound(clock, covers)
        return clock
