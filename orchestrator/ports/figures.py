"""What metrics are made of, and how it is read from the records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from orchestrator.domain.service_levels.record import State
from orchestrator.domain.value import Value

Labelled = tuple[str, str, float]
"""Agency, component, and a figure."""


class RecoveryFigures(NamedTuple):
    """What the metrics of recovery are made of. Timestamps are seconds since 1970."""

    drills: Sequence[tuple[str, str, str, int]]
    """(agency, component, outcome, how many): the verdict of reported drills, the final state of others."""
    last_success: Sequence[Labelled]
    next_scheduled: Sequence[Labelled]
    rto: Sequence[Labelled]
    rpo: Sequence[Labelled]
    rto_objective: Sequence[Labelled]
    rpo_objective: Sequence[Labelled]
    recovery_point: Sequence[Labelled]
    """Start of the newest backup that succeeded: what is older than that is safe."""


class ServiceLevelFigures(NamedTuple):
    """Of agencies in service, by agency and component. Empty until somebody measures.

    The two totals advance only in service hours and outside agreed maintenance, so whatever is computed from their
    increases keeps to the hours of each contract by itself. They never fall while an agency is in service. Figures are
    tuples rather than lists, for the reason that `Snapshot` gives.
    """

    eligible_seconds: Sequence[Labelled] = ()
    """Seconds the figure rests on, since the service began."""
    bad_seconds: Sequence[Labelled] = ()
    """Eligible seconds in which the service was down."""
    availability: Sequence[Labelled] = ()
    """Of the running month so far, 0 to 1."""
    target: Sequence[Labelled] = ()
    """Availability promised, 0 to 1."""
    coverage: Sequence[Labelled] = ()
    """Share of the time due in the running month that was measured, 0 to 1."""
    eligible_period: Sequence[Labelled] = ()
    """Service seconds of an average month of the contract: what its budget of downtime is spread over."""


@dataclass
class ProbeCounts:
    """What this process has probed since it began, for its metrics."""

    readings: dict[State, int] = field(default_factory=lambda: dict.fromkeys(State, 0))
    late_seconds: float | None = None
    """How late the latest probe of the last seconds began. None while another process probes."""


class ProbingFigures(NamedTuple):
    """What the metrics of probing are made of."""

    up: Sequence[tuple[str, str, float]]
    """(agency, component, 1 or 0). Services of which nobody knows are not among them."""
    readings: Mapping[State, int]
    late_seconds: float | None


BOUNDS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""Upper bounds of the duration histograms, in seconds."""


class Histogram(Value):
    """Durations with the same labels: how many took at most each of `BOUNDS`, how many in all, and their sum."""

    labels: tuple[str, ...]
    at_most: tuple[int, ...]
    count: int
    total_seconds: float


class Snapshot(NamedTuple):
    """What the metrics are made of, at one instant.

    With ten thousand agencies it is a million figures, so it is made of what costs other threads nothing: it is not
    validated in one go, and tuples of nothing but text and numbers are what Python's collector passes over.
    """

    agencies: Sequence[tuple[str, str, str, str]]
    """(agency, name, framework, site) of agencies in service."""
    services: Sequence[tuple[str, str, str]]
    """(agency, component, state)."""
    runs: Sequence[tuple[str, str, int]]
    """(purpose, state, how many)."""
    run_durations: Sequence[Histogram]
    step_durations: Sequence[Histogram]
    onboarding_durations: Sequence[Histogram]
    drift: Sequence[Labelled]
    recovery: RecoveryFigures
    probing: ProbingFigures
    service_levels: ServiceLevelFigures = ServiceLevelFigures()


class FigureRecords(Protocol):
    """What dashboards read, straight from the records, in an order that stays. Of agencies that have not left where a
    row is about one of them."""

    def agencies(self) -> list[tuple[str, str, str, str]]:
        """(agency, name, framework, site)."""
        ...

    def services(self) -> list[tuple[str, str, str, str]]:
        """(agency, component, tier, state)."""
        ...

    def served(self, at: datetime) -> list[tuple[str, str, str, str, datetime]]:
        """(agency, component, framework, tier, since when) of services in the middle of a period at an instant."""
        ...

    def drill_outcomes(self) -> list[tuple[str, str, str, int]]:
        """(agency, component, verdict or final state, how many) of drills that have ended."""
        ...

    def drills_measured(self) -> list[tuple[str, str, float | None, float | None]]:
        """(agency, component, recovery time, recovery point) of the newest drills with a verdict."""
        ...

    def drills_passed(self) -> list[tuple[str, str, datetime]]:
        """(agency, component, end) of the newest drills that passed."""
        ...

    def drills_due(self) -> list[tuple[str, str, datetime]]:
        """(agency, component, when) of the next drills that have not begun."""
        ...

    def recovery_points(self) -> list[tuple[str, str, datetime]]:
        """(agency, component, start) of the newest backups that succeeded."""
        ...

    def drift(self) -> list[Labelled]:
        """(agency, component, tasks that would change something) of the newest comparisons that still hold."""
        ...

    def runs(self) -> list[tuple[str, str, int]]:
        """(purpose, state, how many)."""
        ...

    def run_durations(self) -> list[Histogram]:
        """Labels (purpose, outcome)."""
        ...

    def step_durations(self) -> list[Histogram]:
        """Labels (component, verb, outcome)."""
        ...

    def onboarding_durations(self) -> list[Histogram]:
        """Labels (framework,): from the plan that was applied to the end of the run that put the agency in service."""
        ...
