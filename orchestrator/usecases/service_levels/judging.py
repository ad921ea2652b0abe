"""Judging an agency's month by its records, while it lasts and when it is closed."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.calendars.spans import between, instant_at, intersect, total, union
from orchestrator.domain.charging.charges import charges
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.agency import AgencyRecord
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.recovery.drills import Drill, DrillState
from orchestrator.domain.recovery.evidence import Evidence
from orchestrator.domain.recovery.verdict import Verdict
from orchestrator.domain.selling.catalog import DESK, KEEPER, Tier
from orchestrator.domain.service_levels.availability import Availability
from orchestrator.domain.service_levels.declaration import Declaration, service_record
from orchestrator.domain.service_levels.figures import Figures
from orchestrator.domain.service_levels.month_record import (
    DeskTerms,
    DrillDue,
    MonthRecord,
    ServedComponent,
    achieved,
    availabilities,
)
from orchestrator.domain.service_levels.record import known_until
from orchestrator.domain.service_levels.terms import ServiceTerms
from orchestrator.domain.value import Value
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.outside import Clock
from orchestrator.ports.service_levels import ServicePeriod
from orchestrator.ports.store import Transaction

COUNTED = (
    DrillState.REPORTED, DrillState.MISFIRED, DrillState.FAILED, DrillState.ABORTED, DrillState.BLOCKED,
    DrillState.CLEANUP_FAILED,
)  # fmt: skip
"""Drills that the provider had to carry out. A drill that the agency rejected, did not approve in time or blacked out,
and one that made way for a real incident, does not count against the provider."""

BEHIND = timedelta(minutes=2)
"""A prober at work is never further behind than this."""

PASSED = (Verdict.PASS, Verdict.PASS_WITH_FINDINGS)


class MonthJudgement(Value):
    """A month's records and figures; `availability` by component."""

    record: MonthRecord
    availability: dict[str, Availability]
    figures: Figures


