"""Bundles, and what an order needs besides what it names."""

import pytest

from orchestrator.domain.selling.bundles import Bundle, Bundles, bundle_problems, completed
from orchestrator.domain.selling.catalog import Catalog
from orchestrator.domain.selling.service_order import ServiceOrder
from tests.domain.conftest import component


def order(tier: str = "standard", **more: object) -> ServiceOrder:
    return ServiceOrder.model_validate({"tier": tier, **more})


CORE = Bundle.model_validate(
    {
        "bundle": "core",
        "title": "Core",
        "description": "For tests.",
        "tiers": {
            "standard": {"desk": {"tier": "standard"}, "desktop": {"tier": "premium", "quantity": 3}},
            "premium": {"desk": {"tier": "premium"}},
        },
    }
)


@pytest.fixture
def bundles() -> Bundles:
    return {"core": CORE}


def told(ordered: dict[str, ServiceOrder]) -> dict[str, tuple[str, int, str | None]]:
    return {name: (one.tier, one.quantity, one.because) for name, one in ordered.items()}


class TestAnOrder:
    def test_of_a_bundle_has_its_members_and_their_needs(self, catalog: Catalog, bundles: Bundles) -> None:
        assert told(completed({"core": order()}, bundles, catalog)) == {
            "desk": ("standard", 1, "part of core"),
            "desktop": ("premium", 3, "part of core"),
            "network": ("standard", 1, "needed by desk"),
        }

    def test_counts_before_what_a_bundle_says(self, catalog: Catalog, bundles: Bundles) -> None:
        services = {"core": order(), "desktop": order(quantity=7), "network": order("premium")}
        found = told(completed(services, bundles, catalog))
        assert found["desktop"] == ("standard", 7, None)
        assert found["network"] == ("premium", 1, None)

    def test_takes_needs_at_the_tier_of_what_needs_them(self, catalog: Catalog, bundles: Bundles) -> None:
        assert told(completed({"desk": order("premium")}, bundles, catalog))["network"] == (
            "premium",
            1,
            "needed by desk",
        )

    def test_takes_the_first_tier_of_a_need_that_has_no_such_tier(self, catalog: Catalog, bundles: Bundles) -> None:
        odd = component("fax", needs=("network",))
        odd = odd.model_copy(update={"tiers": {"odd": odd.tiers["standard"]}})
        wider = Catalog(components={**catalog.components, "fax": odd})
        assert told(completed({"fax": order("odd")}, bundles, wider))["network"][0] == "standard"

    def test_takes_the_needs_of_needs(self, catalog: Catalog, bundles: Bundles) -> None:
        wider = Catalog(components={**catalog.components, "fax": component("fax", needs=("desk",))})
        assert list(told(completed({"fax": order()}, bundles, wider))) == ["fax", "network", "desk"]

    def test_of_everything_that_it_needs_stays_as_it_is(self, catalog: Catalog, bundles: Bundles) -> None:
        services = {"network": order(), "desk": order()}
        assert completed(services, bundles, catalog) == services


@pytest.mark.parametrize(
    ("changed", "at", "says"),
    [
        ({"bundle": "desk"}, ("bundle",), "is a component; a bundle needs a name of its own"),
        ({"tiers": {"standard": {"fax": order()}}}, ("tiers", "standard", "fax"), "is not in the catalog"),
        ({"tiers": {"s": {"desk": order("huge")}}}, ("tiers", "s", "desk", "tier"), "desk has no tier 'huge'; tiers: "),
    ],
)
def test_a_bundle_that_cannot_be_meant_is_refused(
    catalog: Catalog, changed: dict[str, object], at: tuple[str, ...], says: str
) -> None:
    [(where, message)] = bundle_problems(CORE.model_copy(update=changed), catalog)
    assert where == at
    assert says in message


def test_a_bundle_of_what_is_on_sale_is_in_order(catalog: Catalog) -> None:
    assert list(bundle_problems(CORE, catalog)) == []
