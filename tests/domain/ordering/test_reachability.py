"""Who may reach what: the catalog's declarations, resolved for an agency's hosts."""

from ipaddress import IPv4Network
from typing import Any

import pytest

from orchestrator.domain.estate.allocation import NumberPool
from orchestrator.domain.estate.site import Host, Site
from orchestrator.domain.ordering.instance import InstanceState, ServiceInstance
from orchestrator.domain.ordering.plan import Effect, Plan
from orchestrator.domain.ordering.plan_making import make_plan
from orchestrator.domain.ordering.reachability import Reachability
from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.selling.catalog import Catalog
from tests.domain.conftest import allocate, basis, call_off, component

HOSTS = {"gw1": "network_hosts", "desk1": "desk_hosts", "pc1": "desktop_hosts", "r1": "disaster_recovery_hosts"}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    everybody = ["provider", "devices", "workplaces", "recovery"]
    components = [
        component(
            "network",
            allocates={"subnet": "networks"},
            hosts={"gateway": "network_hosts"},
            reachability=[
                {"function": "gateway", "at": "network", "ports": ["udp/53"], "admits": everybody},
                {"function": "gateway", "ports": ["udp/51820"], "admits": ["anyone"]},
            ],
        ),
        component(
            "desk", needs=("network",), reachability=[{"function": "main", "ports": ["tcp/443"], "admits": everybody}]
        ),
        component(
            "desktop",
            needs=("network",),
            dedicated=True,
            workplaces=["main"],
            reachability=[{"function": "main", "ports": ["tcp/22"], "admits": ["provider", "devices"]}],
        ),
        component(
            "disaster-recovery",
            recovery={"data": []},
            reachability=[{"function": "main", "ports": ["tcp/{repository_port}"], "admits": ["backups"]}],
        ),
    ]
    return Catalog(components={c.component: c for c in components})


@pytest.fixture(scope="module")
def site(site: Site) -> Site:
    hosts = {
        name: Host(name=name, address=f"192.0.2.{n}", groups=(group,))
        for n, (name, group) in enumerate(HOSTS.items(), 1)
    }
    return site.model_copy(update={"hosts": hosts, "management": (IPv4Network("198.51.100.9"),)})


def _plan(services: dict[str, Any], *, catalog: Catalog, agreement: FrameworkAgreement, site: Site,
          recorded: dict[str, ServiceInstance] | None = None) -> Plan:  # fmt: skip
    lots = {"core": agreement.lots["core"].model_copy(update={"components": tuple(catalog.components)})}
    order, covering = call_off(services), agreement.model_copy(update={"lots": lots})
    given = allocate(order, catalog=catalog, site=site)
    return make_plan(basis(order, catalog=catalog, agreement=covering, site=site, allocations=given, recorded=recorded))


def _in_service(plan: Plan) -> dict[str, ServiceInstance]:
    """The records after the plan has been carried out."""
    return {c: i.model_copy(update={"state": InstanceState.IN_SERVICE}) for c, i in plan.desired.items() if i}


def _reachability(services: dict[str, Any], **world: Any) -> Reachability:
    given = allocate(call_off(services), catalog=world["catalog"], site=world["site"])
    found = _in_service(_plan(services, **world))
    return Reachability(found, catalog=world["catalog"], allocations=given, site=world["site"])


ALL: dict[str, Any] = {name: {"tier": "standard"} for name in ("network", "desk", "desktop", "disaster-recovery")}


def test_each_port_admits_whom_the_catalog_names_and_nobody_else(
    catalog: Catalog, agreement: FrameworkAgreement, site: Site
) -> None:
    reachability = _reachability(ALL, catalog=catalog, agreement=agreement, site=site)
    admitted = {c: [str(one) for one in reachability.admissions(catalog.components[c])] for c in ALL}
    assert admitted == {
        "network": [
            "gw1 10.64.1.1 udp/53 from 192.0.2.3, 192.0.2.4, 198.51.100.9/32",
            "gw1 192.0.2.1 udp/51820 from 0.0.0.0/0",
        ],
        "desk": ["desk1 192.0.2.2 tcp/443 from 192.0.2.1, 192.0.2.3, 192.0.2.4, 198.51.100.9/32"],
        "desktop": ["pc1 192.0.2.3 tcp/22 from 10.64.1.0/24, 198.51.100.9/32"],
        "disaster-recovery": ["r1 192.0.2.4 tcp/9001 from 192.0.2.1, 192.0.2.2, 192.0.2.3"],
    }


