"""The schema for editors offers what the agreement of a call-off allows, and the schema of any call-off does not."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.selling.catalog import Catalog
from orchestrator.domain.selling.schema import call_off_schema, schema_for_editors
from tests.domain.conftest import call_off, component
from tests.domain.selling.agreements import but


@pytest.fixture(scope="module")
def wider(catalog: Catalog) -> Catalog:
    """With a component that neither agreement sells."""
    return Catalog(components={**catalog.components, "fax": component("fax")})


@pytest.fixture(scope="module")
def agreements(agreement: FrameworkAgreement) -> dict[str, FrameworkAgreement]:
    lots = {"core": {"title": "Core", "scope": {"all": ["network"]}}}
    bodies = {"agency": ["A One", "A Two"]}
    other = but(agreement, framework="other", lots=lots, eligible_classes=["agency", "school"], eligible_bodies=bodies)
    return {"trial": agreement, "other": other}


def document(framework: str, *services: str, **agency: Any) -> dict[str, Any]:
    written = call_off({name: {"tier": "standard"} for name in services or ("network",)}, **agency).document()
    for service in written["services"].values():
        del service["quantity"]
    return {**written, "framework": framework}


REFUSED = [
    (document("trial", **{"class": "school"}), "agency.class"),
    (document("other", **{"class": "central-government"}), "agency.class"),
    (document("other", name="A Three"), "agency.name"),
    (document("other", "network", "desk"), "services"),
    (document("trial", "fax"), "services"),
]
ACCEPTED = [
    document("trial", name="Anybody"),
    document("trial", "network", "desk"),
    document("other", name="A Two"),
    document("other", name="Anybody", **{"class": "school"}),
]


@pytest.mark.parametrize(("order", "at"), REFUSED)
def test_editors_are_told_what_an_agreement_does_not_offer(
    wider: Catalog, agreements: dict[str, FrameworkAgreement], order: dict[str, Any], at: str
) -> None:
    errors = Draft202012Validator(schema_for_editors(wider, {}, agreements, ["here"])).iter_errors(order)
    assert [".".join(map(str, error.absolute_path)) for error in errors] == [at]


@pytest.mark.parametrize("order", ACCEPTED)
def test_editors_accept_what_it_offers(
    wider: Catalog, agreements: dict[str, FrameworkAgreement], order: dict[str, Any]
) -> None:
    schema = schema_for_editors(wider, {}, agreements, ["here"])
    Draft202012Validator.check_schema(schema)
    assert list(Draft202012Validator(schema).iter_errors(order)) == []


@pytest.mark.parametrize("order", [order for order, _ in REFUSED])
def test_to_the_schema_of_any_call_off_all_of_them_are_well_formed(
    wider: Catalog, agreements: dict[str, FrameworkAgreement], order: dict[str, Any]
) -> None:
    """A call-off that an agreement does not cover is not invalid input; commands end with another exit code."""
    assert list(Draft202012Validator(call_off_schema(wider, {}, agreements, ["here"])).iter_errors(order)) == []


def test_without_a_framework_only_that_is_said(wider: Catalog, agreements: dict[str, FrameworkAgreement]) -> None:
    order = document("trial", **{"class": "school"})
    del order["framework"]
    errors = Draft202012Validator(schema_for_editors(wider, {}, agreements, ["here"])).iter_errors(order)
    assert [error.message for error in errors] == ["'framework' is a required property"]
