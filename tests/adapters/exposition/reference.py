"""The reference for the exposition: the families of `detail`, rendered by prometheus_client itself."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from orchestrator.domain.ordering.instance import InstanceState
from orchestrator.domain.runs.run import UNFINISHED_RUN
from orchestrator.ports.figures import BOUNDS, Histogram, ProbingFigures, RecoveryFigures, ServiceLevelFigures, Snapshot

SERVICE = ("agency", "component")
Gauge, Counter = GaugeMetricFamily, CounterMetricFamily


class RecordsCollector(Collector):
    """Every family that the records can provide."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def describe(self) -> Iterable[Metric]:
        return ()  # registering must not read the database

    def collect(self) -> Iterator[Metric]:
        snapshot = self._snapshot()
        yield _build()
        yield _agencies(snapshot)
        yield _services(snapshot)
        yield from _runs(snapshot)
        yield _histogram(
            "orchestrator_run_duration_seconds",
            "How long finished runs took, by what they were for and how they ended.",
            ("verb", "outcome"),
            snapshot.run_durations,
        )
        yield _histogram(
            "orchestrator_step_duration_seconds",
            "How long finished steps took in their last attempt.",
            ("component", "verb", "outcome"),
            snapshot.step_durations,
        )
        yield _histogram(
            "orchestrator_onboarding_duration_seconds",
            "From the plan that was applied to the agency being in service.",
            ("framework",),
            snapshot.onboarding_durations,
        )
        yield _drift(snapshot)
        yield _work_orders(snapshot)
        yield from _probing(snapshot.probing)
        yield from _service_levels(snapshot.service_levels)
        yield from _recovery(snapshot.recovery)


def _build() -> Metric:
    family = InfoMetricFamily("orchestrator_build", "The version that answers.")
    family.add_metric((), {"version": version("shared-service-orchestrator")})
    return family


def _agencies(snapshot: Snapshot) -> Metric:
    family = InfoMetricFamily("orchestrator_agency", "Agencies in service.", labels=("agency", "framework", "site"))
    for agency, _, framework, site in snapshot.agencies:
        family.add_metric((agency, framework, site), {})
    return family


def _services(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "orchestrator_service_state",
        "1 for the state a service instance is in, 0 for the others.",
        labels=("agency", "component", "state"),
    )
    for agency, component, state in snapshot.services:
        for possible in InstanceState:
            family.add_metric((agency, component, possible.value), float(state == possible))
    return family


def _runs(snapshot: Snapshot) -> Iterator[Metric]:
    finished = CounterMetricFamily("orchestrator_runs", "Runs that have ended.", labels=("verb", "outcome"))
    open_now = GaugeMetricFamily("orchestrator_runs_open", "Runs that have not ended.", labels=("state",))
    open_states = {state.value: 0 for state in UNFINISHED_RUN}
    for purpose, state, count in snapshot.runs:
        if state in open_states:
            open_states[state] += count
        else:
            finished.add_metric((purpose, state), count)
    for state, count in open_states.items():
        open_now.add_metric((state,), count)
    yield finished
    yield open_now


def _work_orders(snapshot: Snapshot) -> Metric:
    labels, words = (*SERVICE, "state"), "Tickets that runs wait for, by whether they are on time."
    family = GaugeMetricFamily("orchestrator_work_orders", words, labels=labels)
    for agency, component, state, count in snapshot.work_orders:
        family.add_metric((agency, component, state), count)
    return family


def _service_levels(figures: ServiceLevelFigures) -> Iterator[Metric]:
    for name, help_text, values, kind in (
        (
            "sla_eligible_seconds",
            "Measured service time: within service hours, outside agreed maintenance.",
            figures.eligible_seconds,
            Counter,
        ),
        ("sla_bad_seconds", "Eligible time in which the service was down.", figures.bad_seconds, Counter),
        ("sla_availability_ratio", "Availability in the running month so far.", figures.availability, Gauge),
        ("sla_target_ratio", "Availability promised.", figures.target, Gauge),
        (
            "sla_coverage_ratio",
            "Share of the time due in the running month that was measured.",
            figures.coverage,
            Gauge,
        ),
        (
            "sla_eligible_period_seconds",
            "Service time of a month of the contract, over which its budget of downtime is spread.",
            figures.eligible_period,
            Gauge,
        ),
    ):
        family = kind(f"orchestrator_{name}", help_text, labels=SERVICE)
        for agency, component, value in values:
            family.add_metric((agency, component), value)
        yield family


def _recovery(figures: RecoveryFigures) -> Iterator[Metric]:
    drills = CounterMetricFamily(
        "orchestrator_drills", "Drills that have ended, by verdict or final state.", labels=(*SERVICE, "outcome")
    )
    for agency, component, outcome, count in figures.drills:
        drills.add_metric((agency, component, outcome), count)
    yield drills
    for name, help_text, values in (
        ("drill_last_success_timestamp_seconds", "When the newest drill that passed ended.", figures.last_success),
        ("drill_next_timestamp_seconds", "When the next drill is due.", figures.next_scheduled),
        ("drill_rto_seconds", "Recovery time measured by the newest drill that reached it.", figures.rto),
        ("drill_rto_objective_seconds", "Recovery time promised.", figures.rto_objective),
        ("drill_rpo_seconds", "Recovery point measured by the newest drill, upper end.", figures.rpo),
        ("drill_rpo_objective_seconds", "Recovery point promised.", figures.rpo_objective),
        ("recovery_point_timestamp_seconds", "Start of the newest backup that succeeded.", figures.recovery_point),
    ):
        family = GaugeMetricFamily(f"orchestrator_{name}", help_text, labels=SERVICE)
        for agency, component, value in values:
            family.add_metric((agency, component), value)
        yield family


def _drift(snapshot: Snapshot) -> Metric:
    told = (
        "Tasks that would change something, by the newest comparison with what is recorded; none when there is none "
        "that holds."
    )
    family = GaugeMetricFamily("orchestrator_drift_changed", told, labels=SERVICE)
    for agency, component, changed in snapshot.drift:
        family.add_metric((agency, component), changed)
    return family


def _probing(figures: ProbingFigures) -> Iterator[Metric]:
    up_or_down = "1 for a service that is up, 0 for one that is down; none for one of which nobody knows."
    up = GaugeMetricFamily("orchestrator_service_up", up_or_down, labels=SERVICE)
    for agency, component, value in figures.up:
        up.add_metric((agency, component), value)
    probes = CounterMetricFamily(
        "orchestrator_probes", "Probes by this process, by what they found.", labels=("state",)
    )
    for state, count in figures.readings.items():
        probes.add_metric((state.value,), count)
    late = "How late the latest probe of this process began; none while another process probes."
    lateness = GaugeMetricFamily("orchestrator_probes_late_seconds", late, labels=())
    if figures.late_seconds is not None:
        lateness.add_metric((), figures.late_seconds)
    yield from (up, probes, lateness)


def _histogram(name: str, help_text: str, labels: Sequence[str], histograms: Sequence[Histogram]) -> Metric:
    family = HistogramMetricFamily(name, help_text, labels=labels)
    for h in histograms:
        buckets = [(str(bound), float(count)) for bound, count in zip(BOUNDS, h.at_most, strict=True)]
        family.add_metric(h.labels, [*buckets, ("+Inf", float(h.count))], h.total_seconds)
    return family


def rendered(snapshot: Snapshot, *, as_openmetrics: bool) -> bytes:
    """The exposition of a snapshot, by prometheus_client."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(RecordsCollector(lambda: snapshot))
    return openmetrics.generate_latest(registry) if as_openmetrics else generate_latest(registry)