def test_devices_leave_their_network_only_for_services_that_admit_them(
    catalog: Catalog, agreement: FrameworkAgreement, site: Site
) -> None:
    reachability = _reachability(ALL, catalog=catalog, agreement=agreement, site=site)
    ways = {c: [(way.address, way.port, way.direct) for way in reachability.ways(catalog.components[c])] for c in ALL}
    assert ways == {
        "network": [("192.0.2.2", 443, False), ("192.0.2.3", 22, True)],
        "desktop": [("10.64.1.1", 53, False), ("192.0.2.2", 443, False)],
        "desk": [],
        "disaster-recovery": [],
    }


def test_a_service_that_is_not_ordered_admits_nobody(
    catalog: Catalog, agreement: FrameworkAgreement, site: Site
) -> None:
    few = {name: ALL[name] for name in ("network", "desk")}
    reachability = _reachability(few, catalog=catalog, agreement=agreement, site=site)
    assert reachability.admissions(catalog.components["disaster-recovery"]) == ()


def test_a_service_that_is_added_later_is_admitted_by_the_others(
    catalog: Catalog, agreement: FrameworkAgreement, site: Site
) -> None:
    world: Any = {"catalog": catalog, "agreement": agreement, "site": site}
    few = {name: ALL[name] for name in ("network", "desk")}
    recorded = _in_service(_plan(few, **world))
    assert _plan(few, **world, recorded=recorded).empty
    later = _plan({**few, "desktop": ALL["desktop"]}, **world, recorded=recorded)
    changes = {c.component: c for c in later.changes}
    assert changes["network"].effect is changes["desk"].effect is Effect.UPDATE
    (reached,) = changes["desk"].fields
    assert reached.path == "reachability"
    assert "192.0.2.3" in str(reached.after)
    assert "192.0.2.3" not in str(reached.before)


def test_a_service_that_goes_was_reached_at_the_port_that_its_agency_gives_back(
    catalog: Catalog, agreement: FrameworkAgreement, site: Site
) -> None:
    reach = [{"function": "main", "ports": ["tcp/{mail_port}"], "admits": ["workplaces"]}]
    mail = component("mail", allocates={"mail_port": "ports"}, reachability=reach, hosts={"main": "desk_hosts"})
    with_mail = Catalog(components={**catalog.components, "mail": mail})
    given = site.model_copy(update={"pools": {**site.pools, "ports": NumberPool(first=25, last=30)}})
    world: Any = {"catalog": with_mail, "agreement": agreement, "site": given}
    few = {name: ALL[name] for name in ("network", "desktop")}
    before, order = {**few, "mail": ALL["network"]}, call_off(few)
    recorded = _in_service(_plan(before, **world))
    held = allocate(call_off(before), catalog=with_mail, site=given)
    kept = {name: one for name, one in held.items() if name != "mail_port"}
    plan = make_plan(basis(order, **world, recorded=recorded, allocations=kept, held=held))
    [change] = [one for one in plan.changes if one.component == "desktop"]
    [field] = [one for one in change.fields if one.path == "reachability"]
    gone = set(field.before) - set(field.after)
    assert gone == {"way to 192.0.2.2 tcp/25"}


def test_a_shared_function_of_a_dedicated_component_has_a_shared_host_and_admits_the_agencys_own(
    catalog: Catalog, agreement: FrameworkAgreement, site: Site
) -> None:
    hosting = component(
        "hosting",
        dedicated=True,
        hosts={"collector": "desk_hosts", "server": "desktop_hosts"},
        shared=["collector"],
        reachability=[
            {"function": "collector", "ports": ["tcp/19532"], "admits": ["own"]},
            {"function": "collector", "ports": ["tcp/443"], "admits": ["devices"]},
            {"function": "server", "ports": ["tcp/80"], "admits": ["devices"]},
        ],
    )
    wider = Catalog(components={**catalog.components, "hosting": hosting})
    ordered = {"network": ALL["network"], "hosting": {"tier": "standard", "quantity": 1}}
    plan = _plan(ordered, catalog=wider, agreement=agreement, site=site)
    placed = plan.desired["hosting"]
    assert placed is not None
    assert placed.hosts == {"collector": ("desk1",), "server": ("pc1",)}
    assert [name for name in plan.allocations if name.startswith("host:")] == ["host:hosting:server:0001"]
    reachability = _reachability(ordered, catalog=wider, agreement=agreement, site=site)
    assert [str(one) for one in reachability.admissions(hosting)] == [
        "desk1 192.0.2.2 tcp/19532 from 192.0.2.3",
        "desk1 192.0.2.2 tcp/443 from 192.0.2.1",
        "pc1 192.0.2.3 tcp/80 from 10.64.1.0/24",
    ]
    ways = [(way.address, way.direct) for way in reachability.ways(wider.components["network"])]
    assert ways == [("192.0.2.2", False), ("192.0.2.3", True)]


