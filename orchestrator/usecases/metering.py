"""Metering: the figures of service levels for dashboards and alerts, of every service there is.

A scrape reads no history: what has changed since the last one is worked out anew, and everything else goes on as it
was, second by second of its own service hours.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from orchestrator.domain.calendar_month import CalendarMonth
from orchestrator.domain.declaration import Declaration, service_record
from orchestrator.domain.service_clock import ServiceClock
from orchestrator.domain.service_hours import ServiceHours, service_spans
from orchestrator.domain.service_meter import Meter, read_meter, turned
from orchestrator.domain.service_record import Timeline, Transition
from orchestrator.domain.service_terms import Indicator, ServiceTerms
from orchestrator.domain.spans import EPOCH, Span, between, second_of
from orchestrator.usecases.ports import CatalogSource, Transaction
from orchestrator.usecases.probing_ports import NumberedChange
from orchestrator.usecases.recovery_ports import Labelled
from orchestrator.usecases.service_level_ports import ServiceLevelFigures

AHEAD = timedelta(days=62)
"""How far a clock goes on before it has to be made anew."""

YEAR, MONTHS_A_YEAR = timedelta(days=365), 12
LONGEST_MONTH = timedelta(days=32)
INSTANT = timedelta(seconds=1)

Service = tuple[str, str]
"""Agency and component."""


class Wound(NamedTuple):
    """A clock, and the stretch it covers."""

    clock: ServiceClock
    covers: Span


class Contract(NamedTuple):
    """What one service is measured by, and since when."""

    service: Service
    began_at: datetime
    terms: ServiceTerms
    hours: ServiceHours
    probes: frozenset[str]


class Known(NamedTuple):
    """A meter, and what it was read by."""

    contract: Contract
    month: CalendarMonth
    meter: Meter


@dataclass
class Metering:
    """Remembers every service's meter, and the number of the last transition it has seen."""

    source: CatalogSource
    is_bank_holiday: Callable[[date], bool]
    _clocks: dict[ServiceHours, Wound] = field(default_factory=dict)
    _known: dict[Service, Known] = field(default_factory=dict)
    _declared: dict[str, list[Declaration]] = field(default_factory=dict)
    _read_until: datetime = EPOCH
    _heard: set[Service] = field(default_factory=set)
    _seen: int = 0
    _reading: threading.Lock = field(default_factory=threading.Lock)

    def figures(self, tx: Transaction) -> ServiceLevelFigures:
        """As far as services were probed; beyond that nobody knows, and nothing counts."""
        read_until = tx.prober.read_until()
        if read_until is None:
            return ServiceLevelFigures()
        with self._reading:
            contracts = list(self._contracts(tx, read_until))
            records = self._forget_changed(tx, contracts, read_until)
            contracts = [one for one in contracts if one.probes or one.service in self._heard]
            read = [(one, self._meter(records, one, read_until)) for one in contracts]
        year = (between(read_until - YEAR, read_until),)
        months = {hours: wound.clock.seconds(year) / MONTHS_A_YEAR for hours, wound in self._clocks.items()}
        return ServiceLevelFigures(
            eligible_seconds=tuple((*one.service, float(meter.life.eligible)) for one, meter in read),
            bad_seconds=tuple((*one.service, float(meter.life.bad)) for one, meter in read),
            availability=tuple(
                (*one.service, ratio) for one, meter in read if (ratio := meter.month.ratio) is not None
            ),
            target=tuple(_targets(contracts)),
            coverage=tuple((*one.service, meter.month.coverage) for one, meter in read),
            eligible_period=tuple((*one.service, months[one.hours]) for one in contracts),
        )

    # Inside

    def _contracts(self, tx: Transaction, read_until: datetime) -> Iterator[Contract]:
        """Of services that are being measured."""
        agreements, components = self.source.agreements(), self.source.catalog().components
        terms = {a: agreements[f].service_levels for a, _, f, _ in tx.figures.agencies() if f in agreements}
        probes = {name: component.probe_ids for name, component in components.items()}
        tiers = {(a, c): components[c].tiers.get(t) for a, c, t, _ in tx.figures.services() if c in components}
        for period in tx.service_periods.within(read_until, read_until + INSTANT):
            service = (period.agency, period.component)
            if (tier := tiers.get(service)) and (agreed := terms.get(period.agency)):
                contract = Contract(
                    service, period.began_at, agreed, tier.hours or agreed.hours, probes[period.component]
                )
                self._wind(contract.hours, contract.began_at, read_until)
                yield contract

    def _wind(self, hours: ServiceHours, began_at: datetime, now: datetime) -> None:
        """Have a clock that covers the service's life up to now."""
        wound = self._clocks.get(hours)
        needed = between(min(began_at, now - YEAR), now)
        if wound and wound.covers.start <= needed.start and needed.end < wound.covers.end:
            return
        covers = Span(min(needed.start, wound.covers.start) if wound else needed.start, second_of(now + AHEAD))
        clock = ServiceClock(service_spans(hours, within=covers, is_bank_holiday=self.is_bank_holiday))
        self._clocks[hours] = Wound(clock, covers)

    def _forget_changed(self, tx: Transaction, contracts: list[Contract], read_until: datetime) -> "_Records":
        """Forget meters that something has happened to, or that were read by another contract. Return what those are to
        be read anew from."""
        changed: set[str | Service] = self._declared_anew(tx, read_until)
        records = _Records(tx, {} if self._seen == 0 else None)
        while changes := tx.transitions.changes(self._seen):
            told = {(change.key.agency, change.key.component) for change in changes}
            changed |= told
            self._heard |= told
            records.keep(changes)
            self._seen = changes[-1].id
        self._known = {
            contract.service: known
            for contract in contracts
            if (known := self._known.get(contract.service))
            and known.contract == contract
            and not changed & {contract.service, contract.service[0]}
        }
        return records

    def _declared_anew(self, tx: Transaction, read_until: datetime) -> set[str | Service]:
        """Agencies of which something is declared that was not before, or is not over."""
        recent: dict[str, list[Declaration]] = defaultdict(list)
        for declaration in tx.declarations.within(read_until - LONGEST_MONTH, read_until + INSTANT):
            recent[declaration.agency].append(declaration)
        anew: set[str | Service] = {
            a for a in recent.keys() | self._declared.keys() if recent.get(a) != self._declared.get(a)
        }
        before, self._read_until, self._declared = self._read_until, read_until, dict(recent)
        return anew | {d.agency for of_one in recent.values() for d in of_one if d.what.end >= before}

    def _meter(self, records: "_Records", contract: Contract, read_until: datetime) -> Meter:
        clock, month, second = self._clocks[contract.hours].clock, _month(contract, read_until), second_of(read_until)
        if known := self._known.get(contract.service):
            meter, begins_at = known.meter, month.span(contract.terms.hours.zone).start
            if known.month != month:
                meter = turned(meter, begins_at, clock)
            meter = meter.at(max(second, meter.until), clock)
        else:
            meter = records.meter(contract, clock, month, read_until)
        self._known[contract.service] = Known(contract, month, meter)
        return meter


