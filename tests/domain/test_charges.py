"""What a month is charged, and what is owed once an agency has left."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.domain.agreement import Term
from orchestrator.domain.calendar_month import CalendarMonth
from orchestrator.domain.charges import charges, owed

PENNY = Decimal("0.01")

terms = st.builds(Term, start=st.dates(date(2026, 1, 1), date(2033, 12, 31)), months=st.integers(1, 84))
amounts = st.integers(0, 10**11).map(lambda pence: Decimal(pence) / 100)


def months_of(term: Term) -> list[CalendarMonth]:
    """And one before and after."""
    found = [CalendarMonth.of(term.start).preceding]
    while found[-1].first < term.end:
        found.append(found[-1].following)
    return [*found, found[-1].following]


class TestAMonthsCharges:
    @given(terms, amounts)
    @example(Term(start=date(2026, 7, 1), months=48), Decimal("32000000.00"))
    @example(Term(start=date(2028, 2, 10), months=12), Decimal("100.00"))
    @example(Term(start=date(2027, 1, 31), months=1), Decimal("0.01"))
    def test_add_up_to_the_commitment_to_the_penny(self, term: Term, committed: Decimal) -> None:
        charged = [charges(term, committed, month) for month in months_of(term)]
        assert sum(charged) == committed
        assert charged[0] == charged[-1] == 0

    @given(terms, amounts)
    def test_are_a_months_part_by_the_days_that_the_term_covers(self, term: Term, committed: Decimal) -> None:
        """Counted day by day. A term that ends in a month of other length than it began in is a few days more or less
        than its whole months, and its charges are as much smaller or greater."""
        parts = {month: Decimal(0) for month in months_of(term)}
        day = term.start
        while day < term.end:
            month = CalendarMonth.of(day)
            parts[month] += Decimal(1) / (month.following.first - month.first).days
            day += timedelta(days=1)
        whole = sum(parts.values())
        for month, part in parts.items():
            assert abs(charges(term, committed, month) - committed * part / whole) < PENNY + Decimal("1e-12")

    def test_of_eight_million_a_year_are_those_of_the_worked_example(self) -> None:
        term = Term(start=date(2026, 7, 1), months=48)
        assert charges(term, Decimal(32_000_000), CalendarMonth.named("2026-07")) == Decimal("666666.67")


class TestWhatIsOwed:
    @given(terms, amounts, st.integers(0, 100), st.integers(0, 100))
    def test_is_what_was_charged_for_the_months_served(self, term: Term, committed: Decimal, a: int, b: int) -> None:
        served = months_of(term)[a:b]
        assert owed(term, committed, served) == sum((charges(term, committed, m) for m in served), Decimal(0))

    def test_of_a_whole_term_is_the_commitment(self) -> None:
        term = Term(start=date(2026, 7, 15), months=48)
        assert owed(term, Decimal("100.01"), months_of(term)) == Decimal("100.01")


class TestATerm:
    @pytest.mark.parametrize(
        ("start", "months", "end"),
        [
            ("2026-01-31", 12, "2027-01-31"),
            ("2026-08-30", 48, "2030-08-30"),
            ("2024-02-29", 12, "2025-03-01"),  # the whole of 28 February is covered
            ("2024-02-29", 48, "2028-02-29"),
            ("2026-01-31", 1, "2026-03-01"),
            ("2026-01-29", 1, "2026-03-01"),
            ("2028-01-29", 1, "2028-02-29"),
            ("2026-03-31", 1, "2026-05-01"),
            ("2026-10-31", 2, "2026-12-31"),
            ("2026-01-28", 1, "2026-02-28"),
        ],
    )
    def test_ends_before_the_same_day_or_with_a_month_that_has_none(self, start: str, months: int, end: str) -> None:
        assert Term(start=date.fromisoformat(start), months=months).end == date.fromisoformat(end)

    @given(terms)
    def test_has_no_day_less_than_its_months(self, term: Term) -> None:
        """Counted: as many months later, the day before the same date is covered, or the last day of the month."""
        later = CalendarMonth.of(term.start)
        for _ in range(term.months):
            later = later.following
        last = (later.following.first - later.first).days
        covered = term.end - timedelta(days=1)
        if term.start.day <= last:
            assert term.end == date(later.year, later.number, term.start.day)
        else:
            assert covered == later.following.first - timedelta(days=1)