@dataclass(frozen=True)
class Judging:
    source: CatalogSource
    clock: Clock
    is_bank_holiday: Callable[[date], bool]

    def this_month(self, record: AgencyRecord) -> CalendarMonth:
        """The current month, in the time zone of the agency's agreement."""
        return CalendarMonth.of(self.clock.now().astimezone(self.terms(record).hours.zone).date())

    def terms(self, record: AgencyRecord) -> ServiceTerms:
        return self.source.agreements()[record.framework].service_levels

    def judged(
        self, tx: Transaction, record: AgencyRecord, found: MonthRecord, *, charged: Decimal | None = None
    ) -> MonthJudgement:
        """The figures of the records. `charged` is what was charged for the month, if that is settled."""
        before = tx.months.get(record.id, found.month.preceding)
        available = availabilities(found, is_bank_holiday=self.is_bank_holiday)
        figures = found.terms.judge(
            achieved(found, available, is_bank_holiday=self.is_bank_holiday),
            charges=charges(record.rates, found.month) if charged is None else charged,
            missed_before=before.current.figures.missed if before else frozenset(),
        )
        return MonthJudgement(record=found, availability=available, figures=figures)

    def records(
        self, tx: Transaction, record: AgencyRecord, month: CalendarMonth, terms: ServiceTerms | None = None
    ) -> MonthRecord:
        """Everything known about a month, by the given terms or those in force. Raises NOT_FOUND if the agency had
        nothing in service."""
        terms = terms or self.terms(record)
        span = month.span(terms.hours.zone)
        start, end = instant_at(span.start), self._known_to(tx, instant_at(span.end))
        periods = tx.service_periods.within(start, end, agency=record.id) if start < end else []
        if not periods:
            raise OrchestratorError(Kind.NOT_FOUND, f"{record.id} had nothing in service in {month}")
        recorded, declared = tx.instances.of(record.id), tx.declarations.within(start, end, agency=record.id)
        succeeded, failed = tx.facts.backups(record.id, start, end)
        desk = recorded.get(DESK)
        found = MonthRecord(
            agency=record.id,
            month=month,
            terms=terms,
            until=end,
            services=tuple(self._served(tx, periods, recorded, declared, start=start, end=end)),
            incidents={n: i.as_of(end) for n, i in tx.incidents.within(record.id, start, end).items()},
            desk_hours=self._tier(desk).hours if desk else None,
            onboardings=tuple(tx.facts.onboardings(record.id, start, end)),
            backups=succeeded,
            backups_failed=failed,
            no_backup_ended=not (succeeded + failed) and self._backups_due(periods, recorded, start=start, end=end),
            drills=tuple(self._drills(tx, recorded, record.id, start=start, end=end)),
        )
        return found.model_copy(update={"earlier": self._earlier(tx, found)})

    def served(self, tx: Transaction, record: AgencyRecord, month: CalendarMonth) -> bool:
        """Whether the agency had anything in service in a month."""
        span = month.span(self.terms(record).hours.zone)
        return bool(tx.service_periods.within(instant_at(span.start), instant_at(span.end), agency=record.id))

    # Inside

    def _known_to(self, tx: Transaction, end: datetime) -> datetime:
        """The end of the month. If it is not over, the instant of the last reading if the prober is at work, else
        now."""
        now, read_until = self.clock.now(), tx.prober.read_until()
        if now >= end:
            return end
        return read_until if read_until and now - BEHIND <= read_until < now else now

    def _served(
        self,
        tx: Transaction,
        periods: Iterable[ServicePeriod],
        recorded: dict[str, ServiceInstance],
        declared: list[Declaration],
        *,
        start: datetime,
        end: datetime,
    ) -> Iterator[ServedComponent]:
        """Each period separately: a service that was retired and ordered again did not exist in between. A service
        without probes, which nobody uses directly, has no availability."""
        read_until = tx.prober.read_until()
        for period in periods:
            parts = tx.transitions.between(period.agency, period.component, start, end)
            probes = self.source.catalog().components[period.component].probe_ids
            if not parts and not probes:
                continue
            if read_until is None or read_until < end:
                parts = {name: known_until(part, read_until or start) for name, part in parts.items()}
            yield ServedComponent(
                component=period.component,
                hours=self._tier(recorded[period.component]).hours,
                start=max(start, period.began_at),
                end=min(end, period.ended_at or end),
                record=service_record(period.component, parts, declared, probes=probes),
            )

    def _drills(
        self, tx: Transaction, recorded: dict[str, ServiceInstance], agency: str, *, start: datetime, end: datetime
    ) -> Iterator[DrillDue]:
        for drill in tx.drills.scheduled_since(start, agency=agency):
            if drill.scheduled_at < end and drill.state in COUNTED:
                target, found = self._tier(recorded[drill.component]).objectives, _evidence(tx, drill)
                yield DrillDue(
                    drill=drill.id,
                    component=drill.component,
                    due_at=drill.scheduled_at,
                    passed=drill.verdict in PASSED,
                    rto_seconds=drill.rto_seconds,
                    rto_objective_seconds=target.rto.total_seconds(),
                    rpo_seconds=drill.rpo_seconds,
                    rpo_objective_seconds=target.rpo.total_seconds(),
                    never_recovered=found is not None and found.never_recovered,
                    all_lost=found is not None and found.all_lost,
                )

    def _backups_due(
        self,
        periods: Iterable[ServicePeriod],
        recorded: dict[str, ServiceInstance],
        *,
        start: datetime,
        end: datetime,
    ) -> bool:
        """Whether a service with data existed beside its keeper for longer than the promised recovery point."""
        cut = [(p.component, between(max(start, p.began_at), min(end, p.ended_at or end))) for p in periods]
        keeping = union(span for component, span in cut if component == KEEPER)
        for component, span in cut:
            if component != KEEPER and self.source.catalog().components[component].recovery.data:
                together = total(intersect(keeping, union([span])))
                if together > self._tier(recorded[component]).objectives.rpo.total_seconds():
                    return True
        return False

    def _earlier(self, tx: Transaction, found: MonthRecord) -> dict[str, DeskTerms]:
        """The terms for incidents of earlier months that are closed."""
        reported = {found.month_of(incident) for incident in found.incidents.values()} - {found.month}
        closed = (month for month in reported if tx.months.get(found.agency, month))
        return {str(month): tx.months.record(found.agency, month).desk_terms for month in closed}

    def _tier(self, instance: ServiceInstance) -> Tier:
        return self.source.catalog().tier(instance.component, instance.tier)


def _evidence(tx: Transaction, drill: Drill) -> Evidence | None:
    """The evidence of a drill that lacks a measurement; None if it lacks none or has no evidence."""
    if None not in (drill.rto_seconds, drill.rpo_seconds):
        return None
    document = tx.drills.evidence(drill.id)
    return Evidence.model_validate(json.loads(document)["evidence"]) if document else None
