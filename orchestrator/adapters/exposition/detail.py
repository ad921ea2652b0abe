"""The tier `detail`: all families, by agency where they have one. Labels never contain ids, hosts, users or free
text."""

from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version

from orchestrator.adapters.exposition.families import AnyFamily, Family, HistogramFamily, Row, StateFamily
from orchestrator.domain.ordering.instance import InstanceState
from orchestrator.domain.runs.run import UNFINISHED_RUN
from orchestrator.ports.figures import Labelled, Snapshot

SERVICE = ("agency", "component")


def _build(_: Snapshot) -> Iterator[Row]:
    yield version("shared-service-orchestrator"), 1.0


def _agencies(snapshot: Snapshot) -> Iterator[Row]:
    return ((agency, framework, site, 1.0) for agency, _, framework, site in snapshot.agencies)


def _finished(snapshot: Snapshot) -> Iterator[Row]:
    return ((purpose, state, float(n)) for purpose, state, n in snapshot.runs if state not in _OPEN_STATES)


def _open(snapshot: Snapshot) -> Iterator[Row]:
    for state in _OPEN_STATES:
        yield state, float(sum(n for _, of_state, n in snapshot.runs if of_state == state))


def _drills(snapshot: Snapshot) -> Iterator[Row]:
    return ((agency, component, outcome, float(n)) for agency, component, outcome, n in snapshot.recovery.drills)


def _probes(snapshot: Snapshot) -> Iterator[Row]:
    return ((state.value, float(n)) for state, n in snapshot.probing.readings.items())


def _late(snapshot: Snapshot) -> Iterator[Row]:
    if snapshot.probing.late_seconds is not None:
        yield (snapshot.probing.late_seconds,)


_OPEN_STATES = tuple(state.value for state in UNFINISHED_RUN)


def gauge(name: str, help_text: str, rows: Callable[[Snapshot], Sequence[Labelled]]) -> Family:
    """A figure for each service instance that has one."""
    return Family(f"orchestrator_{name}", "gauge", help_text, SERVICE, rows)


def counter(name: str, help_text: str, rows: Callable[[Snapshot], Sequence[Labelled]]) -> Family:
    return Family(f"orchestrator_{name}", "counter", help_text, SERVICE, rows)


BUILD = Family("orchestrator_build", "info", "The version that answers.", ("version",), _build)

WORK: tuple[AnyFamily, ...] = (
    Family("orchestrator_runs", "counter", "Runs that have ended.", ("verb", "outcome"), _finished),
    Family("orchestrator_runs_open", "gauge", "Runs that have not ended.", ("state",), _open),
    HistogramFamily(
        "orchestrator_run_duration_seconds",
        "How long finished runs took, by what they were for and how they ended.",
        ("verb", "outcome"),
        lambda s: s.run_durations,
    ),
    HistogramFamily(
        "orchestrator_step_duration_seconds",
        "How long finished steps took in their last attempt.",
        ("component", "verb", "outcome"),
        lambda s: s.step_durations,
    ),
    HistogramFamily(
        "orchestrator_onboarding_duration_seconds",
        "From the plan that was applied to the agency being in service.",
        ("framework",),
        lambda s: s.onboarding_durations,
    ),
)
"""Families about the orchestrator itself. Their number of series does not depend on the number of agencies."""

WORK_ORDERS = Family(
    "orchestrator_work_orders",
    "gauge",
    "Tickets that runs wait for, by whether they are on time.",
    (*SERVICE, "state"),
    lambda s: ((agency, component, state, float(n)) for agency, component, state, n in s.work_orders),
)

PROBING = (
    gauge(
        "service_up",
        "1 for a service that is up, 0 for one that is down; none for one of which nobody knows.",
        lambda s: s.probing.up,
    ),
    Family("orchestrator_probes", "counter", "Probes by this process, by what they found.", ("state",), _probes),
    Family(
        "orchestrator_probes_late_seconds",
        "gauge",
        "How late the latest probe of this process began; none while another process probes.",
        (),
        _late,
    ),
)

DRIFT = gauge(
    "drift_changed",
    "Tasks that would change something, by the newest comparison with what is recorded; none when there is none that "
    "holds.",
    lambda s: s.drift,
)

SERVICE_LEVELS = (
    counter(
        "sla_eligible_seconds",
        "Measured service time: within service hours, outside agreed maintenance.",
        lambda s: s.service_levels.eligible_seconds,
    ),
    counter("sla_bad_seconds", "Eligible time in which the service was down.", lambda s: s.service_levels.bad_seconds),
    gauge(
        "sla_availability_ratio", "Availability in the running month so far.", lambda s: s.service_levels.availability
    ),
    gauge("sla_target_ratio", "Availability promised.", lambda s: s.service_levels.target),
    gauge(
        "sla_coverage_ratio",
        "Share of the time due in the running month that was measured.",
        lambda s: s.service_levels.coverage,
    ),
    gauge(
        "sla_eligible_period_seconds",
        "Service time of a month of the contract, over which its budget of downtime is spread.",
        lambda s: s.service_levels.eligible_period,
    ),
)

RECOVERY = (
    Family(
        "orchestrator_drills",
        "counter",
        "Drills that have ended, by verdict or final state.",
        (*SERVICE, "outcome"),
        _drills,
    ),
    gauge(
        "drill_last_success_timestamp_seconds",
        "When the newest drill that passed ended.",
        lambda s: s.recovery.last_success,
    ),
    gauge("drill_next_timestamp_seconds", "When the next drill is due.", lambda s: s.recovery.next_scheduled),
    gauge("drill_rto_seconds", "Recovery time measured by the newest drill that reached it.", lambda s: s.recovery.rto),
    gauge("drill_rto_objective_seconds", "Recovery time promised.", lambda s: s.recovery.rto_objective),
    gauge("drill_rpo_seconds", "Recovery point measured by the newest drill, upper end.", lambda s: s.recovery.rpo),
    gauge("drill_rpo_objective_seconds", "Recovery point promised.", lambda s: s.recovery.rpo_objective),
    gauge(
        "recovery_point_timestamp_seconds",
        "Start of the newest backup that succeeded.",
        lambda s: s.recovery.recovery_point,
    ),
)

DETAIL: tuple[AnyFamily, ...] = (
    BUILD,
    Family("orchestrator_agency", "info", "Agencies in service.", ("agency", "framework", "site"), _agencies),
    StateFamily(
        "orchestrator_service_state",
        "1 for the state a service instance is in, 0 for the others.",
        SERVICE,
        tuple(state.value for state in InstanceState),
        lambda s: s.services,
    ),
    *WORK,
    DRIFT,
    WORK_ORDERS,
    *PROBING,
    *SERVICE_LEVELS,
    *RECOVERY,
)
