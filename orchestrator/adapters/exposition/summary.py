"""The tier `summary`: the agency figures of `detail`, by framework agreement, site and component.

Sums are gauges, even those of counters: they fall when an agency leaves, and a counter that falls reads as a restart.
"""

from collections.abc import Callable, Iterable, Iterator
from operator import add

from orchestrator.adapters.exposition.detail import BUILD, WORK
from orchestrator.adapters.exposition.families import AnyFamily, Family, Row
from orchestrator.ports.figures import Labelled, Snapshot

PLACE = ("framework", "site")
SERVICE = (*PLACE, "component")

Figures = Callable[[Snapshot], Iterable[Row]]
"""Agency, other labels, and a figure."""


def fleet(
    name: str, help_text: str, labels: tuple[str, ...], figures: Figures, merge: Callable[..., float] = add
) -> Family:
    """Figures of agencies in service, aggregated over all with the same other labels."""

    def rows(snapshot: Snapshot) -> Iterator[Row]:
        places = {agency: (framework, site) for agency, _, framework, site in snapshot.agencies}
        merged: dict[tuple[str, ...], float] = {}
        for *whose, figure in figures(snapshot):
            agency, *others = whose
            if place := places.get(agency):
                where = (*place, *others)
                merged[where] = merge(merged[where], figure) if where in merged else figure
        return ((*where, figure) for where, figure in merged.items())

    return Family(f"orchestrator_fleet_{name}", "gauge", help_text, labels, rows)


def _ones(rows: Iterable[tuple[str, ...]]) -> Iterator[Row]:
    return ((*row, 1.0) for row in rows)


def _beyond(measured: Iterable[Labelled], promised: Iterable[Labelled]) -> Iterator[Labelled]:
    """1 for each service instance above its promise, 0 for the others."""
    limits = {(agency, component): limit for agency, component, limit in promised}
    for agency, component, figure in measured:
        if (agency, component) in limits:
            yield agency, component, float(figure > limits[agency, component])


SUMMARY: tuple[AnyFamily, ...] = (
    BUILD,
    fleet("agencies", "Agencies in service.", PLACE, lambda s: _ones((a,) for a, *_ in s.agencies)),
    fleet("services", "Service instances by state.", (*SERVICE, "state"), lambda s: _ones(s.services)),
    *WORK,
    fleet(
        "work_orders",
        "Tickets that runs wait for, by whether they are on time.",
        (*SERVICE, "state"),
        lambda s: ((a, c, state, float(n)) for a, c, state, n in s.work_orders),
    ),
    fleet("services_up", "Service instances that work.", SERVICE, lambda s: s.probing.up),
    fleet(
        "services_probed",
        "Service instances of which probes say whether they work.",
        SERVICE,
        lambda s: _ones((a, c) for a, c, _ in s.probing.up),
    ),
    fleet(
        "sla_eligible_seconds",
        "Measured service time of agencies in service.",
        SERVICE,
        lambda s: s.service_levels.eligible_seconds,
    ),
    fleet("sla_bad_seconds", "What of that was downtime.", SERVICE, lambda s: s.service_levels.bad_seconds),
    fleet(
        "sla_missed",
        "Service instances whose availability in the running month is below what was promised.",
        SERVICE,
        lambda s: _beyond(s.service_levels.target, s.service_levels.availability),
    ),
    fleet(
        "sla_lowest_coverage_ratio",
        "Coverage of the service instance that was measured least in the running month.",
        SERVICE,
        lambda s: s.service_levels.coverage,
        min,
    ),
    fleet(
        "drills",
        "Drills that have ended, of agencies in service.",
        (*SERVICE, "outcome"),
        lambda s: ((a, c, outcome, float(n)) for a, c, outcome, n in s.recovery.drills),
    ),
    fleet(
        "drill_next_timestamp_seconds", "When the next drill is due.", SERVICE, lambda s: s.recovery.next_scheduled, min
    ),
    fleet(
        "drill_rto_missed",
        "Service instances whose last drill took longer than promised.",
        SERVICE,
        lambda s: _beyond(s.recovery.rto, s.recovery.rto_objective),
    ),
    fleet(
        "recovery_point_oldest_timestamp_seconds",
        "Start of the newest backup of the service instance whose newest is oldest.",
        SERVICE,
        lambda s: s.recovery.recovery_point,
        min,
    ),
)
