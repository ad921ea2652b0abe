"""Snapshots of any size for tests and the bench."""

from orchestrator.domain.ordering.instance import InstanceState
from orchestrator.domain.recovery.verdict import Verdict
from orchestrator.domain.service_levels.record import State
from orchestrator.ports.figures import (
    BOUNDS,
    Histogram,
    Labelled,
    ProbingFigures,
    RecoveryFigures,
    ServiceLevelFigures,
    Snapshot,
)

COMPONENTS = ("network", "service-desk", "desktop", "thin-client", "disaster-recovery")
ENDS = (Verdict.PASS.value, Verdict.FAIL.value)
SITES = ("north", "south", "practice")
SERIES_AN_AGENCY = 1 + len(COMPONENTS) * 24
"""Of `snapshot`: one info; for each component seven states, seven figures of service levels, nine of recovery, one of
drift."""
NOW = 1.79e9


def histogram(*labels: str) -> Histogram:
    return Histogram(labels=labels, at_most=tuple(range(len(BOUNDS))), count=len(BOUNDS), total_seconds=123.5)


def snapshot(agencies: int, *, now: float = NOW) -> Snapshot:
    """Agencies that have everything, each with its own figures."""
    names = [f"agency-{number}" for number in range(agencies)]
    services = [(agency, component) for agency in names for component in COMPONENTS]

    def figures(base: float, step: float) -> tuple[Labelled, ...]:
        return tuple((agency, component, base + step * n) for n, (agency, component) in enumerate(services))

    return Snapshot(
        agencies=tuple((a, f"The {a}", ("flex", "care")[n % 2], SITES[n % 3]) for n, a in enumerate(names)),
        services=tuple((a, c, InstanceState.FAILED.value if n % 97 == 13 else InstanceState.IN_SERVICE.value)
                  for n, (a, c) in enumerate(services)),
        runs=[("onboard", "succeeded", agencies), ("onboard", "failed", 1), ("change", "running", 2)],
        run_durations=[histogram("onboard", "succeeded")],
        step_durations=[histogram(component, "verify", "succeeded") for component in COMPONENTS],
        onboarding_durations=[histogram("flex")],
        drift=tuple((a, c, float(n % 9 == 4)) for n, (a, c) in enumerate(services)),
        recovery=RecoveryFigures(
            drills=tuple((a, c, end, n % 7) for end in ENDS for n, (a, c) in enumerate(services)),
            last_success=figures(now - 86400, -0.25),
            next_scheduled=figures(now + 86400, 0.25),
            rto=figures(15.8, 0.037),
            rpo=figures(900.0, 0.11),
            rto_objective=tuple((a, c, 14400.0) for a, c in services),
            rpo_objective=tuple((a, c, 86400.0) for a, c in services),
            recovery_point=figures(now - 3600, -0.001),
        ),
        probing=ProbingFigures(
            up=tuple((a, c, float(n % 50 != 7)) for n, (a, c) in enumerate(services)),
            readings={State.UP: 7, State.DOWN: 2, State.UNKNOWN: 1},
            late_seconds=0.25,
        ),
        service_levels=ServiceLevelFigures(
            eligible_seconds=figures(1.2e6, 30.0),
            bad_seconds=figures(0.0, 0.173),
            availability=tuple((a, c, 1 - n % 1000 / 77_777) for n, (a, c) in enumerate(services)),
            target=tuple((a, c, 0.995) for a, c in services),
            coverage=tuple((a, c, 1 - n % 300 / 55_555) for n, (a, c) in enumerate(services)),
            eligible_period=tuple((a, c, 720_000.0) for a, c in services),
        ),
    )  # fmt: skip
