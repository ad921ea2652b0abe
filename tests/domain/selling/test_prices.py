"""Price lines: what is counted, and which band prices it."""

from decimal import Decimal
from typing import Any

import pytest

from orchestrator.domain.selling.prices import PriceLine, listed
from tests.domain.conftest import component


def line(per: str, *bands: tuple[int, str]) -> PriceLine:
    given: dict[str, Any] = {"component": "network", "tier": "standard", "per": per}
    return PriceLine.model_validate({**given, "bands": [{"quantity": n, "per_year": price} for n, price in bands]})


@pytest.mark.parametrize(("per", "quantity"), [("agency", 1), ("unit", 12), ("seat", 640)])
def test_a_line_counts_agencies_units_or_seats(per: str, quantity: int) -> None:
    assert line(per, (1, "1.00")).quantity(units=12, seats=640) == quantity


@pytest.mark.parametrize(
    ("quantity", "a_year"), [(1, "60.00"), (999, "59940.00"), (1000, "54000.00"), (4999, "269946.00"), (5000, "240000")]
)
def test_the_highest_band_reached_prices_the_whole_quantity(quantity: int, a_year: str) -> None:
    bands = line("seat", (1, "60.00"), (5000, "48.00"), (1000, "54.00"))
    assert quantity * bands.per_year(quantity) == Decimal(a_year)


@pytest.mark.parametrize(("dedicated", "per"), [(False, "agency"), (True, "unit")])
def test_the_catalogs_price_is_a_line_with_one_band(dedicated: bool, per: str) -> None:
    assert listed(component("network", dedicated=dedicated), "premium") == line(per, (1, "300.00")).model_copy(
        update={"tier": "premium"}
    )
