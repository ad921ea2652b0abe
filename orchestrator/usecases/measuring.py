"""Measuring: the figures of recovery and of probing, for dashboards and alerts."""

from collections.abc import Iterator
from datetime import datetime

from orchestrator.domain.catalog import Catalog, RecoveryTarget
from orchestrator.domain.recovery_plan import protected
from orchestrator.domain.service_record import State
from orchestrator.usecases.diagnosing import diagnose
from orchestrator.usecases.finding import in_service
from orchestrator.usecases.ports import Transaction
from orchestrator.usecases.probing_ports import ProbeCounts, ProbingFigures
from orchestrator.usecases.recovery_ports import RecoveryFigures

KNOWN = (State.UP, State.DOWN)


def recovery_figures(tx: Transaction, catalog: Catalog, *, in_service: set[str]) -> RecoveryFigures:
    """Of agencies in service: what was drilled, what came of it, what was promised, and what is backed up."""
    measured = [d for d in tx.drills.last_measured() if d.agency in in_service]
    passed = [d for d in tx.drills.last_passed() if d.agency in in_service]
    targets = list(_targets(tx, catalog))
    return RecoveryFigures(
        drills=tx.drills.outcomes(),
        last_success=[(d.agency, d.component, d.finished_at.timestamp()) for d in passed if d.finished_at],
        next_scheduled=[(a, c, at.timestamp()) for a, c, at in tx.drills.next_due() if a in in_service],
        rto=[(d.agency, d.component, d.rto_seconds) for d in measured if d.rto_seconds is not None],
        rpo=[(d.agency, d.component, d.rpo_seconds) for d in measured if d.rpo_seconds is not None],
        rto_objective=[(a, c, target.rto.total_seconds()) for a, c, target in targets],
        rpo_objective=[(a, c, target.rpo.total_seconds()) for a, c, target in targets],
        recovery_point=[
            (b.agency, b.component, b.started_at.timestamp())
            for b in tx.backups.last_of_all()
            if b.agency in in_service
        ],
    )


def _targets(tx: Transaction, catalog: Catalog) -> Iterator[tuple[str, str, RecoveryTarget]]:
    """What every protected component was promised."""
    for record, recorded in in_service(tx):
        for component in protected(recorded, catalog):
            yield record.id, component, catalog.components[component].tiers[recorded[component].tier].recovery


def probing_figures(tx: Transaction, catalog: Catalog, counts: ProbeCounts, *, now: datetime) -> ProbingFigures:
    """Who is up and who is down; of whom nobody knows is neither. The counts are this process's own."""
    health = diagnose(tx, catalog, now=now)
    return ProbingFigures(
        up=[(*service, float(h.state is State.UP)) for service, h in sorted(health.items()) if h.state in KNOWN],
        readings=dict(counts.readings),
        late_seconds=counts.late_seconds,
    )
