"""Metering: the figures of service levels of every service, for dashboards and alerts.

A scrape does not read the whole history. What has changed since the last one is read again; everything else advances,
second by second of its own service hours. A new process starts from the meters that were kept.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from orchestrator.domain.calendars.spans import Span, second_of
from orchestrator.domain.errors import OrchestratorError
from orchestrator.domain.service_levels.declaration import Declaration, service_record
from orchestrator.domain.service_levels.meter import Meter, read_meter, turned
from orchestrator.ports.figures import ServiceLevelFigures
from orchestrator.ports.service_levels import KeptMeter
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.service_levels.contracts import Contract, Contracts, ServiceKey

log = logging.getLogger(__name__)

BITE = 2_500
"""Services that are read again or kept in one batch."""


class Known(NamedTuple):
    """A meter, and the terms it was read by."""

    began: int
    digest: str
    meter: Meter


class Seen(NamedTuple):
    """Numbers of the last transition and of the last change of a declaration."""

    transition: int
    declaration: int


class Changed(NamedTuple):
    """What has happened since the last look: services that changed state, and agencies with new declarations. `seen` is
    how far this look reaches."""

    services: frozenset[ServiceKey]
    agencies: frozenset[str]
    seen: Seen

    def concerns(self, service: ServiceKey) -> bool:
        return service in self.services or service[0] in self.agencies


@dataclass
class Metering:
    """Remembers every service's meter."""

    contracts: Contracts
    _known: dict[ServiceKey, Known] = field(default_factory=dict)
    _probed: set[ServiceKey] = field(default_factory=set)
    _seen: Seen | None = None
    _unkept: set[ServiceKey] = field(default_factory=set)
    _reading: threading.Lock = field(default_factory=threading.Lock)

    def figures(self, tx: Transaction) -> ServiceLevelFigures:
        """The figures up to the last reading. Nothing is known after it, and nothing counts."""
        read_until = tx.prober.read_until()
        if read_until is None:
            return ServiceLevelFigures()
        with self._reading:
            self._forget_changed(tx)
            contracts = [
                one for one in self.contracts.of_all(tx, read_until) if one.by.probes or one.service in self._probed
            ]
            self._read_anew(tx, contracts, second_of(read_until))
            read = [(one, self._meter(one, second_of(read_until))) for one in contracts]
        return ServiceLevelFigures(
            eligible_seconds=tuple((*one.service, float(meter.life.eligible)) for one, meter in read),
            bad_seconds=tuple((*one.service, float(meter.life.bad)) for one, meter in read),
            availability=tuple(
                (*one.service, ratio) for one, meter in read if (ratio := meter.month.ratio) is not None
            ),
            target=tuple((*one.service, one.by.target) for one in contracts if one.by.target is not None),
            coverage=tuple((*one.service, meter.month.coverage) for one, meter in read),
            eligible_period=tuple((*one.service, one.by.period) for one in contracts),
        )

    def keep(self, store: Store) -> None:
        """Store the meters that were read again, for later processes, except those of services that have changed since.
        If the database does not answer, the next call does it."""
        with self._reading:
            while part := sorted(self._unkept)[:BITE]:
                try:
                    with store.begin() as tx:
                        changed = self._changed(tx)
                        tx.meters.put([self._kept(one) for one in part if not changed.concerns(one)])
                except OrchestratorError as error:
                    log.warning("meters were not kept: %s", error.message)
                    return
                self._unkept.difference_update(part)

    # Inside

    def _forget_changed(self, tx: Transaction) -> None:
        """Forget meters of services that have changed; a new process loads those that were kept."""
        if self._seen is None:
            self._seen = Seen(tx.transitions.last_change(), tx.declarations.last_change())
            self._probed = set(tx.transitions.probed())
            self._known = {(a, c): Known(began, terms, meter) for a, c, began, terms, meter in tx.meters.all()}
            return
        changed = self._changed(tx)
        self._seen = changed.seen
        self._probed |= changed.services
        if changed.services or changed.agencies:
            gone = {one for one in self._known if changed.concerns(one)}
            self._known = {one: known for one, known in self._known.items() if one not in gone}
            self._unkept -= gone

    def _changed(self, tx: Transaction) -> Changed:
        assert self._seen is not None
        measured = tx.transitions.changes(self._seen.transition)
        declared = tx.declarations.changes(self._seen.declaration)
        seen = Seen(
            max((number for number, *_ in measured), default=self._seen.transition),
            max((number for number, _ in declared), default=self._seen.declaration),
        )
        services = frozenset((agency, component) for _, agency, component in measured)
        return Changed(services, frozenset(agency for _, agency in declared), seen)

    def _read_anew(self, tx: Transaction, contracts: Sequence[Contract], second: int) -> None:
        """Read from the whole history those meters that are unknown, were read by other terms, or have expired."""
        old = [one for one in contracts if not self._holds(one, second)]
        for begins in range(0, len(old), BITE):
            part = old[begins : begins + BITE]
            agencies = {agency for (agency, _), *_ in part}
            parts, declared = tx.transitions.of(agencies), defaultdict[str, list[Declaration]](list)
            for declaration in tx.declarations.of(agencies):
                declared[declaration.agency].append(declaration)
            for (agency, component), began, by in part:
                record = service_record(
                    component, parts.get((agency, component), {}), declared[agency], probes=by.probes
                )
                life = Span(began, max(second, began))
                month = Span(max(by.month, began), life.end)
                meter = read_meter(by.clock, by.terms.availability(by.hours), record, life=life, month=month)
                self._known[agency, component] = Known(began, by.digest, meter)
                if meter.settled:
                    self._unkept.add((agency, component))

    def _holds(self, contract: Contract, second: int) -> bool:
        known = self._known.get(contract.service)
        return (
            known is not None
            and (known.began, known.digest) == (contract.began, contract.by.digest)
            and known.meter.holds(second)
        )

    def _meter(self, contract: Contract, second: int) -> Meter:
        known, by = self._known[contract.service], contract.by
        meter = known.meter
        if meter.until < by.month:
            meter = turned(meter, by.month, by.clock)
        return meter.at(max(second, meter.until), by.clock)

    def _kept(self, service: ServiceKey) -> KeptMeter:
        (agency, component), (began, digest, meter) = service, self._known[service]
        return KeptMeter(agency, component, began, digest, meter)
