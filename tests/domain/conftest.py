"""A catalog, an agreement and a site that are small enough to understand."""

from datetime import timedelta
from typing import Any

import pytest
import yaml

from orchestrator.domain.estate.allocation import Allocation, HostPool, NetworkPool, NumberPool, lowest_free
from orchestrator.domain.estate.site import Host, Site
from orchestrator.domain.ordering.plan import Basis
from orchestrator.domain.ordering.pool_requests import requests
from orchestrator.domain.selling.agreement import CallOff, FrameworkAgreement
from orchestrator.domain.selling.catalog import Catalog, Component
from tests.conftest import WORLD

TRIAL = WORLD / "catalog/frameworks/trial.yml"


def component(name: str, *, needs: tuple[str, ...] = (), dedicated: bool = False, **extra: Any) -> Component:
    return Component.model_validate(
        {
            "component": name,
            "title": name.title(),
            "description": "For tests.",
            "role": name.replace("-", "_"),
            "tenancy": "dedicated" if dedicated else "shared",
            "needs": needs,
            "hosts": {"main": f"{name}-hosts".replace("-", "_")},
            "parameters": {"type": "object", "properties": {"size": {"type": "integer", "default": 1}}},
            "tiers": {
                tier: {
                    "title": tier,
                    "recovery": {"rto": timedelta(hours=4), "rpo": timedelta(hours=24)},
                    "price": {"per": "unit" if dedicated else "agency", "per_year": price},
                    "watts": 5,
                }
                for tier, price in (("standard", "100.00"), ("premium", "300.00"))
            },
            "recovery": {"data": ["all"]},
            **extra,
        }
    )


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    components = [
        component("network", allocates={"subnet": "networks"}),
        component("desk", needs=("network",)),
        component("desktop", needs=("network",), dedicated=True),
        component("guard", tenancy="accompanying", hosts={"main": "desktop_hosts"}, recovery={"data": []}),
        component("disaster-recovery", recovery={"data": []}),
        component("workplace", people={"users": "door"}, secrets={"door": "password"}, accounts_from="directory"),
        component(
            "directory",
            people={"people": "word"},
            secrets={"word": "password", "seal": "authority"},
            vouches={"people": "people", "server": "ldaps://{main_address}", "name": "{person}", "authority": "seal"},
        ),
    ]
    return Catalog(components={c.component: c for c in components})


@pytest.fixture(scope="session")
def agreement() -> FrameworkAgreement:
    return FrameworkAgreement.model_validate(
        {
            "framework": "trial",
            "title": "Trial",
            "description": "For tests.",
            "authority": "A",
            "supplier": "S",
            "term": {"start": "2026-04-01", "months": 84},
            "first_call_off": "none",
            "ceiling": "1000000.00",
            "eligible_classes": ["agency", "central-government"],
            "lots": {"core": {"title": "Core", "scope": {"all": ["network", "desk", "desktop"]}}},
            "service_levels": yaml.safe_load(TRIAL.read_text())["service_levels"],
            "seat_price": {
                "title": "Core",
                "bands": [
                    {"seats": 1, "per_year": "3200.00"},
                    {"seats": 5000, "per_year": "2880.00"},
                    {"seats": 25000, "per_year": "2560.00"},
                    {"seats": 100000, "per_year": "2240.00"},
                ],
            },
        }
    )


@pytest.fixture(scope="session")
def site() -> Site:
    groups = {"gw1": "network_hosts", "desk1": "desk_hosts", "desk2": "desk_hosts"}
    groups |= {"work1": "workplace_hosts", "dir1": "directory_hosts"}
    groups |= {f"pc{n}": "desktop_hosts" for n in range(1, 5)}
    hosts = {
        name: Host(name=name, address=f"192.0.2.{n}", groups=(group,))
        for n, (name, group) in enumerate(groups.items(), 1)
    }
    pools = {
        "agency_numbers": NumberPool(first=1, last=254),
        "networks": NetworkPool.model_validate({"network": "10.64.0.0/16", "prefix": 24}),
        "hosts:desktop_hosts": HostPool(hosts=("pc1", "pc2", "pc3", "pc4")),
    }
    return Site(name="here", domain="here.internal", hosts=hosts, pools=pools)


def call_off(services: dict[str, Any], **agency: Any) -> CallOff:
    contact = {"role": "manager", "name": "M", "email": "m@a.example"}
    who = {"id": "a1", "name": "A One", "class": "agency", "seats": 10, "contacts": [contact], **agency}
    return CallOff.model_validate(
        {
            "framework": "trial",
            "agency": who,
            "site": "here",
            "term": {"start": "2026-12-01", "months": 12},
            "services": services,
        }
    )


def allocate(order: CallOff, *, catalog: Catalog, site: Site, held: dict[str, Allocation] | None = None,
             taken: dict[str, set[str]] | None = None) -> dict[str, Allocation]:  # fmt: skip
    """The allocations for `order`, as the ordering use-case would choose them."""
    given = dict(held or {})
    for request in requests(order, catalog):
        if request.name not in given:
            used = {a.block for a in given.values() if a.pool == request.pool} | (taken or {}).get(request.pool, set())
            block = lowest_free(site.pools[request.pool], taken=used, named=request.pool).block
            given[request.name] = Allocation(
                site=site.name, pool=request.pool, block=block, agency=order.agency.id, name=request.name
            )
    wanted = {request.name for request in requests(order, catalog)}
    return {name: allocation for name, allocation in given.items() if name in wanted}


def basis(order: CallOff | None, *, catalog: Catalog, agreement: FrameworkAgreement, site: Site, recorded: Any = None,
          allocations: Any = None, drifted: Any = None, renewed: Any = None, held: Any = None) -> Basis:  # fmt: skip
    return Basis(
        agency="a1",
        call_off=order,
        agreement=agreement,
        catalog=catalog,
        site=site,
        recorded=recorded or {},
        allocations=allocations or {},
        drifted=drifted or {},
        renewed=renewed or {},
        held=held or {},
    )