def test_who_dials_in_reaches_what_devices_reach_by_the_address_of_the_host_they_dial(
    catalog: Catalog, agreement: FrameworkAgreement, site: Site
) -> None:
    gate = component(
        "gate",
        hosts={"access": "gate_hosts"},
        dial_in=["access"],
        reachability=[{"function": "access", "ports": ["tcp/24431"], "admits": ["anyone"]}],
    )
    wider = Catalog(components={**catalog.components, "gate": gate})
    place = site.model_copy(
        update={"hosts": {**site.hosts, "g1": Host(name="g1", address="192.0.2.9", groups=("gate_hosts",))}}
    )
    world: Any = {"catalog": wider, "agreement": agreement, "site": place}
    everything = _reachability({**ALL, "gate": {"tier": "standard"}}, **world)
    assert [(way.address, way.port) for way in everything.ways(gate)] == [("192.0.2.2", 443), ("192.0.2.3", 22)]
    for name, by_devices in (("desk", "192.0.2.1"), ("desktop", "10.64.1.0/24")):
        (admitted,) = everything.admissions(wider.components[name])
        assert {"192.0.2.9", by_devices} <= {*admitted.sources}
    assert not any("192.0.2.9" in str(one) for one in everything.admissions(wider.components["network"]))
    (own,) = everything.admissions(gate)
    assert own.sources == ("0.0.0.0/0",)


def test_who_dials_in_is_admitted_without_a_network_of_the_agency(
    catalog: Catalog, agreement: FrameworkAgreement, site: Site
) -> None:
    gate = component("gate", hosts={"access": "desktop_hosts"}, dial_in=["access"])
    hall = component("hall", hosts={"main": "desk_hosts"},
                     reachability=[{"function": "main", "ports": ["tcp/80"], "admits": ["devices"]}])  # fmt: skip
    wider = Catalog(components={**catalog.components, "gate": gate, "hall": hall})
    ordered = {name: {"tier": "standard"} for name in ("gate", "hall")}
    found = _reachability(ordered, catalog=wider, agreement=agreement, site=site)
    assert [str(one) for one in found.admissions(hall)] == ["desk1 192.0.2.2 tcp/80 from 192.0.2.3"]
    assert (
        _reachability({"hall": ordered["hall"]}, catalog=wider, agreement=agreement, site=site).admissions(hall) == ()
    )


def test_no_service_of_an_agency_that_leaves_admits_anybody(catalog: Catalog, site: Site) -> None:
    nothing = Reachability({}, catalog=catalog, allocations={}, site=site)
    assert {nothing.admissions(component) for component in catalog.components.values()} == {()}


def test_the_network_names_services_on_shared_hosts_and_backups_are_let_in_from_every_copy(
    catalog: Catalog, agreement: FrameworkAgreement, site: Site
) -> None:
    world: Any = {"catalog": catalog, "agreement": agreement, "site": site}
    given = allocate(call_off(ALL), catalog=catalog, site=site)
    services = _in_service(_plan(ALL, **world))
    moved = services["desk"].model_copy(update={"hosts": {"main": ("pc1",)}, "elsewhere": {"main": ("desk1",)}})
    for now, named in ((services, "192.0.2.2"), ({**services, "desk": moved}, "192.0.2.3")):
        reachability = Reachability(now, catalog=catalog, allocations=given, site=site)
        assert reachability.names(catalog.components["network"]) == {"desk": named}
        assert reachability.names(catalog.components["desktop"]) == {}
        (admitted,) = reachability.admissions(catalog.components["disaster-recovery"])
        assert "192.0.2.2" in admitted.sources
