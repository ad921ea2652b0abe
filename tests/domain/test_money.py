"""Pounds and pence: rounded half-up, and split without losing or inventing a penny."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.money import split, to_pence

amounts = st.integers(0, 10**12).map(lambda pence: Decimal(pence).scaleb(-2))
weights = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 10**6), min_size=1, max_size=8)


@pytest.mark.parametrize(("amount", "pence"), [("0.005", "0.01"), ("0.0049999", "0.00"), ("2.675", "2.68")])
def test_half_a_penny_is_rounded_up(amount: str, pence: str) -> None:
    assert str(to_pence(Decimal(amount))) == pence


class TestASplit:
    @given(amounts, weights.filter(lambda given: any(given.values())))
    def test_adds_up_and_no_part_is_off_by_a_penny(self, amount: Decimal, given: dict[str, int]) -> None:
        parts = split(amount, given)
        assert sum(parts.values()) == amount
        assert parts.keys() == given.keys()
        whole = sum(given.values())
        for name, part in parts.items():
            assert abs(Fraction(part) - Fraction(amount) * given[name] / whole) < Fraction(1, 100)
            assert given[name] or not part

    @given(amounts, weights.filter(lambda given: any(given.values())))
    def test_does_not_depend_on_the_order_of_names(self, amount: Decimal, given: dict[str, int]) -> None:
        assert split(amount, dict(reversed(given.items()))) == split(amount, given)

    @given(amounts, weights.filter(lambda given: any(given.values())))
    def test_gives_no_less_for_a_greater_weight(self, amount: Decimal, given: dict[str, int]) -> None:
        parts = split(amount, given)
        for one in given:
            for other in given:
                assert given[one] <= given[other] or parts[one] >= parts[other]

    def test_with_equal_remainders_gives_the_penny_to_the_first_name(self) -> None:
        parts = split(Decimal("100.00"), {"c": 1, "a": 1, "b": 1})
        assert parts == {"a": Decimal("33.34"), "b": Decimal("33.33"), "c": Decimal("33.33")}

    def test_gives_the_penny_to_the_largest_remainder(self) -> None:
        assert split(Decimal("0.10"), {"a": 32, "b": 68}) == {"a": Decimal("0.03"), "b": Decimal("0.07")}

    @pytest.mark.parametrize(
        ("amount", "weights", "said"),
        [
            ("1.005", {"a": 1}, "1.005 cannot be split; give an amount of whole pence"),
            ("-1.00", {"a": 1}, "-1.00 cannot be split"),
            ("1.00", {"a": 2, "b": -1}, "weights must be 0 or more, but are negative for b"),
            ("1.00", {"a": 0}, "nobody shares the amount"),
            ("1.00", {}, "nobody shares the amount"),
        ],
    )
    def test_refuses_what_cannot_be_shared(self, amount: str, weights: dict[str, int], said: str) -> None:
        with pytest.raises(OrchestratorError) as refused:
            split(Decimal(amount), weights)
        assert refused.value.kind is Kind.INVALID
        assert said in refused.value.message
