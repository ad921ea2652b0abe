"""`serve` as a scraper and a load balancer see it: a real process on a real port."""

import json
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request

import pytest

from tests.entrypoints.cli.conftest import CommandLine, eventually

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> tuple[int, str, str]:
    """Status, content type and body."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def answers(port: int) -> bool:
    try:
        return get(port, "/healthz")[0] == 200
    except OSError:
        return False


class TestServe:
    def test_works_on_runs_and_reports_them_to_prometheus(self, orchestrator: CommandLine) -> None:
        port = free_port()
        server = orchestrator.start("serve", "--port", port)
        eventually(lambda: answers(port))
        ready = eventually(lambda: (r := json.loads(get(port, "/readyz")[2]))["workers"] == 1 and r)
        assert ready == {"status": "ready", "workers": 1}

        order = orchestrator.order(services={"alpha": {}})
        orchestrator("apply", order, "--yes")
        assert orchestrator.journal().count("provisioned test-agency here") == 1
        status, content_type, text = get(port, "/metrics")
        assert status == 200
        assert content_type.startswith("text/plain")
        assert 'orchestrator_agency_info{agency="test-agency",framework="trial",site="bench"} 1.0' in text
        assert 'orchestrator_service_state{agency="test-agency",component="alpha",state="in_service"} 1.0' in text
        assert 'orchestrator_runs_total{outcome="succeeded",verb="onboard"} 1.0' in text
        if shutil.which("promtool"):
            subprocess.run(["promtool", "check", "metrics"], input=text, text=True, check=True)

        summary = get(port, "/metrics?tier=summary")[2]
        assert 'orchestrator_fleet_agencies{framework="trial",site="bench"} 1.0' in summary
        assert "test-agency" not in summary
        status, content_type, body = get(port, "/metrics?tier=sumary")
        assert (status, content_type) == (422, "application/problem+json")
        assert json.loads(body)["hint"] == "?tier= is one of detail, summary"

        server.send_signal(signal.SIGTERM)
        assert server.wait(15) == 0

    def test_says_it_is_not_ready_without_its_database(self, orchestrator: CommandLine) -> None:
        port = free_port()
        orchestrator.start("serve", "--port", port, "--no-worker")
        eventually(lambda: answers(port))
        for file in orchestrator.home.glob("orchestrator.db*"):
            file.write_bytes(b"not a database at all" * 10_000)
        status, content_type, body = eventually(lambda: (r := get(port, "/readyz"))[0] == 503 and r)
        assert (status, content_type) == (503, "application/problem+json")
        assert json.loads(body)["type"] == "urn:orchestrator:unavailable"
        assert get(port, "/metrics")[:2] == (503, "application/problem+json")
        assert get(port, "/healthz")[0] == 200

    def test_names_a_port_that_is_taken(self, orchestrator: CommandLine) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            said = orchestrator("serve", "--port", taken.getsockname()[1], "--no-worker", expect=75)
        assert "cannot listen on 127.0.0.1" in said.stderr

    @pytest.mark.parametrize("file", ["orchestrator.db", "secret.key", "evidence.key", "installation"])
    def test_says_it_is_not_ready_when_a_file_is_deleted_under_it(self, orchestrator: CommandLine, file: str) -> None:
        port = free_port()
        orchestrator.start("serve", "--port", port)
        eventually(lambda: answers(port) and get(port, "/readyz")[0] == 200)
        (orchestrator.home / file).unlink()
        status, _, body = get(port, "/readyz")
        assert status == 503
        assert json.loads(body)["hint"]
        if file == "orchestrator.db":
            assert not (orchestrator.home / file).exists(), "nobody makes a new one"
