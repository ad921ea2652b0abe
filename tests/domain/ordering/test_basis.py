"""What makes a plan outdated, and what it says of services that drifted or are renewed."""

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.domain.estate.site import Host, Site
from orchestrator.domain.ordering.instance import InstanceState
from orchestrator.domain.ordering.plan import Basis, PlanOptions
from orchestrator.domain.ordering.plan_making import make_plan
from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.selling.catalog import Catalog
from tests.domain.conftest import allocate, basis, call_off
from tests.domain.ordering.test_plan import recorded_instances

DIGEST = "1007be1a91084eb05cce0e8ab8a1b73ed78c0cd39ba6fcf581ccb2ec2486a10d"
HOSTS = ("gw1",)


@pytest.fixture
def known(catalog: Catalog, agreement: FrameworkAgreement, site: Site) -> Basis:
    """An agency that has a network, and orders a desk besides."""
    order = call_off({"network": {"tier": "standard"}, "desk": {"tier": "standard"}})
    recorded = recorded_instances({"network": {"hosts": {"main": ["gw1"]}}})
    given = allocate(order, catalog=catalog, site=site)
    return basis(order, catalog=catalog, agreement=agreement, site=site, recorded=recorded, allocations=given)


def with_host(known: Basis, name: str) -> Basis:
    moved = Host(name=name, address="192.0.2.99", groups=known.site.hosts[name].groups)
    return known.model_copy(update={"site": known.site.model_copy(update={"hosts": {**known.site.hosts, name: moved}})})


def with_component(known: Basis, name: str) -> Basis:
    other = known.catalog.components[name].model_copy(update={"title": "Another"})
    catalog = known.catalog.model_copy(update={"components": {**known.catalog.components, name: other}})
    return known.model_copy(update={"catalog": catalog})


def with_network(known: Basis, **changes: Any) -> Basis:
    network = known.recorded["network"].model_copy(update=changes)
    return known.model_copy(update={"recorded": {"network": network}})


def with_subnet(known: Basis) -> Basis:
    other = known.allocations["subnet"].model_copy(update={"block": "10.64.9.0/24"})
    return known.model_copy(update={"allocations": {**known.allocations, "subnet": other}})


MATTER: dict[str, Callable[[Basis], Basis]] = {
    "the order": lambda k: k.model_copy(update={"call_off": call_off({"network": {"tier": "premium"}})}),
    "leaving": lambda k: k.model_copy(update={"call_off": None}),
    "the agreement": lambda k: k.model_copy(update={"agreement": k.agreement.model_copy(update={"title": "Other"})}),
    "a component it orders": lambda k: with_component(k, "desk"),
    "a component it has": lambda k: with_component(k, "network"),
    "a host that is touched": lambda k: with_host(k, "gw1"),
    "a fact of the site": lambda k: k.model_copy(
        update={"site": k.site.model_copy(update={"facts": {"site_outside": []}})}
    ),
    "what is recorded": lambda k: with_network(k, quantity=2),
    "a state": lambda k: with_network(k, state=InstanceState.FAILED),
    "an allocation": with_subnet,
    "drift": lambda k: k.model_copy(update={"drifted": {"network": 7}}),
    "another drift": lambda k: k.model_copy(update={"drifted": {"network": 8}}),
    "a renewal": lambda k: k.model_copy(update={"renewed": {"network": ("certificates",)}}),
}
DO_NOT_MATTER: dict[str, Callable[[Basis], Basis]] = {
    "a component it neither orders nor has": lambda k: with_component(k, "desktop"),
    "a host that is not touched": lambda k: with_host(k, "pc1"),
    "when a service changed": lambda k: with_network(k, changed_at="2026-02-02T00:00:00Z"),
    "what went wrong with it": lambda k: with_network(k, error="no answer"),
    "drift of what is not ordered": lambda k: k.model_copy(update={"drifted": {"desktop": 7}}),
    "a renewal of what is not ordered": lambda k: k.model_copy(update={"renewed": {"desktop": ("certificates",)}}),
}


def test_a_digest_is_the_same_in_every_version(known: Basis) -> None:
    """Plans and approvals of drills outlive an upgrade."""
    assert known.digest(HOSTS) == DIGEST


@pytest.mark.parametrize("what", MATTER)
def test_a_relevant_change_outdates_a_plan(known: Basis, what: str) -> None:
    assert MATTER[what](known).digest(HOSTS) != known.digest(HOSTS)


@pytest.mark.parametrize("what", DO_NOT_MATTER)
def test_an_irrelevant_change_does_not_outdate_a_plan(known: Basis, what: str) -> None:
    assert DO_NOT_MATTER[what](known).digest(HOSTS) == known.digest(HOSTS)


def test_each_relevant_change_gives_a_different_digest(known: Basis) -> None:
    digests = [change(known).digest(HOSTS) for change in MATTER.values()]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize(
    ("found", "fields"),
    [
        ({"drifted": {"network": 7}}, [("hosts", "changed, as run 7 found", "as recorded")]),
        ({"options": PlanOptions(force=True)}, [("hosts", "as they are", "as recorded")]),
        (
            {"renewed": {"network": ("secrets.a", "certificates")}},
            [("secrets.a", "in force", "new"), ("certificates", "in force", "new")],
        ),
    ],
)
def test_a_plan_says_why_it_provisions_an_unchanged_service(
    known: Basis, found: dict[str, Any], fields: list[tuple[str, str, str]]
) -> None:
    plan = make_plan(known.model_copy(update=found))
    network = next(change for change in plan.changes if change.component == "network")
    assert [(f.path, f.before, f.after) for f in network.fields] == fields
    step = next(step for step in plan.steps if step.id == "network.provision")
    assert step.because == "differs in " + ", ".join(path for path, *_ in fields)


def test_a_plan_says_that_a_service_failed(known: Basis) -> None:
    plan = make_plan(with_network(known, state=InstanceState.FAILED))
    network = next(change for change in plan.changes if change.component == "network")
    assert [(f.path, f.before, f.after) for f in network.fields] == [("state", "failed", "in_service")]
