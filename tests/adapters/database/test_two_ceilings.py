"""Orders that arrive at once never pass the ceiling of their agreement, and none that fits is lost.

The agreements and the catalog are the project's own, with ceilings that about half of the orders fit under.
"""

import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.adapters.catalog_files.source import CatalogFiles
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.agency import StoredPlan
from orchestrator.domain.selling.agreement import CallOff
from tests.adapters.database.test_writers import store
from tests.conftest import ROOT
from tests.usecases.conftest import House, handed, house

__all__ = ["handed", "house", "store"]

AT_ONCE = 8
SEATS = range(1, 900)
WHOSE = {"flex": "central-government", "pan-london": "nhs-trust"}
POOLS = {
    "agency_numbers": {"first": 1, "last": 5000},
    "agency_networks": {"network": "10.0.0.0/8", "prefix": 24},
    "remote_access_ports": {"first": 10_000, "last": 20_000},
}


@pytest.fixture
def small_world(tmp_path: Path) -> CatalogFiles:
    """A copy of the project's own, at a site with room for all."""
    shutil.copytree(ROOT / "catalog", tmp_path / "catalog")
    site = tmp_path / "inventories/here"
    shutil.copytree(ROOT / "inventories/practice", site)
    facts = yaml.safe_load((site / "group_vars/all.yml").read_text())
    (site / "group_vars/all.yml").write_text(yaml.safe_dump({**facts, "site_pools": POOLS}))
    return CatalogFiles(
        catalog_dir=tmp_path / "catalog", inventories_dir=tmp_path / "inventories", playbooks_dir=ROOT / "playbooks"
    )


def order(number: int, framework: str, seats: int) -> CallOff:
    """A network for a year."""
    contact = {"role": "manager", "name": "M", "email": "m@a.example"}
    return CallOff.model_validate(
        {
            "framework": framework,
            "agency": {
                "id": f"a-{number}", "name": f"A {number}", "class": WHOSE[framework], "seats": seats,
                "contacts": [contact],
            },
            "site": "here",
            "term": {"start": "2026-12-01", "months": 12},
            "services": {"network": {"tier": "standard"}},
        }
    )  # fmt: skip


def price(call_off: CallOff) -> int:
    """Pounds: £3,200 a seat and £1,200 for the network under one agreement, £60 a seat under the other."""
    seats = call_off.agency.seats
    return seats * 3200 + 1200 if call_off.framework == "flex" else seats * 60


def lower_ceilings(source: CatalogFiles, orders: list[CallOff]) -> dict[str, int]:
    ceilings = {f: sum(price(o) for o in orders if o.framework == f) // 2 for f in WHOSE}
    for framework, ceiling in ceilings.items():
        file = source.catalog_dir / "frameworks" / f"{framework}.yml"
        terms: dict[str, Any] = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump({**terms, "ceiling": ceiling}))
    return ceilings


@pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.long)])
def test_orders_at_once_fill_both_ceilings_and_pass_neither(
    house: House, small_world: CatalogFiles, count: int
) -> None:
    chance = random.Random(count)
    orders = [order(n, chance.choice(tuple(WHOSE)), chance.choice(SEATS)) for n in range(count)]
    ceilings = lower_ceilings(small_world, orders)

    def refused(plan: StoredPlan) -> Kind | None:
        try:
            house.provisioning.open_run(plan.id)
        except OrchestratorError as error:
            return error.kind
        return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        plans = list(pool.map(house.planning.plan, orders))
        outcomes = list(pool.map(refused, plans))
    assert set(outcomes) == {None, Kind.NOT_COVERED}
    with house.store.read() as tx:
        there = {record.id for record in tx.agencies.all()}
        committed = {framework: tx.agencies.committed(framework, without="nobody") for framework in WHOSE}
    assert there == {o.agency.id for o, outcome in zip(orders, outcomes, strict=True) if outcome is None}
    for framework, ceiling in ceilings.items():
        mine = [o for o in orders if o.framework == framework]
        assert committed[framework] == Decimal(sum(price(o) for o in mine if o.agency.id in there))
        assert committed[framework] <= ceiling
        left = ceiling - committed[framework]
        assert all(price(o) > left for o in mine if o.agency.id not in there), "one that fits was refused"
