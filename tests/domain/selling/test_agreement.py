"""Who may buy what: classes, terms, lots, needs and prices."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from orchestrator.domain.estate.site import Site
from orchestrator.domain.ordering.plan_making import make_plan
from orchestrator.domain.selling.agreement import FrameworkAgreement, Term
from orchestrator.domain.selling.catalog import Catalog
from tests.domain.conftest import allocate, basis, call_off, component
from tests.domain.selling.agreements import LINES, but


class TestATerm:
    @pytest.mark.parametrize(
        ("start", "months", "end"),
        [("2026-12-01", 1, "2027-01-01"), ("2026-01-15", 48, "2030-01-15"), ("2026-01-31", 1, "2026-03-01")],
    )
    def test_ends_whole_months_later(self, start: str, months: int, end: str) -> None:
        assert Term(start=date.fromisoformat(start), months=months).end == date.fromisoformat(end)

    @pytest.mark.parametrize(
        ("start", "months", "refused"),
        [
            ("2026-03-31", 12, "outside the framework's"),
            ("2026-04-01", 84, None),
            ("2026-04-01", 85, "after the end of the framework"),
            ("2033-04-01", 1, "outside the framework's"),
            ("2033-03-01", 1, None),
        ],
    )
    def test_lies_within_the_framework(
        self, agreement: FrameworkAgreement, start: str, months: int, refused: str | None
    ) -> None:
        refusal = agreement.refuse_term(Term(start=date.fromisoformat(start), months=months))
        assert refusal is None if refused is None else refused in (refusal or "")


class TestAnAgreement:
    def test_is_open_to_its_classes_only(self, agreement: FrameworkAgreement) -> None:
        assert agreement.refuse_class("agency") is None
        assert "eligible: agency, central-government" in (agreement.refuse_class("school") or "")

    def test_names_a_need_that_it_does_not_offer(self, agreement: FrameworkAgreement, catalog: Catalog) -> None:
        desk, fax = component("desk", needs=("fax",)), component("fax")
        wider = Catalog(components={**catalog.components, "desk": desk, "fax": fax})
        assert agreement.refuse_component("desk", wider) == ["'desk' needs 'fax', which trial does not offer"]

    def test_does_not_sell_what_is_in_none_of_its_lots(self, agreement: FrameworkAgreement, catalog: Catalog) -> None:
        wider = Catalog(components={**catalog.components, "fax": component("fax")})
        [refusal] = agreement.refuse_component("fax", wider)
        assert refusal.startswith("trial does not offer 'fax'")

    @pytest.mark.parametrize(
        ("seats", "a_year"),
        [(2500, "8000000.00"), (4999, "15996800.00"), (5000, "14400000.00"), (100000, "224000000.00")],
    )
    def test_prices_every_seat_by_the_highest_band_reached(
        self, agreement: FrameworkAgreement, seats: int, a_year: str
    ) -> None:
        """The published vectors, with their cliff: one seat more than 4,999 makes the whole order cheaper."""
        assert agreement.seat_price
        assert seats * agreement.seat_price.per_year(seats) == Decimal(a_year)

    def test_that_names_bodies_of_a_class_is_open_to_those_only(self, agreement: FrameworkAgreement) -> None:
        named = but(agreement, eligible_bodies={"agency": ["Agency of the North", "Agency of the South"]})
        assert named.refuse_body("agency", "Agency of the South") is None
        assert named.refuse_body("central-government", "Anybody") is None, "of this class nobody is named"
        refusal = "{} is not a body of class 'agency' that may buy under Trial; {}"
        everybody = "eligible: Agency of the North, Agency of the South"
        assert named.refuse_body("agency", "Elsewhere") == refusal.format("'Elsewhere'", everybody)
        assert named.refuse_body("agency", "Agency of the East") == refusal.format("'Agency of the East'", everybody)
        assert named.refuse_body("agency", "Agency of the north") == refusal.format(
            "'Agency of the north'", "did you mean 'Agency of the North'?"
        )


class TestTheDocumentOfAnAgreement:
    def test_without_what_only_other_agreements_say_is_as_it_was(self, agreement: FrameworkAgreement) -> None:
        """Digests of stored plans are made of it."""
        assert set(agreement.document) == {
            "framework", "title", "description", "authority", "supplier", "term", "first_call_off", "ceiling",
            "eligible_classes", "lots", "seat_price", "service_levels",
        }  # fmt: skip

    def test_does_not_change_with_a_source(self, agreement: FrameworkAgreement) -> None:
        explained = but(agreement, sources={"ceiling": "illustrative"})
        assert explained.document == agreement.document
        assert explained.as_written() == {**agreement.as_written(), "sources": {"ceiling": "illustrative"}}

    @pytest.mark.parametrize(
        "changes",
        [
            {"price_lines": LINES},
            {"eligible_bodies": {"agency": ["A"]}},
            {"seat_price": None},
            {"first_call_off": None},
        ],
    )
    def test_changes_with_what_plans_are_made_of(self, agreement: FrameworkAgreement, changes: dict[str, Any]) -> None:
        changed = but(agreement, **changes)
        assert changed.document != agreement.document
        assert FrameworkAgreement.model_validate(changed.as_written()) == changed


def test_the_price_of_a_term_is_rounded_to_the_penny_once(
    catalog: Catalog, agreement: FrameworkAgreement, site: Site
) -> None:
    order = call_off({"network": {"tier": "standard"}}, seats=1)
    order = order.model_copy(update={"term": Term(start=date(2026, 12, 1), months=5)})
    given = allocate(order, catalog=catalog, site=site)
    plan = make_plan(basis(order, catalog=catalog, agreement=agreement, site=site, allocations=given))
    assert (str(plan.cost.per_year), str(plan.cost.term_total)) == ("3300.00", "1375.00")


class TestACatalog:
    def test_names_a_circle_of_needs(self) -> None:
        circle = [component("a", needs=("b",)), component("b", needs=("c",)), component("c", needs=("a",))]
        [(_, _, message)] = Catalog(components={c.component: c for c in circle}).problems()
        assert message.startswith("circular needs: ")
        assert set(message.removeprefix("circular needs: ").split(" -> ")) == {"a", "b", "c"}

    def test_names_a_need_that_does_not_exist(self) -> None:
        alone = Catalog(components={"a": component("a", needs=("z",))})
        assert alone.problems() == [("a", "needs", "needs 'z', which is not in the catalog")]

    def test_puts_components_after_what_they_need(self, catalog: Catalog) -> None:
        assert catalog.in_order(["desktop", "desk", "network"]) == ("network", "desk", "desktop")
