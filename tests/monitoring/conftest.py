"""A real Prometheus with our rules and a real Alertmanager with our example, and a server that they scrape."""

import json
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.entrypoints.cli.conftest import eventually
from tests.postgres import free_port

PROGRAMS = ("prometheus", "prometheus-alertmanager", "promtool", "amtool")


@dataclass(frozen=True)
class Watchers:
    """Where Prometheus, Alertmanager and what they watch answer."""

    prometheus: str
    alertmanager: str
    orchestrator: str

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Series with their value at this instant."""
        found: list[dict[str, Any]] = ask(f"{self.prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": expr}))[
            "data"
        ]["result"]
        return found

    def firing(self) -> set[tuple[str, str, str]]:
        """(alert, agency, component), as Prometheus says."""
        return {named(alert["metric"]) for alert in self.query('ALERTS{alertstate="firing"}')}

    def arrived(self) -> set[tuple[str, str, str]]:
        """(alert, agency, component), as Alertmanager says."""
        return {named(alert["labels"]) for alert in ask(f"{self.alertmanager}/api/v2/alerts")}


def named(labels: dict[str, str]) -> tuple[str, str, str]:
    return labels["alertname"], labels.get("agency", ""), labels.get("component", "")


def ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True


@contextmanager
def running(*command: object, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen([str(word) for word in command], stdout=output, stderr=output, cwd=ROOT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def configure(folder: Path, *, alertmanager: int, orchestrator: int) -> Path:
    """The example with other ports, every second instead of every half minute, and alerts that wait for nothing: how
    long an alert waits is what the cases of promtool are about.
    """
    (folder / "rules").mkdir()
    for file in (ROOT / "monitoring/rules").glob("*.yml"):
        rules = yaml.safe_load(file.read_text())
        for rule in (rule for group in rules["groups"] for rule in group["rules"]):
            rule.pop("for", None)
        (folder / "rules" / file.name).write_text(yaml.safe_dump(rules))
    example = yaml.safe_load((ROOT / "monitoring/prometheus.yml").read_text())
    example["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    [scraping] = example["scrape_configs"] = example["scrape_configs"][:1]  # its hosts are in test_hosts.py
    del scraping["scrape_timeout"]
    scraping["static_configs"][0]["targets"] = [f"127.0.0.1:{orchestrator}"]
    example["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{alertmanager}"]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(example))
    return folder / "prometheus.yml"


@contextmanager
def watching(folder: Path, *, orchestrator: int) -> Iterator[Watchers]:
    """Prometheus and Alertmanager, watching what answers at a port of this machine, once it was scraped some times."""
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        pytest.skip(f"there is no {', '.join(missing)} here")
    prometheus, alertmanager = free_port(), free_port()
    config = configure(folder, alertmanager=alertmanager, orchestrator=orchestrator)
    alerting = (
        "prometheus-alertmanager",
        f"--config.file={ROOT / 'monitoring/alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{alertmanager}",
        "--cluster.listen-address=",
    )
    scraping = (
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{prometheus}",
    )
    with running(*alerting, log=folder / "alertmanager.log"), running(*scraping, log=folder / "prometheus.log"):
        made = Watchers(*(f"http://127.0.0.1:{port}" for port in (prometheus, alertmanager, orchestrator)))
        for ready in (f"{made.orchestrator}/healthz", f"{made.prometheus}/-/ready", f"{made.alertmanager}/-/ready"):
            eventually(lambda ready=ready: answers(ready))
        eventually(lambda: made.query('count_over_time(up{job="orchestrator"}[1m]) > 8'))
        yield made


@pytest.fixture(scope="session")
def watchers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watchers]:
    """Of a fleet that lives in a server of the tests' own."""
    folder, told = tmp_path_factory.mktemp("watchers"), free_port()
    with (
        running(sys.executable, "-m", "tests.monitoring.telling", told, log=folder / "telling.log"),
        watching(folder, orchestrator=told) as made,
    ):
        yield made
