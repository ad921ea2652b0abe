"""Measuring: the figures of recovery, for dashboards and alerts."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from orchestrator.domain.catalog import Catalog, RecoveryTarget
from orchestrator.domain.recovery_plan import protected
from orchestrator.usecases.figure_ports import Figures, ServiceRow
from orchestrator.usecases.recovery_ports import RecoveryFigures


def recovery_figures(figures: Figures, catalog: Catalog, services: Sequence[ServiceRow]) -> RecoveryFigures:
    """Of agencies in service: what was drilled, what came of it, what was promised, and what is backed up."""
    measured = figures.drills_measured()
    targets = list(_targets(services, catalog))
    return RecoveryFigures(
        drills=figures.drill_outcomes(),
        last_success=[(a, c, at.timestamp()) for a, c, at in figures.drills_passed()],
        next_scheduled=[(a, c, at.timestamp()) for a, c, at in figures.drills_due()],
        rto=[(a, c, rto) for a, c, rto, _ in measured if rto is not None],
        rpo=[(a, c, rpo) for a, c, _, rpo in measured if rpo is not None],
        rto_objective=[(a, c, target.rto.total_seconds()) for a, c, target in targets],
        rpo_objective=[(a, c, target.rpo.total_seconds()) for a, c, target in targets],
        recovery_point=[(a, c, at.timestamp()) for a, c, at in figures.recovery_points()],
    )


def _targets(services: Sequence[ServiceRow], catalog: Catalog) -> Iterator[tuple[str, str, RecoveryTarget]]:
    """What every protected component was promised. Services are in the order of their agencies."""
    for agency, rows in groupby(services, attrgetter("agency")):
        recorded = {row.component: row for row in rows}
        for component in protected(recorded, catalog):
            yield agency, component, catalog.components[component].tiers[recorded[component].tier].recovery
