"""Whose passwords open a service."""

from typing import Any

import pytest

from orchestrator.domain.estate.site import Site
from orchestrator.domain.ordering.accounts import password_secret, strangers, who_may_log_in
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.ordering.plan import PlanOptions
from orchestrator.domain.ordering.plan_making import make_plan
from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.selling.catalog import Catalog
from tests.domain.conftest import allocate, basis, call_off, component
from tests.domain.ordering.test_plan import recorded_instances


def instances(**given: Any) -> dict[str, ServiceInstance]:
    directory = {"hosts": {"main": ["dir1"]}, "parameters": {"people": [{"name": "ann"}, {"name": "cid"}]}}
    workplace = {"hosts": {"main": ["work1"]}, "parameters": {"users": ["ann", "bob"]}, **given}
    return recorded_instances({"directory": directory, "workplace": workplace})


def test_passwords_are_those_of_who_vouches_for_them(catalog: Catalog) -> None:
    own, vouched = instances(), instances(accounts_from="directory")
    assert password_secret(own["workplace"], "users", catalog) == ("workplace", "door")
    assert password_secret(vouched["workplace"], "users", catalog) == ("directory", "word")
    assert who_may_log_in(own["workplace"], "users", own, catalog) == ("ann", "bob")
    assert who_may_log_in(vouched["workplace"], "users", vouched, catalog) == ("ann",)


WORKPLACE = {"tier": "standard", "parameters": {"users": ["ann", "bob"]}}
DIRECTORY = {"tier": "standard", "parameters": {"people": ["cid", "ann"]}}


def test_a_new_name_that_the_directory_does_not_know_is_refused(catalog: Catalog) -> None:
    [(place, said)] = strangers(call_off({"workplace": WORKPLACE, "directory": DIRECTORY}), {}, catalog)
    assert place == ("services", "workplace", "parameters", "users", 1)
    assert said == "'bob' is not among the people of directory; add them there, or name some of: ann, cid"


def test_who_is_recorded_may_stay_and_without_a_directory_anybody_is_new(catalog: Catalog) -> None:
    """Whoever leaves the directory keeps their home until they leave the list as well."""
    order = call_off({"workplace": WORKPLACE, "directory": DIRECTORY})
    assert list(strangers(order, instances(), catalog)) == []
    assert list(strangers(call_off({"workplace": WORKPLACE}), {}, catalog)) == []
    gone = instances(state="retired")
    assert len(list(strangers(order, gone, catalog))) == 1


def test_a_service_changes_with_who_vouches_for_it_though_only_that_is_planned(
    catalog: Catalog, agreement: FrameworkAgreement, site: Site
) -> None:
    """Otherwise it would ask a directory that has gone, or one that nobody hands out the passwords of."""
    order, recorded = call_off({"workplace": WORKPLACE}), instances(accounts_from="directory")
    for services, before, after in (
        (recorded, "directory", None),
        (recorded_instances({"workplace": {"hosts": {}}}), None, "directory"),
    ):
        wanted = order if after is None else call_off({"workplace": WORKPLACE, "directory": DIRECTORY})
        given = basis(wanted, catalog=catalog, agreement=agreement, site=site, recorded=services,
                      allocations=allocate(wanted, catalog=catalog, site=site))  # fmt: skip
        plan = make_plan(given.model_copy(update={"options": PlanOptions(target=("directory",))}))
        [change] = [one for one in plan.changes if one.component == "workplace"]
        found = change.fields[0]
        assert (found.path, found.before, found.after) == ("accounts_from", before, after)
        assert plan.desired["workplace"].accounts_from == after


@pytest.mark.parametrize("source", ["nobody", "network"])
def test_a_component_that_takes_accounts_from_one_that_does_not_vouch_is_a_problem(
    catalog: Catalog, source: str
) -> None:
    odd = component("odd", accounts_from=source)
    problems = Catalog(components={**catalog.components, "odd": odd}).problems()
    assert problems == [("odd", "accounts_from", f"{source!r} is no component that vouches for passwords")]