@dataclass
class _Records:
    """What meters are read from that are not known. `history` has all transitions there are, if the process has just
    read them; None when each service's are to be looked up."""

    tx: Transaction
    history: dict[Service, dict[str, list[Transition]]] | None
    _declared: dict[str, list[Declaration]] = field(default_factory=dict)

    def keep(self, changes: Iterable[NumberedChange]) -> None:
        if self.history is not None:
            for _, key, change in changes:
                parts = self.history.setdefault((key.agency, key.component), {})
                parts.setdefault(key.probe, []).append(Transition(at=change.at, state=change.state))

    def meter(self, contract: Contract, clock: ServiceClock, month: CalendarMonth, read_until: datetime) -> Meter:
        """By all of the service's history."""
        agency, component = contract.service
        if agency not in self._declared:
            self._declared[agency] = self.tx.declarations.within(EPOCH, read_until, agency=agency)
        life = between(contract.began_at, read_until)
        return read_meter(
            clock,
            contract.terms.availability(contract.hours),
            service_record(
                component, self._parts(contract, read_until), self._declared[agency], probes=contract.probes
            ),
            life=life,
            month=Span(max(month.span(contract.terms.hours.zone).start, life.start), life.end),
        )

    def _parts(self, contract: Contract, read_until: datetime) -> Mapping[str, Timeline]:
        if self.history is None:
            return self.tx.transitions.between(*contract.service, contract.began_at, read_until)
        return {probe: tuple(part) for probe, part in self.history.get(contract.service, {}).items()}


def _month(contract: Contract, at: datetime) -> CalendarMonth:
    return CalendarMonth.of(at.astimezone(contract.terms.hours.zone).date())


def _targets(contracts: list[Contract]) -> Iterator[Labelled]:
    for contract in contracts:
        if promise := contract.terms.promise(Indicator.AVAILABILITY.value):
            yield (*contract.service, float(promise.target) / 100)
