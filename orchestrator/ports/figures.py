"""The data behind metrics, and how it is read from the records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from orchestrator.domain.service_levels.record import State
from orchestrator.domain.value import Value

Labelled = tuple[str, str, float]
"""Agency, component, and a figure."""


class RecoveryFigures(NamedTuple):
    """The data behind the recovery metrics. Timestamps are seconds since 1970."""

    drills: Sequence[tuple[str, str, str, int]]
    """(agency, component, outcome, count): the verdict of reported drills, the final state of others."""
    last_success: Sequence[Labelled]
    next_scheduled: Sequence[Labelled]
    rto: Sequence[Labelled]
    rpo: Sequence[Labelled]
    rto_objective: Sequence[Labelled]
    rpo_objective: Sequence[Labelled]
    recovery_point: Sequence[Labelled]
    """Start of the newest successful backup: anything older is safe."""


class ServiceLevelFigures(NamedTuple):
    """Figures of agencies in service, by agency and component. Empty until something is measured.

    The two totals advance only in service hours and outside agreed maintenance, so anything computed from their
    increases respects the hours of each contract. They never fall while an agency is in service. Figures are tuples
    rather than lists; see `Snapshot`.
    """

    eligible_seconds: Sequence[Labelled] = ()
    """Seconds that the figure is based on, since the service began."""
    bad_seconds: Sequence[Labelled] = ()
    """Eligible seconds in which the service was down."""
    availability: Sequence[Labelled] = ()
    """Availability in the current month so far, 0 to 1."""
    target: Sequence[Labelled] = ()
    """Promised availability, 0 to 1."""
    coverage: Sequence[Labelled] = ()
    """Share of the time due in the current month that was measured, 0 to 1."""
    eligible_period: Sequence[Labelled] = ()
    """Service seconds of an average month of the contract, over which its budget of downtime is spread."""


@dataclass
class ProbeCounts:
    """What this process has probed since it started, for its metrics."""

    readings: dict[State, int] = field(default_factory=lambda: dict.fromkeys(State, 0))
    late_seconds: float | None = None
    """The greatest lateness of a probe in the last seconds. None while another process probes."""


class ProbingFigures(NamedTuple):
    """The data behind the probing metrics."""

    up: Sequence[tuple[str, str, float]]
    """(agency, component, 1 or 0), without services whose state is unknown."""
    readings: Mapping[State, int]
    late_seconds: float | None


BOUNDS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""Upper bounds of the duration histograms, in seconds."""


class Histogram(Value):
    """Durations with the same labels: the number up to each of `BOUNDS`, the total number, and the sum."""

    labels: tuple[str, ...]
    at_most: tuple[int, ...]
    count: int
    total_seconds: float


class Snapshot(NamedTuple):
    """The data behind all metrics, at one instant.

    With ten thousand agencies it is a million figures, so it must not slow down other threads: it is not validated in
    one go, and Python's garbage collector skips tuples that contain only text and numbers.
    """

    agencies: Sequence[tuple[str, str, str, str]]
    """(agency, name, framework, site) of agencies in service."""
    services: Sequence[tuple[str, str, str]]
    """(agency, component, state)."""
    runs: Sequence[tuple[str, str, int]]
    """(purpose, state, count)."""
    run_durations: Sequence[Histogram]
    step_durations: Sequence[Histogram]
    onboarding_durations: Sequence[Histogram]
    drift: Sequence[Labelled]
    recovery: RecoveryFigures
    probing: ProbingFigures
    service_levels: ServiceLevelFigures = ServiceLevelFigures()
    work_orders: Sequence[tuple[str, str, str, int]] = ()
    """(agency, component, jeopardy, count) of the tickets that runs wait for."""


class FigureRecords(Protocol):
    """Figures for dashboards, straight from the records, in a stable order. Rows about agencies leave out those that
    have left."""

    def agencies(self) -> list[tuple[str, str, str, str]]:
        """(agency, name, framework, site)."""
        ...

    def services(self) -> list[tuple[str, str, str, str]]:
        """(agency, component, tier, state)."""
        ...

    def served(self, at: datetime) -> list[tuple[str, str, str, str, datetime]]:
        """(agency, component, framework, tier, since when) of services in service at an instant."""
        ...

    def drill_outcomes(self) -> list[tuple[str, str, str, int]]:
        """(agency, component, verdict or final state, count) of drills that have ended."""
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
        """(agency, component, start) of the newest successful backups."""
        ...

    def drift(self) -> list[Labelled]:
        """(agency, component, tasks that would change something) of the newest comparisons that still hold."""
        ...

    def runs(self) -> list[tuple[str, str, int]]:
        """(purpose, state, count)."""
        ...

    def run_durations(self) -> list[Histogram]:
        """Labels (purpose, outcome)."""
        ...

    def step_durations(self) -> list[Histogram]:
        """Labels (component, verb, outcome)."""
        ...

    def onboarding_durations(self) -> list[Histogram]:
        """Labels (framework,): from the applied plan to the end of the run that put the agency in service."""
        ...
