"""What metrics are made of, and how it is read from the records."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from orchestrator.domain.value import Value
from orchestrator.usecases.probing_ports import ProbingFigures
from orchestrator.usecases.recovery_ports import Labelled, RecoveryFigures
from orchestrator.usecases.service_level_ports import ServiceLevelFigures

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


class Figures(Protocol):
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
