"""What an agreement cannot mean, and where in its file."""

from typing import Any

import pytest

from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.selling.catalog import Catalog
from orchestrator.domain.selling.contradictions import contradictions
from tests.domain.selling.agreements import LINES, ONE, VOLUME, but, price_line, without_seat_price


def found(agreement: FrameworkAgreement, catalog: Catalog) -> list[tuple[str, str]]:
    return [(".".join(map(str, at)), message) for at, message in contradictions(agreement, catalog)]


def lots(**components: list[str]) -> dict[str, Any]:
    return {lot: {"title": lot, "scope": {"all": held}} for lot, held in components.items()}


def bands(*least: int) -> list[dict[str, Any]]:
    return [{"quantity": n, "per_year": "1.00"} for n in least]


def test_an_agreement_without_contradictions_has_none(agreement: FrameworkAgreement, catalog: Catalog) -> None:
    assert found(agreement, catalog) == []
    assert found(without_seat_price(agreement), catalog) == []
    assert found(but(agreement, price_lines=LINES[:1]), catalog) == [], "the catalog prices the rest"


@pytest.mark.parametrize(
    ("changes", "at", "says"),
    [
        ({"framework": "desk"}, "framework", "'desk' is a component; an agreement needs a name of its own"),
        ({"lots": lots(core=["network", "fax"])}, "lots.core.scope.all.1", "'fax' is not in the catalog"),
        (
            {"lots": lots(core=["network"], call_off=["network"])},
            "lots.call_off.scope.all.0",
            "'network' is in the lot 'core' already; a component is in one lot",
        ),
        ({"lots": lots(main=["network"])}, "seat_price", "is the price of the lot 'core', which the"),
        (
            {"eligible_bodies": {"school": ["One School"]}},
            "eligible_bodies.school",
            "'school' is not one of eligible_classes; add it there",
        ),
        (
            {"eligible_bodies": {"agency": ["A One", "A Two", "A One"]}},
            "eligible_bodies.agency.2",
            "'A One' is named twice",
        ),
        (
            {"seat_price": {"title": "Core", "bands": [{"seats": 10, "per_year": 1}]}},
            "seat_price.bands.0",
            "the first band begins with 1, not with 10",
        ),
        ({"sources": {"cieling": "illustrative"}}, "sources.cieling", "there is no field 'cieling'; fields: framework"),
        ({"sources": {"sources": "illustrative"}}, "sources.sources", "there is no field 'sources'"),
    ],
)  # fmt: skip
def test_a_contradiction_has_a_place_and_says_what_would_be_right(
    agreement: FrameworkAgreement, catalog: Catalog, changes: dict[str, Any], at: str, says: str
) -> None:
    [(place, message)] = found(but(agreement, **changes), catalog)
    assert place == at
    assert message.startswith(says)


@pytest.mark.parametrize(
    ("line", "at", "says"),
    [
        (price_line("fax", "standard", "seat", ONE), "component", "'fax' is in none of the lots; add it to one"),
        (price_line("disaster-recovery", "standard", "agency", ONE), "component", "'disaster-recovery' is in none"),
        (price_line("desk", "golden", "seat", ONE), "tier", "desk has no tier 'golden'; tiers: standard, premium"),
        (price_line("desk", "standard", "unit", ONE), "per", "desk is not sold by unit; set agency or seat"),
        (price_line("desk", "standard", "agency", VOLUME), "bands.1", "a price per agency has one band"),
        (price_line("desk", "standard", "seat", bands(2, 5)), "bands.0", "the first band begins with 1, not with 2"),
        (
            price_line("desk", "standard", "seat", bands(1, 5000, 1000)),
            "bands.2",
            "bands rise, but 1,000 comes after 5,000",
        ),
        (price_line("desk", "standard", "seat", bands(1, 1)), "bands.1", "bands rise, but 1 comes after 1"),
    ],
)
def test_a_price_line_must_mean_something(
    agreement: FrameworkAgreement, catalog: Catalog, line: dict[str, Any], at: str, says: str
) -> None:
    [(place, message)] = found(but(agreement, price_lines=[line]), catalog)
    assert place == f"price_lines.0.{at}"
    assert message.startswith(says)


def test_a_tier_is_priced_once(agreement: FrameworkAgreement, catalog: Catalog) -> None:
    twice = but(agreement, price_lines=[LINES[0], LINES[1], LINES[0]])
    assert found(twice, catalog) == [("price_lines.2", "network, standard is priced twice")]


def test_without_a_seat_price_every_tier_of_every_lot_needs_a_line(
    agreement: FrameworkAgreement, catalog: Catalog
) -> None:
    assert found(without_seat_price(agreement, price_lines=LINES[1:-2]), catalog) == [
        ("lots.core.scope.all.0", "'network' has no price for standard; add price_lines, or a seat_price"),
        ("lots.core.scope.all.2", "'desktop' has no price for standard, premium; add price_lines, or a seat_price"),
    ]
