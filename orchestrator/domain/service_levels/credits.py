"""What a missed service level costs the provider: by points from a table, or by the shortfall in percentage points."""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from orchestrator.domain.money import to_pence
from orchestrator.domain.value import Value

REPEATED = 2
"""Factor on the table's points for a repeated failure."""

Percent = Annotated[Decimal, Field(ge=0, le=100)]
Points = Annotated[int, Field(ge=0, le=1000)]


class Rounding(StrEnum):
    """How a percentage is rounded to the decimals of its table."""

    TRUNCATE = "truncate"
    HALF_UP = "half_up"


class PointsBand(Value):
    """The name and points of a failure from `at_least` percent up."""

    title: Annotated[str, Field(min_length=1, max_length=60)]
    at_least: Percent
    points: Points


class PointsTable(Value):
    """Points of one measure in one period: none from `target` up, those of a band, or `below` for the rest.

    As in Schedule 2.2 of the UK Model Services Contract.
    """

    target: Percent
    bands: tuple[PointsBand, ...] = ()
    below: Points
    decimals: Annotated[int, Field(ge=0, le=6)] = 1
    rounding: Rounding = Rounding.TRUNCATE

    @model_validator(mode="after")
    def _falls(self) -> Self:
        edges = (self.target, *(band.at_least for band in self.bands))
        if any(worse >= better for better, worse in pairwise(edges)):
            raise ValueError("each band must start below the target and below the previous band")
        if any(edge != self.read(edge) for edge in edges):
            raise ValueError(f"the table is read to {self.decimals} decimals; its edges must have no more")
        points = (0, *(band.points for band in self.bands), self.below)
        if any(worse < better for better, worse in pairwise(points)):
            raise ValueError("a worse band must not have fewer points than a better one")
        return self

    def read(self, achieved: Decimal) -> Decimal:
        """A percentage rounded for the table: truncated to one decimal, 98.95 becomes 98.9."""
        rounding = ROUND_DOWN if self.rounding is Rounding.TRUNCATE else ROUND_HALF_UP
        return achieved.quantize(Decimal(1).scaleb(-self.decimals), rounding=rounding)

    def misses(self, achieved: Decimal | None) -> bool:
        """Whether it is a failure. None, when there was nothing to judge, is not."""
        return achieved is not None and self.read(achieved) < self.target

    def points(self, achieved: Decimal | None, *, missed_before: bool) -> int:
        """The points. `missed_before`: whether the same measure was missed in the previous period."""
        return self.points_of_failure(achieved, missed_before=missed_before) if self.misses(achieved) else 0

    def points_of_failure(self, achieved: Decimal | None, *, missed_before: bool) -> int:
        """The points of a failure, by the table or by another rule. At or above the target, those of the mildest
        band."""
        read = self.read(achieved or Decimal(0))
        points = next((band.points for band in self.bands if read >= band.at_least), self.below)
        return points * REPEATED if missed_before else points


class PointsCredit(Value):
    """Each point takes `per_point` percent off the period's charges, at most `cap` percent in total."""

    per_point: Percent
    cap: Percent

    def percent(self, points: int) -> Decimal:
        """The percentage of the charges for the points of all measures."""
        return min(points * self.per_point, self.cap)


class LinearCredit(Value):
    """Each percentage point below `target` takes `rate` percent off the period's charges, at most `cap` percent.

    A fraction of a point counts as a fraction, or not at all with `whole_points`. As in a call-off contract of the
    Crown Commercial Service.
    """

    target: Percent
    rate: Percent
    whole_points: bool
    cap: Percent = Decimal(100)

    def misses(self, achieved: Decimal | None) -> bool:
        """Whether it is a failure. None, when there was nothing to judge, is not."""
        return achieved is not None and achieved < self.target

    def percent(self, achieved: Decimal | None) -> Decimal:
        """The percentage of the charges. None, when there was nothing to judge, costs nothing."""
        missing = max(Decimal(0), self.target - achieved) if achieved is not None else Decimal(0)
        counted = missing.quantize(Decimal(1), rounding=ROUND_DOWN) if self.whole_points else missing
        return min(counted * self.rate, self.cap)


def credit_of(percent: Decimal, charges: Decimal) -> Decimal:
    """Pounds off a period's charges, rounded half-up to the penny only here."""
    return to_pence(charges * percent.scaleb(-2))
