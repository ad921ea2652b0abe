"""The exposition: complete, clean for promtool, and within the label rules of the contract."""

import shutil
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.adapters.metrics import Exposition
from orchestrator.domain.instance import InstanceState
from orchestrator.domain.service_record import State
from orchestrator.usecases.ports import BOUNDS, Histogram, Snapshot
from orchestrator.usecases.probing_ports import ProbingFigures
from orchestrator.usecases.recovery_ports import RecoveryFigures

LABELS = {"agency", "component", "framework", "lot", "site", "verb", "outcome", "measure", "state"}


def histogram(*labels: str) -> Histogram:
    return Histogram(labels=labels, at_most=tuple(range(len(BOUNDS))), count=len(BOUNDS), total_seconds=123.5)


SNAPSHOT = Snapshot(
    agencies=(("a1", "A One", "flex", "practice"),),
    services=(("a1", "network", InstanceState.IN_SERVICE), ("a1", "desktop", InstanceState.FAILED)),
    runs=(("onboard", "succeeded", 3), ("onboard", "failed", 1), ("change", "running", 2)),
    run_durations=(histogram("onboard", "succeeded"),),
    step_durations=(histogram("network", "verify", "failed"),),
    onboarding_durations=(histogram("flex"),),
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
)


@pytest.fixture(scope="module")
def text() -> str:
    return Exposition(lambda: SNAPSHOT).render("text/plain")[0].decode()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="this machine has no promtool")
def test_promtool_finds_nothing_to_say(text: str) -> None:
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_holds_every_family_with_its_values(text: str) -> None:
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


def test_recovery_is_told_by_agency_and_component(text: str) -> None:
    where = 'agency="a1",component="desktop"'
    for line in (
        f'orchestrator_drills_total{{{where},outcome="pass"}} 4.0',
        f"orchestrator_drill_rto_seconds{{{where}}} 15.8",
        f"orchestrator_drill_rto_objective_seconds{{{where}}} 14400.0",
        f"orchestrator_drill_rpo_seconds{{{where}}} 900.0",
        f"orchestrator_drill_rpo_objective_seconds{{{where}}} 86400.0",
        f"orchestrator_drill_last_success_timestamp_seconds{{{where}}} 1.7e+09",
        f"orchestrator_drill_next_timestamp_seconds{{{where}}} 1.8e+09",
        f"orchestrator_recovery_point_timestamp_seconds{{{where}}} 1.75e+09",
    ):
        assert line in text.splitlines()


def test_probing_is_told_with_what_is_not_known_left_out(text: str) -> None:
    lines = text.splitlines()
    for line in (
        'orchestrator_service_up{agency="a1",component="network"} 1.0',
        'orchestrator_service_up{agency="a1",component="desktop"} 0.0',
        'orchestrator_probes_total{state="unknown"} 1.0',
        "orchestrator_probes_late_seconds 0.25",
    ):
        assert line in lines


def test_labels_are_those_of_the_contract(text: str) -> None:
    families = list(text_string_to_metric_families(text))
    assert len(families) >= 8
    for family in families:
        assert family.name.startswith("orchestrator_")
        assert family.documentation
        for sample in family.samples:
            assert set(sample.labels) <= LABELS | {"le", "version"}, sample


def test_a_scraper_may_ask_for_openmetrics() -> None:
    content, content_type = Exposition(lambda: SNAPSHOT).render("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert len(list(openmetrics(content.decode()))) >= 8
