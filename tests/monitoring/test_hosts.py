"""A real Prometheus finds agencies' own hosts and the hubs of branches by the example's jobs."""

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.entrypoints.cli.conftest import eventually
from tests.monitoring.conftest import answers, ask, running
from tests.postgres import free_port

ASKED: list[str] = []


class Answers(BaseHTTPRequestHandler):
    """In place of `serve`, which lists a host and a desk, and of that host's node exporter."""

    def do_GET(self) -> None:
        ASKED.append(self.path)
        own = f"http://127.0.0.1:{self.server.server_address[1]}"
        listed = [
            self._target("data-centre", f"{own}/metrics"),
            self._target("wide-area-network", f"{own}/"),
            self._target("security", f"{own}/"),
            self._target("service-desk", f"{own}/metrics"),
        ]
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if self.path == "/sd/http" else "text/plain")
        self.end_headers()
        self.wfile.write(json.dumps(listed).encode() if self.path == "/sd/http" else b"node_load1 0.5\n")

    def _target(self, component: str, url: str) -> dict[str, Any]:
        labels = {"agency": "a-one", "component": component, "site": "here", "__param_module": "http_2xx"}
        return {"targets": [url], "labels": labels}

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("component", ["data-centre", "wide-area-network", "security"])
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="this machine has no prometheus")
def test_what_has_figures_is_scraped_and_nothing_else_that_is_probed(component: str, port: int, tmp_path: Path) -> None:
    ASKED.clear()
    example = yaml.safe_load((ROOT / "monitoring/prometheus.yml").read_text())
    [job] = [job for job in example["scrape_configs"] if job["job_name"] == component]
    job["http_sd_configs"] = [{"url": f"http://127.0.0.1:{port}/sd/http"}]
    config, own = tmp_path / "prometheus.yml", free_port()
    config.write_text(yaml.safe_dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}))
    command = ("prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}")
    with running(*command, f"--web.listen-address=127.0.0.1:{own}", log=tmp_path / "log"):
        eventually(lambda: answers(f"http://127.0.0.1:{own}/-/ready"))
        query = f"http://127.0.0.1:{own}/api/v1/query?query=node_load1"
        eventually(lambda: ASKED.count("/metrics") > 4 and ask(query)["data"]["result"])
        labels = {"agency": "a-one", "component": component, "site": "here", "job": component}
        found = [series["metric"] for series in ask(query)["data"]["result"]]
        assert found == [{"__name__": "node_load1", "instance": f"127.0.0.1:{port}", **labels}]
    assert set(ASKED) == {"/sd/http", "/metrics"}
