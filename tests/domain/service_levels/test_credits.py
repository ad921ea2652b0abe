"""Points, percentages and credits, as published and at their edges."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.domain.service_levels.credits import LinearCredit, PointsCredit, PointsTable, Rounding, credit_of
from orchestrator.domain.service_levels.rating import Rating, RatingScale
from tests.domain.service_levels.vectors import VECTORS

TABLE = PointsTable.model_validate(VECTORS["points_table"])
percents = st.decimals(0, 100, places=6)
charges = st.decimals(0, 10_000_000, places=2)


def decimals(texts: list[str]) -> list[Decimal]:
    return [Decimal(text) for text in texts]


def points_in_turn(achieved: Sequence[Decimal | None]) -> list[int]:
    """Of consecutive periods, the first of which nothing preceded."""
    before = [False, *(TABLE.misses(figure) for figure in achieved)]
    return [TABLE.points(figure, missed_before=missed) for figure, missed in zip(achieved, before, strict=False)]


class TestPoints:
    @pytest.mark.parametrize(
        ("achieved", "points"),
        [("100", 0), ("99.0", 0), ("98.9", 1), ("98.0", 1), ("97.9", 2), ("97.0", 2), ("96.9", 3), ("96.0", 3),
         ("95.9", 4), ("0", 4)],
    )  # fmt: skip
    def test_are_those_of_the_table(self, achieved: str, points: int) -> None:
        assert TABLE.points(Decimal(achieved), missed_before=False) == points
        assert TABLE.points(Decimal(achieved), missed_before=True) == 2 * points

    @pytest.mark.parametrize(
        ("achieved", "truncated", "half_up"), [("98.95", 1, 0), ("98.999", 1, 0), ("97.949999", 2, 2), ("97.95", 2, 1)]
    )
    def test_follow_the_rounding_that_is_declared(self, achieved: str, truncated: int, half_up: int) -> None:
        rounded = TABLE.model_copy(update={"rounding": Rounding.HALF_UP})
        assert TABLE.rounding is Rounding.TRUNCATE
        assert TABLE.points(Decimal(achieved), missed_before=False) == truncated
        assert rounded.points(Decimal(achieved), missed_before=False) == half_up

    @pytest.mark.parametrize("given", VECTORS["points"], ids=lambda given: " ".join(given["achieved"]))
    def test_of_repeated_failures_are_doubled_as_published(self, given: dict[str, Any]) -> None:
        assert points_in_turn(decimals(given["achieved"])) == given["points"]

    def test_are_not_doubled_after_a_month_that_was_met_or_had_nothing_to_judge(self) -> None:
        figures = [Decimal("96.5"), Decimal("99.5"), Decimal("96.5"), None, Decimal("96.5"), Decimal("98.5")]
        assert points_in_turn(figures) == [3, 0, 3, 0, 3, 2]

    @given(percents, percents)
    def test_are_no_fewer_for_a_worse_figure(self, one: Decimal, other: Decimal) -> None:
        worse, better = sorted((one, other))
        assert TABLE.points(worse, missed_before=False) >= TABLE.points(better, missed_before=False)

    @given(percents)
    def test_are_given_exactly_for_a_miss(self, achieved: Decimal) -> None:
        assert (TABLE.points(achieved, missed_before=False) > 0) is TABLE.misses(achieved)

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"target": "97.5"}, "each band must start below the target"),
            ({"target": "99.05"}, "read to 1 decimals"),
            ({"below": 2}, "must not have fewer points"),
        ],
    )
    def test_cannot_come_from_a_table_that_makes_no_sense(self, wrong: dict[str, Any], said: str) -> None:
        with pytest.raises(ValidationError, match=said):
            PointsTable.model_validate(VECTORS["points_table"] | wrong)


class TestCreditsByPoints:
    @pytest.mark.parametrize("given", VECTORS["points_credits"], ids=lambda given: given["credit"])
    def test_match_the_worked_examples(self, given: dict[str, Any]) -> None:
        terms = PointsCredit(per_point=Decimal(given["per_point"]), cap=Decimal(given["cap"]))
        assert credit_of(terms.percent(given["points"]), Decimal(given["charges"])) == Decimal(given["credit"])

    @given(st.integers(0, 1000), percents, percents, charges)
    def test_never_exceed_the_cap(self, points: int, per_point: Decimal, cap: Decimal, charged: Decimal) -> None:
        percent = PointsCredit(per_point=per_point, cap=cap).percent(points)
        credit = credit_of(percent, charged)
        assert 0 <= credit <= credit_of(cap, charged) <= charged
        assert credit == credit.quantize(Decimal("0.01"))


class TestLinearCredits:
    @pytest.mark.parametrize("given", VECTORS["linear_credits"], ids=lambda given: given["percent"])
    def test_match_the_published_examples(self, given: dict[str, Any]) -> None:
        for whole in (True, False):
            terms = LinearCredit(target=Decimal(given["target"]), rate=Decimal(given["rate"]), whole_points=whole)
            assert terms.percent(Decimal(given["achieved"])) == Decimal(given["percent"])

    @pytest.mark.parametrize(
        ("achieved", "pro_rata", "whole"),
        [("98", "0", "0"), ("99.5", "0", "0"), ("97.25", "1.5", "0"), ("96.5", "3", "2"), ("0", "25", "25")],
    )
    def test_count_fractions_of_a_point_or_only_whole_points(self, achieved: str, pro_rata: str, whole: str) -> None:
        terms = LinearCredit(target=Decimal(98), rate=Decimal(2), whole_points=False, cap=Decimal(25))
        assert terms.percent(Decimal(achieved)) == Decimal(pro_rata)
        assert terms.model_copy(update={"whole_points": True}).percent(Decimal(achieved)) == Decimal(whole)

    def test_are_none_when_there_was_nothing_to_judge(self) -> None:
        terms = LinearCredit(target=Decimal(98), rate=Decimal(2), whole_points=False)
        assert (terms.percent(None), terms.misses(None)) == (0, False)

    @given(percents, percents, percents, percents, st.booleans())
    def test_never_exceed_the_cap(
        self, target: Decimal, rate: Decimal, cap: Decimal, achieved: Decimal, whole: bool
    ) -> None:
        terms = LinearCredit(target=target, rate=rate, whole_points=whole, cap=cap)
        assert 0 <= terms.percent(achieved) <= cap
        assert achieved < target or terms.percent(achieved) == 0


class TestARating:
    SCALE = RatingScale(good=Decimal(99), approaching_target=Decimal(98), requires_improvement=Decimal(96))

    @pytest.mark.parametrize(
        ("achieved", "rating"),
        [
            ("99", "good"),
            ("98.999", "approaching target"),
            ("98", "approaching target"),
            ("97.999", "requires improvement"),
            ("96", "requires improvement"),
            ("95.999", "inadequate"),
            (None, "other"),
        ],
    )
    def test_is_in_the_words_of_the_notice(self, achieved: str | None, rating: str) -> None:
        assert self.SCALE.rating(None if achieved is None else Decimal(achieved)) == Rating(rating)

    def test_needs_a_falling_scale(self) -> None:
        with pytest.raises(ValidationError, match="each rating must start below the better one"):
            RatingScale(good=Decimal(98), approaching_target=Decimal(99), requires_improvement=Decimal(96))
