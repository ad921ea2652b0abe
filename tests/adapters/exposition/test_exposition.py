"""The exposition: complete, valid for promtool, and within the rules for labels."""

import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.adapters.exposition.detail import DETAIL
from orchestrator.adapters.exposition.negotiated import Exposition
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.instance import InstanceState
from orchestrator.domain.service_levels.record import State
from orchestrator.ports.figures import BOUNDS, ProbingFigures, RecoveryFigures, ServiceLevelFigures, Snapshot
from tests.adapters.exposition.snapshots import COMPONENTS, SERIES_AN_AGENCY, histogram
from tests.adapters.exposition.snapshots import snapshot as whole

LABELS = {"agency", "component", "framework", "lot", "site", "verb", "outcome", "measure", "state"}


SNAPSHOT = Snapshot(
    agencies=(("a1", "A One", "flex", "practice"),),
    services=(("a1", "network", InstanceState.IN_SERVICE), ("a1", "desktop", InstanceState.FAILED)),
    runs=(("onboard", "succeeded", 3), ("onboard", "failed", 1), ("change", "running", 2)),
    run_durations=(histogram("onboard", "succeeded"),),
    step_durations=(histogram("network", "verify", "failed"),),
    onboarding_durations=(histogram("flex"),),
    drift=[("a1", "network", 0.0), ("a1", "desktop", 2.0)],
    work_orders=[("a1", "desktop", "overdue", 2)],
    recovery=RecoveryFigures(
        drills=[("a1", "desktop", "pass", 4), ("a1", "desktop", "fail", 1)],
        last_success=[("a1", "desktop", 1.7e9)],
        next_scheduled=[("a1", "desktop", 1.8e9)],
        rto=[("a1", "desktop", 15.8)],
        rpo=[("a1", "desktop", 900.0)],
        rto_objective=[("a1", "desktop", 14400.0)],
        rpo_objective=[("a1", "desktop", 86400.0)],
        recovery_point=[("a1", "desktop", 1.75e9)],
    ),
    probing=ProbingFigures(
        up=[("a1", "network", 1.0), ("a1", "desktop", 0.0)],
        readings={State.UP: 7, State.DOWN: 2, State.UNKNOWN: 1},
        late_seconds=0.25,
    ),
    service_levels=ServiceLevelFigures(
        eligible_seconds=[("a1", "desktop", 36000.0)],
        bad_seconds=[("a1", "desktop", 90.0)],
        availability=[("a1", "desktop", 0.9975)],
        target=[("a1", "desktop", 0.995)],
        coverage=[("a1", "desktop", 1.0)],
        eligible_period=[("a1", "desktop", 720000.0)],
    ),
)


def scraped(snapshot: Snapshot, accept: str = "text/plain", tier: str = "detail") -> tuple[str, str]:
    """Text and content type."""
    slices, content_type = Exposition(lambda: snapshot).render(accept, tier)
    return b"".join(slices).decode(), content_type


def series_of(text: str) -> int:
    return sum(1 for line in text.splitlines() if not line.startswith("#"))


@pytest.fixture(scope="module")
def text() -> str:
    return scraped(SNAPSHOT)[0]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="this machine has no promtool")
@pytest.mark.parametrize("tier", ["detail", "summary"])
def test_promtool_finds_no_problems(tier: str) -> None:
    text, _ = scraped(whole(3), tier=tier)
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_exposition_has_every_family_with_its_values(text: str) -> None:
    samples = {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }
    assert samples["orchestrator_runs_total", (("outcome", "succeeded"), ("verb", "onboard"))] == 3
    assert samples["orchestrator_runs_open", (("state", "running"),)] == 2
    assert samples["orchestrator_runs_open", (("state", "queued"),)] == 0
    where = (("agency", "a1"), ("framework", "flex"), ("site", "practice"))
    assert samples["orchestrator_agency_info", where] == 1
    states = {
        dict(labels)["state"]: value
        for (name, labels), value in samples.items()
        if name == "orchestrator_service_state" and dict(labels)["component"] == "desktop"
    }
    assert states == {s.value: float(s is InstanceState.FAILED) for s in InstanceState}
    assert samples["orchestrator_onboarding_duration_seconds_sum", (("framework", "flex"),)] == 123.5
    labels = (("component", "network"), ("outcome", "failed"), ("verb", "verify"))
    assert samples["orchestrator_step_duration_seconds_count", labels] == len(BOUNDS)


def test_recovery_is_reported_by_agency_and_component(text: str) -> None:
    where = 'agency="a1",component="desktop"'
    for line in (
        f'orchestrator_drills_total{{{where},outcome="pass"}} 4.0',
        f"orchestrator_drill_rto_seconds{{{where}}} 15.8",
        f"orchestrator_drill_rto_objective_seconds{{{where}}} 14400.0",
        f"orchestrator_drill_rpo_seconds{{{where}}} 900.0",
        f"orchestrator_drill_rpo_objective_seconds{{{where}}} 86400.0",
        f"orchestrator_drill_last_success_timestamp_seconds{{{where}}} 1700000000.0",
        f"orchestrator_drill_next_timestamp_seconds{{{where}}} 1800000000.0",
        f"orchestrator_recovery_point_timestamp_seconds{{{where}}} 1750000000.0",
    ):
        assert line in text.splitlines()


def test_drift_is_reported_by_agency_and_component(text: str) -> None:
    assert 'orchestrator_drift_changed{agency="a1",component="network"} 0.0' in text.splitlines()
    assert 'orchestrator_drift_changed{agency="a1",component="desktop"} 2.0' in text.splitlines()


