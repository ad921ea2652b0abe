"""A real Prometheus scrapes our metrics, and an outage in service hours arrives in a real Alertmanager."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitoring.dashboards.generate import DASHBOARDS, write
from tests.adapters.exposition.snapshots import SERIES_AN_AGENCY
from tests.conftest import ROOT
from tests.entrypoints.cli.conftest import eventually
from tests.monitoring.conftest import Watchers, ask
from tests.monitoring.telling import AGENCIES, NIGHT, OUTAGE

FILES = sorted((ROOT / "monitoring/dashboards").glob("*.json"))
VARIABLES = {"$agency": "agency-1", "$__rate_interval": "1m"}


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def queries() -> Iterator[Any]:
    for file in FILES:
        for panel in panels(json.loads(file.read_text())):
            for target in panel.get("targets", []):
                yield pytest.param(target["expr"], id=f"{file.stem}-{panel['title'][:30]}-{target['refId']}")


class TestDashboards:
    def test_stay_the_same_when_generated_again(self, tmp_path: Path) -> None:
        write(tmp_path)
        assert {f.name: f.read_text() for f in tmp_path.iterdir()} == {f.name: f.read_text() for f in FILES}

    def test_have_stable_ids(self) -> None:
        assert {json.loads(f.read_text())["uid"] for f in FILES} == {f"orchestrator-{name}" for name in DASHBOARDS}
        for file in FILES:
            ids = [panel["id"] for panel in panels(json.loads(file.read_text()))]
            assert ids == list(range(1, len(ids) + 1))

    @pytest.mark.slow
    def test_ask_only_for_metrics_that_exist(self, watchers: Watchers) -> None:
        """A query below may be answered from some of the metrics it names; here each of them must exist."""
        names = {name for q in queries() for name in re.findall(r"\borchestrator[a-z0-9_:]+", q.values[0])}
        assert len(names) > 20
        assert [name for name in sorted(names) if not watchers.query(f'{{__name__="{name}"}}')] == []

    @pytest.mark.slow
    @pytest.mark.parametrize("expr", queries())
    def test_get_data_for_every_query(self, watchers: Watchers, expr: str) -> None:
        for variable, value in VARIABLES.items():
            expr = expr.replace(variable, value)
        assert "$" not in expr
        found = watchers.query(expr)
        assert any(series["value"][1] != "NaN" for series in found), expr


@pytest.mark.slow
class TestAScrape:
    def test_delivers_every_series(self, watchers: Watchers) -> None:
        [samples] = watchers.query("scrape_samples_scraped")
        assert int(samples["value"][1]) >= AGENCIES * SERIES_AN_AGENCY
        assert len(watchers.query("orchestrator_service_state == 1")) == AGENCIES * 5
        [up] = watchers.query("min_over_time(up[1m])")
        assert up["value"][1] == "1"

    def test_delivers_types_and_help_texts(self, watchers: Watchers) -> None:
        told = ask(f"{watchers.prometheus}/api/v1/metadata")["data"]
        assert told["orchestrator_sla_bad_seconds"][0]["type"] == "counter"  # OpenMetrics: the family has no suffix
        assert told["orchestrator_run_duration_seconds"][0]["type"] == "histogram"
        assert all(m[0]["help"] for name, m in told.items() if name.startswith("orchestrator_"))


@pytest.mark.slow
class TestAnOutage:
    def test_in_service_hours_raises_an_alert_that_arrives(self, watchers: Watchers) -> None:
        wanted = {("ServiceDown", *OUTAGE), ("ErrorBudgetBurnsFast", *OUTAGE)}
        eventually(lambda: wanted <= watchers.firing())
        eventually(lambda: wanted <= watchers.arrived())

    def test_outside_service_hours_calls_nobody(self, watchers: Watchers) -> None:
        eventually(lambda: ("ErrorBudgetBurnsFast", *OUTAGE) in watchers.firing())
        assert watchers.query(f'orchestrator_service_up{{agency="{NIGHT[0]}",component="{NIGHT[1]}"}} == 0')
        about = {alert[0] for alert in watchers.firing() | watchers.arrived() if alert[1:] == NIGHT}
        assert {alert for alert in about if alert.startswith(("ErrorBudget", "Service"))} == set()

    def test_pages_for_no_other_service(self, watchers: Watchers) -> None:
        eventually(lambda: ("ErrorBudgetBurnsFast", *OUTAGE) in watchers.arrived())
        assert {alert[1:] for alert in watchers.arrived() if alert[0].startswith("ErrorBudget")} == {OUTAGE}


@pytest.mark.skipif(shutil.which("amtool") is None, reason="this machine has no amtool")
class TestTheAlertmanagerExample:
    FILE = ROOT / "monitoring/alertmanager.yml"

    def amtool(self, *words: str) -> str:
        done = subprocess.run(["amtool", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def test_is_valid(self) -> None:
        assert "SUCCESS" in self.amtool("check-config", str(self.FILE))

    @pytest.mark.parametrize(("severity", "receiver"), [("page", "on-call"), ("ticket", "tickets")])
    def test_sends_pages_and_tickets_to_different_receivers(self, severity: str, receiver: str) -> None:
        words = ("config", "routes", "test", f"--config.file={self.FILE}", "agency=a", f"severity={severity}")
        assert self.amtool(*words).strip() == receiver
