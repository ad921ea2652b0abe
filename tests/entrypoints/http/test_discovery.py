"""/sd, as an existing Prometheus reads it, and the configuration that the documents show."""

import re
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient

from orchestrator.bootstrap import build
from orchestrator.domain.ordering.agency import AgencyRecord, StoredPlan
from orchestrator.domain.ordering.instance import InstanceState
from orchestrator.entrypoints.http.server import http_application
from orchestrator.settings import Settings
from orchestrator.usecases.probing.discovering import MODULES
from tests.entrypoints.cli.conftest import InProcess
from tests.probed import probed_catalog

PROBES = (
    '{kind: http, target: "https://{place_address}/", every: PT1M}',
    '{kind: dns, target: "{subnet_gateway}/gateway.{agency_domain}", every: PT1M}',
)


def blocks(root: Path) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (root / "docs/service-levels.md").read_text(), re.DOTALL)


def test_discovery_lists_targets_with_their_labels(swift: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = probed_catalog(swift.folder, *PROBES)
    for name, value in (swift.environment | {"ORCHESTRATOR_CATALOG": str(catalog)}).items():
        monkeypatch.setenv(name, value)
    plan = swift.json("plan", swift.order(services={"alpha": {}}), expect=0)
    with build(Settings()) as app:
        with app.base.store.begin() as tx:
            stored = tx.plans.get(plan["plan"])
            assert stored is not None
            wish = stored.plan.desired["alpha"]
            assert wish is not None
            tx.agencies.put(_record(stored))
            tx.instances.put(wish.model_copy(update={"state": InstanceState.IN_SERVICE}))
        client = TestClient(http_application(app), base_url="http://localhost")
        labels = {"agency": "test-agency", "component": "alpha", "site": "bench"}
        assert client.get("/sd/http").json() == [
            {"targets": ["https://127.0.0.1/"], "labels": {**labels, "__param_module": "http_2xx"}}
        ]
        [dns] = client.get("/sd/dns").json()
        assert re.fullmatch(r"10\.\d+\.\d+\.1:53", dns["targets"][0])
        assert client.get("/sd/tcp").json() == []
        refused = client.get("/sd/sip")
        assert (refused.status_code, refused.json()["title"]) == (404, "discovery has no kind 'sip'")


def _record(stored: StoredPlan) -> AgencyRecord:
    assert stored.order is not None
    agency, order = stored.order.agency, stored.order
    return AgencyRecord(
        id=agency.id,
        name=agency.name,
        framework=order.framework,
        site=order.site,
        call_off=order,
        committed=Decimal(0),
        created_at=stored.created_at,
    )


@pytest.mark.skipif(shutil.which("promtool") is None, reason="this machine has no promtool")
def test_the_scrape_configuration_in_the_documents_is_valid(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "prometheus.yml"
    file.write_text(blocks(root)[0])
    done = subprocess.run(["promtool", "check", "config", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = re.findall(r"/sd/(\w+)", blocks(root)[0])
    assert set(kinds) <= {kind.value for kind in MODULES}


def test_the_documents_have_every_module_that_discovery_names(root: Path) -> None:
    assert set(yaml.safe_load(blocks(root)[1])["modules"]) == set(MODULES.values())