def test_probing_is_reported_without_unknown_values(text: str) -> None:
    lines = text.splitlines()
    for line in (
        'orchestrator_service_up{agency="a1",component="network"} 1.0',
        'orchestrator_service_up{agency="a1",component="desktop"} 0.0',
        'orchestrator_probes_total{state="unknown"} 1.0',
        "orchestrator_probes_late_seconds 0.25",
    ):
        assert line in lines


def test_service_levels_are_reported_by_agency_and_component(text: str) -> None:
    where = 'agency="a1",component="desktop"'
    for line in (
        f"orchestrator_sla_eligible_seconds_total{{{where}}} 36000.0",
        f"orchestrator_sla_bad_seconds_total{{{where}}} 90.0",
        f"orchestrator_sla_availability_ratio{{{where}}} 0.9975",
        f"orchestrator_sla_target_ratio{{{where}}} 0.995",
        f"orchestrator_sla_coverage_ratio{{{where}}} 1.0",
        f"orchestrator_sla_eligible_period_seconds{{{where}}} 720000.0",
    ):
        assert line in text.splitlines()


@pytest.mark.parametrize("tier", ["detail", "summary"])
def test_names_and_labels_are_those_of_the_contract(tier: str) -> None:
    families = list(text_string_to_metric_families(scraped(whole(2), tier=tier)[0]))
    assert len(families) >= 15
    for family in families:
        assert family.name.startswith("orchestrator_")
        assert family.documentation
        for sample in family.samples:
            assert set(sample.labels) <= LABELS | {"le", "version"}, sample
            assert sample.name.endswith("_total") == (family.type == "counter")


@pytest.mark.parametrize("tier", ["detail", "summary"])
def test_a_scraper_may_ask_for_openmetrics(tier: str) -> None:
    text, content_type = scraped(whole(2), "application/openmetrics-text; version=1.0.0", tier)
    assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert len(list(openmetrics(text))) >= 15
    assert scraped(SNAPSHOT, "*/*")[1] == "text/plain; version=0.0.4; charset=utf-8"


def test_the_content_type_names_the_format_that_was_written() -> None:
    assert "1.0.0" in scraped(SNAPSHOT, "application/openmetrics-text; version=2.0.0")[1]
    assert "0.0.4" in scraped(SNAPSHOT, "text/plain; version=1.0.0; escaping=allow-utf-8")[1]


def test_an_unknown_tier_is_refused_with_the_two_that_exist() -> None:
    with pytest.raises(OrchestratorError, match="there is no tier 'sumary' of metrics") as raised:
        scraped(SNAPSHOT, tier="sumary")
    assert (raised.value.kind, raised.value.hint) == (Kind.INVALID, "?tier= is one of detail, summary")


def test_every_family_is_in_the_document(root: Path) -> None:
    document = (root / "docs/monitoring.md").read_text()
    for family in DETAIL:
        name = family.name.removeprefix("orchestrator_") + getattr(family, "suffix", "")
        assert f"`{name}`" in document or name.replace("_objective", "") in document, name


class TestCardinality:
    def test_of_detail_matches_the_document(self) -> None:
        one, eleven = (series_of(scraped(whole(n))[0]) for n in (1, 11))
        assert eleven - one == 10 * SERIES_AN_AGENCY

    def test_of_a_summary_does_not_grow_with_the_number_of_agencies(self) -> None:
        assert series_of(scraped(whole(600), tier="summary")[0]) == series_of(scraped(whole(900), tier="summary")[0])
        assert "agency=" not in scraped(whole(60), tier="summary")[0]


class TestASummary:
    @pytest.fixture(scope="class")
    def samples(self) -> dict[str, float]:
        """Samples of the desktops under `flex` at the site `north`: agencies 0, 6, 12, ..., 54."""
        text, _ = scraped(whole(60), tier="summary")
        where = {"framework": "flex", "site": "north", "component": "desktop"}
        return {
            s.name.removeprefix("orchestrator_fleet_")
            + str(s.labels.get("outcome", s.labels.get("state", ""))): s.value
            for family in text_string_to_metric_families(text)
            for s in family.samples
            if where.items() <= s.labels.items()
        }

    def test_adds_up_the_figures_of_detail(self, samples: dict[str, float]) -> None:
        numbers = [agency * len(COMPONENTS) + COMPONENTS.index("desktop") for agency in range(0, 60, 6)]
        assert samples["sla_eligible_seconds"] == sum(1.2e6 + 30.0 * n for n in numbers)
        assert samples["services_probed"] == len(numbers)
        assert samples["services_up"] == sum(n % 50 != 7 for n in numbers)
        assert samples["servicesin_service"] + samples.get("servicesfailed", 0) == len(numbers)
        assert samples["drillspass"] == sum(n % 7 for n in numbers)
        assert samples["drill_rto_missed"] == 0
        assert samples["sla_missed"] == sum(1 - n % 1000 / 77_777 < 0.995 for n in numbers)

    def test_shows_the_worst_value(self, samples: dict[str, float]) -> None:
        last = 54 * len(COMPONENTS) + COMPONENTS.index("desktop")
        assert samples["recovery_point_oldest_timestamp_seconds"] == 1.79e9 - 3600 - 0.001 * last
        assert samples["sla_lowest_coverage_ratio"] == 1 - last / 55_555
