"""Pounds and pence: rounded once, and split into parts that add up."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from orchestrator.domain.errors import Kind, OrchestratorError

PENNY = Decimal("0.01")

Pounds = Annotated[Decimal, Field(ge=0, decimal_places=2)]
"""A non-negative amount of whole pence."""


def to_pence(amount: Decimal) -> Decimal:
    """An amount rounded half-up to the penny: once per invoice line, never before."""
    return amount.quantize(PENNY, rounding=ROUND_HALF_UP)


def in_pounds(amount: Decimal) -> str:
    """An amount for display, e.g. -£1,234.50."""
    return f"{'-' if amount < 0 else ''}£{abs(amount):,.2f}"


def split(amount: Decimal, weights: Mapping[str, int]) -> dict[str, Decimal]:
    """Split whole pence among those who share them, by largest remainder: the parts add up, and none is a penny off its
    exact share. For equal remainders, the name that sorts first gets the penny.

    Raises INVALID for a fraction of a penny, a negative amount or weight, and when all weights are zero.
    """
    _refuse(amount, weights)
    pence, whole = int(amount / PENNY), sum(weights.values())
    exact = {name: Fraction(pence * weight, whole) for name, weight in weights.items()}
    parts = {name: int(share) for name, share in exact.items()}
    left = pence - sum(parts.values())
    for name in sorted(exact, key=lambda name: (parts[name] - exact[name], name))[:left]:
        parts[name] += 1
    return {name: part * PENNY for name, part in parts.items()}


def _refuse(amount: Decimal, weights: Mapping[str, int]) -> None:
    if amount < 0 or amount != to_pence(amount):
        raise OrchestratorError(Kind.INVALID, f"{amount} cannot be split; give an amount of whole pence, 0 or more")
    below = sorted(name for name, weight in weights.items() if weight < 0)
    if below:
        raise OrchestratorError(Kind.INVALID, f"weights must be 0 or more, but are negative for {', '.join(below)}")
    if not sum(weights.values()):
        raise OrchestratorError(Kind.INVALID, "nobody shares the amount; give at least one weight above 0")
