"""The ratings of a contract performance notice, Procurement Act 2023, section 71."""

from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import model_validator

from orchestrator.domain.value import Value


class Rating(StrEnum):
    """The ratings, in the wording of the notice."""

    GOOD = "good"
    """Meets or exceeds the indicator."""
    APPROACHING_TARGET = "approaching target"
    """Is close to meeting it."""
    REQUIRES_IMPROVEMENT = "requires improvement"
    """Is below it."""
    INADEQUATE = "inadequate"
    """Is significantly below it."""
    OTHER = "other"
    """Cannot be described as any of these."""


class RatingScale(Value):
    """The minimum percentage for each rating; below the last, performance is inadequate. The Act has no numbers: each
    contract declares its own."""

    good: Decimal
    approaching_target: Decimal
    requires_improvement: Decimal

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if not self.good > self.approaching_target > self.requires_improvement:
            raise ValueError("each rating must start below the better one, such as 99.0, 98.0, 96.0")
        return self

    def rating(self, achieved: Decimal | None) -> Rating:
        """The rating of a percentage. None, when there was nothing to judge, is `other`."""
        if achieved is None:
            return Rating.OTHER
        if achieved >= self.good:
            return Rating.GOOD
        if achieved >= self.approaching_target:
            return Rating.APPROACHING_TARGET
        return Rating.REQUIRES_IMPROVEMENT if achieved >= self.requires_improvement else Rating.INADEQUATE
