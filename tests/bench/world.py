"""A provider of any size for the bench: eight components, as many agencies as asked for, nothing on any host."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from orchestrator.domain.selling.agreement import CallOff
from tests.conftest import WORLD

COMPONENTS = tuple(f"part-{n}" for n in range(1, 9))
AGENCIES_A_HOST = 50


def build(folder: Path, *, agencies: int) -> dict[str, str]:
    """Write catalog and inventory into a folder. The settings, as environment variables, that use them."""
    catalog, site = folder / "catalog", folder / "inventories" / "bench"
    for path in (catalog / "components", catalog / "frameworks", site / "group_vars"):
        path.mkdir(parents=True)
    template = yaml.safe_load((WORLD / "catalog/components/alpha.yml").read_text())
    for number, component in enumerate(COMPONENTS):
        needs = [COMPONENTS[0]] if number else []
        own = {"component": component, "needs": needs, "allocates": {} if number else {"subnet": "agency_networks"}}
        _write(catalog / "components" / f"{component}.yml", template | own)
    trial = yaml.safe_load((WORLD / "catalog/frameworks/trial.yml").read_text())
    trial["lots"]["core"]["components"] = list(COMPONENTS)
    trial["lots"]["call_off"]["components"] = []
    _write(catalog / "frameworks" / "trial.yml", trial | {"ceiling": 1e12})
    facts = yaml.safe_load((WORLD / "inventories/bench/group_vars/all.yml").read_text())
    pools = {"agency_numbers": {"first": 1, "last": 60_000}, "agency_networks": {"network": "10.0.0.0/8", "prefix": 24}}
    _write(site / "group_vars" / "all.yml", facts | {"site_pools": pools})
    hosts = {f"h{n}": {"ansible_host": "127.0.0.1"} for n in range(1, agencies // AGENCIES_A_HOST + 2)}
    _write(site / "hosts.yml", {"places": {"hosts": hosts}})
    return {
        "ORCHESTRATOR_HOME": str(folder / "home"),
        "ORCHESTRATOR_CATALOG": str(catalog),
        "ORCHESTRATOR_INVENTORIES": str(folder / "inventories"),
        "ORCHESTRATOR_PLAYBOOKS": str(WORLD / "playbooks"),
        "ORCHESTRATOR_LIMITS__RUNS": "10000",
        "ORCHESTRATOR_LIMITS__SITE": "10000",
        "ORCHESTRATOR_LIMITS__HOST": "10000",
    }


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(dict(document)))


def call_off(number: int) -> CallOff:
    """The order of the agency of a number: every component there is."""
    contact = {"role": "manager", "name": "M", "email": "m@a.example"}
    return CallOff.model_validate(
        {
            "framework": "trial",
            "agency": {"id": f"agency-{number}", "name": f"Agency {number}", "class": "agency", "seats": 10,
                       "contacts": [contact]},
            "site": "bench",
            "term": {"start": "2026-12-01", "months": 12},
            "services": {component: {"tier": "standard"} for component in COMPONENTS},
        }
    )  # fmt: skip
