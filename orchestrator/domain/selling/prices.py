"""What an agreement charges: a price per seat, and price lines of its own for components."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from orchestrator.domain.identifiers import Identifier
from orchestrator.domain.money import Pounds
from orchestrator.domain.selling.catalog import Component
from orchestrator.domain.value import Value


class Band(Value):
    """From `seats` up, each seat costs `per_year` pounds."""

    seats: Annotated[int, Field(ge=1)]
    per_year: Pounds


class SeatPrice(Value):
    """The price of the core lot per seat and year; the highest band reached prices every seat."""

    title: str
    bands: Annotated[tuple[Band, ...], Field(min_length=1)]

    def per_year(self, seats: int) -> Decimal:
        return _of_band_reached(((band.seats, band.per_year) for band in self.bands), seats)


class VolumeBand(Value):
    """From `quantity` up, each costs `per_year` pounds."""

    quantity: Annotated[int, Field(ge=1)]
    per_year: Pounds


class PricedBy(StrEnum):
    AGENCY = "agency"
    """Once for each call-off."""
    UNIT = "unit"
    """For each unit ordered."""
    SEAT = "seat"
    """For each of the agency's seats."""


class PriceLine(Value):
    """The price a year of a component at a tier; the highest band reached prices the whole quantity."""

    component: Identifier
    tier: Identifier
    per: PricedBy
    bands: Annotated[tuple[VolumeBand, ...], Field(min_length=1)]

    def quantity(self, *, units: int, seats: int) -> int:
        """How many are charged for."""
        return {PricedBy.AGENCY: 1, PricedBy.UNIT: units, PricedBy.SEAT: seats}[self.per]

    def per_year(self, quantity: int) -> Decimal:
        return _of_band_reached(((band.quantity, band.per_year) for band in self.bands), quantity)


def listed(component: Component, tier: str) -> PriceLine:
    """The catalog's price of a component at a tier."""
    price = component.tiers[tier].price
    band = VolumeBand(quantity=1, per_year=price.per_year)
    return PriceLine(component=component.component, tier=tier, per=PricedBy(price.per), bands=(band,))


def _of_band_reached(bands: Iterable[tuple[int, Decimal]], quantity: int) -> Decimal:
    """The price in the highest band reached. The lowest band also prices what is below it."""
    rising = sorted(bands)
    reached = [price for least, price in rising if least <= quantity]
    return reached[-1] if reached else rising[0][1]
