"""Agreements that differ from the one for tests in some fields."""

from typing import Any

from orchestrator.domain.selling.agreement import FrameworkAgreement

Bands = list[dict[str, Any]]

VOLUME: Bands = [{"quantity": 1, "per_year": "60.00"}, {"quantity": 100, "per_year": "50.00"}]
ONE: Bands = [{"quantity": 1, "per_year": "7000.00"}]


def price_line(component: str, tier: str, per: str, bands: Bands) -> dict[str, Any]:
    return {"component": component, "tier": tier, "per": per, "bands": bands}


LINES = [
    price_line("network", "standard", "seat", VOLUME),
    price_line("network", "premium", "agency", ONE),
    price_line("desk", "standard", "agency", ONE),
    price_line("desk", "premium", "agency", ONE),
    price_line("desktop", "standard", "unit", VOLUME),
    price_line("desktop", "premium", "unit", VOLUME),
]
"""A price for every tier of the lot of the agreement for tests."""


def but(agreement: FrameworkAgreement, **changes: Any) -> FrameworkAgreement:
    """The agreement with other fields; those that are None are left out."""
    fields = {**agreement.as_written(), **changes}
    return FrameworkAgreement.model_validate({name: value for name, value in fields.items() if value is not None})


def without_seat_price(agreement: FrameworkAgreement, **changes: Any) -> FrameworkAgreement:
    return but(agreement, **{"seat_price": None, "price_lines": LINES, **changes})
