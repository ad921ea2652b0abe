"""Service levels on the command line: an agency in service, and the commands about its month."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from tests.entrypoints.cli.conftest import CommandLine, InProcess

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> Path:
    """The folder of a command line that has put alpha into service."""
    command = CommandLine(tmp_path_factory.mktemp("applied"))
    command.begin(installed)
    command("apply", command.order(services={"alpha": {}}), "--yes")
    return command.folder


@pytest.fixture
def served(applied: Path, capsys: pytest.CaptureFixture[str]) -> InProcess:
    return InProcess(applied, capture=capsys)


def declared(orchestrator: InProcess, kind: str, *more: str, ahead: timedelta) -> dict[str, object]:
    start = datetime.now(UTC) + ahead
    edges = ("--start", f"{start:%Y-%m-%dT%H:%M}+0000", "--end", f"{start + timedelta(hours=2):%Y-%m-%dT%H:%M}+0000")
    return dict(orchestrator.json("sla", "declare", kind, "test-agency", *more, *edges, "--why", "a test"))


def test_the_current_month_is_shown(served: InProcess) -> None:
    [line] = served.json("sla", "show")["agencies"]
    assert (line["agency"], line["closed"], line["points"]) == ("test-agency", False, 0)
    report = served.json("sla", "show", "test-agency")
    assert report["version"] is None
    assert [m["target"] for m in report["measures"] if m["measure"] == "backups"] == ["95.0"]
    assert report["services"] == [], "alpha has no probes"
    said = served("sla", "show", "test-agency").stdout
    assert "onboarding-lead-time" in said
    assert "nothing to judge" in said


def test_the_report_is_written_as_a_page(served: InProcess, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    served("sla", "report", "test-agency", "--page", page)
    assert "<h1>" in page.read_text()


def test_maintenance_counts_once_it_is_accepted(served: InProcess) -> None:
    told = declared(served, "maintenance", "alpha", ahead=timedelta(days=6))
    assert told["objection"] == "the agency has not accepted it"
    accepted = served.json("sla", "accept", told["declaration"], "--as", "Jo Bloggs")
    assert (accepted["accepted_by"], accepted["objection"]) == ("Jo Bloggs", None)
    [listed] = served.json("sla", "declarations")["declarations"]
    assert listed["objection"] is None
    assert "Jo Bloggs" in served("sla", "declarations", "--agency", "test-agency").stdout
    assert "cannot end earlier" in served("sla", "end", told["declaration"], expect=2).stderr


def test_impossible_requests_are_refused(served: InProcess) -> None:
    for words, code, complaint in (
        (("sla", "close", "2026-13"), 2, "write year and month, such as 2026-04"),
        (("sla", "close", "2020-01"), 4, "no agency had anything in service in 2020-01"),
        (("sla", "report", "test-agency", "2020-01"), 4, "had nothing in service in 2020-01"),
        (("sla", "show", "nobody"), 4, "there is no agency 'nobody'"),
        (("sla", "accept", "7"), 4, "there is no declaration 7"),
    ):
        assert complaint in served(*words, expect=code).stderr


def test_a_month_is_closed_when_it_is_over(served: InProcess) -> None:
    this = f"{datetime.now(UTC):%Y-%m}"
    assert f"{this} is not over in Europe/London" in served("sla", "close", this, expect=5).stderr


def test_promises_are_exported_to_other_tools(served: InProcess) -> None:
    service, slo = yaml.safe_load_all(served("sla", "openslo").stdout)
    assert {document["apiVersion"] for document in (service, slo)} == {"openslo/v1"}
    assert slo["spec"]["service"] == service["metadata"]["name"] == "test-agency-alpha"
    assert slo["spec"]["objectives"] == [{"displayName": "Promised", "target": 0.99}]
    ratio = slo["spec"]["indicator"]["spec"]["ratioMetric"]
    labels = '{agency="test-agency",component="alpha"}'
    queries = {part: ratio[part]["metricSource"]["spec"]["query"] for part in ("bad", "total")}
    assert queries == {
        "bad": f"orchestrator_sla_bad_seconds_total{labels}",
        "total": f"orchestrator_sla_eligible_seconds_total{labels}",
    }
    assert slo["spec"]["timeWindow"][0]["calendar"]["timeZone"] == "Europe/London"
