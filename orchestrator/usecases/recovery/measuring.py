"""Measuring: the figures of recovery and of probing, for dashboards and alerts, and those of a failover."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from orchestrator.domain.ordering.instance import InstanceState
from orchestrator.domain.ordering.protection import protected
from orchestrator.domain.recovery.failover import Moved, Surveyed, measured
from orchestrator.domain.runs.run import Run, StepState
from orchestrator.domain.selling.catalog import Catalog, Verb
from orchestrator.domain.service_levels.record import State
from orchestrator.ports.figures import FigureRecords, ProbeCounts, ProbingFigures, RecoveryFigures
from orchestrator.ports.store import Transaction
from orchestrator.usecases.finding import find_plan
from orchestrator.usecases.probing.diagnosing import diagnose

KNOWN = (State.UP, State.DOWN)

Service = tuple[str, str, str, str]
"""Agency, component, tier, state."""


class _Recorded(NamedTuple):
    tier: str
    state: InstanceState


def recovery_figures(figures: FigureRecords, catalog: Catalog, services: Sequence[Service]) -> RecoveryFigures:
    """For agencies in service: their drills and the results, what was promised, and their backups."""
    measured = figures.drills_measured()
    targets = list(_targets(services, catalog))
    return RecoveryFigures(
        drills=tuple(figures.drill_outcomes()),
        last_success=tuple((a, c, at.timestamp()) for a, c, at in figures.drills_passed()),
        next_scheduled=tuple((a, c, at.timestamp()) for a, c, at in figures.drills_due()),
        rto=tuple((a, c, rto) for a, c, rto, _ in measured if rto is not None),
        rpo=tuple((a, c, rpo) for a, c, _, rpo in measured if rpo is not None),
        rto_objective=tuple((a, c, rto) for a, c, rto, _ in targets),
        rpo_objective=tuple((a, c, rpo) for a, c, _, rpo in targets),
        recovery_point=tuple((a, c, at.timestamp()) for a, c, at in figures.recovery_points()),
    )


def _targets(services: Sequence[Service], catalog: Catalog) -> Iterator[tuple[str, str, float, float]]:
    """The promised recovery time and point of every protected component, in seconds. Services are in the order of their
    agencies.
    """
    for agency, rows in groupby(services, itemgetter(0)):
        recorded = {component: _Recorded(tier, InstanceState(state)) for _, component, tier, state in rows}
        for component in protected(recorded, catalog):
            target = catalog.tier(component, recorded[component].tier).objectives
            yield agency, component, target.rto.total_seconds(), target.rpo.total_seconds()


def probing_figures(tx: Transaction, catalog: Catalog, counts: ProbeCounts, *, now: datetime) -> ProbingFigures:
    """Which services are up and which are down; unknown ones are left out. The counts are those of this process."""
    health = diagnose(tx, catalog, now=now)
    return ProbingFigures(
        up=tuple((*service, float(h.state is State.UP)) for service, h in sorted(health.items()) if h.state in KNOWN),
        readings=dict(counts.readings),
        late_seconds=counts.late_seconds,
    )


def measured_move(tx: Transaction, run: Run, catalog: Catalog) -> Moved:
    """What a run that moves a service has taken and lost so far."""
    plan, steps = find_plan(tx, run.plan).plan, tx.runs.steps(run.id)
    assert plan.move is not None
    moved = plan.desired[plan.move.component]
    assert moved is not None
    done = {step.id: step for step in steps if step.state is StepState.SUCCEEDED}
    backup = done.get(f"{moved.component}.{Verb.BACKUP}")
    survey = done.get(f"{moved.component}.{Verb.CHECK}")
    return measured(
        plan,
        catalog.tier(moved.component, moved.tier).objectives,
        ended={name: step.finished_at for name, step in done.items() if step.finished_at},
        backed_up_at=backup.started_at if backup else None,
        records=Surveyed.model_validate(survey.result).records if survey and survey.result else None,
    )
