"""Monthly charges with changes in the middle of a term, and what an agency owes after it has left."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.charging.charges import Rate, amended, by_month, charges, committed, owed
from orchestrator.domain.selling.agreement import Term

PENNY = Decimal("0.01")

terms = st.builds(Term, start=st.dates(date(2026, 1, 1), date(2033, 12, 31)), months=st.integers(1, 84))
fewer = settings(max_examples=40)
"""For what counts a term day by day."""
amounts = st.integers(0, 10**11).map(lambda pence: Decimal(pence) / 100)


def months_of(term: Term) -> list[CalendarMonth]:
    """The months of a term, plus one before and one after."""
    found = [CalendarMonth.of(term.start).preceding]
    while found[-1].first < term.end:
        found.append(found[-1].following)
    return [*found, found[-1].following]


def whole(term: Term, total: Decimal) -> tuple[Rate, ...]:
    """A price with this total over the term."""
    rate = Rate(since=term.start, term=term, per_year=total * 12 / term.months)
    assert rate.total == total
    return (rate,)


@pytest.mark.slow
class TestAMonthsCharges:
    @fewer
    @given(terms, amounts)
    @example(Term(start=date(2026, 7, 1), months=48), Decimal("32000000.00"))
    @example(Term(start=date(2028, 2, 10), months=12), Decimal("100.00"))
    @example(Term(start=date(2027, 1, 31), months=1), Decimal("0.01"))
    def test_add_up_to_the_commitment_to_the_penny(self, term: Term, total: Decimal) -> None:
        rates = whole(term, total)
        charged = [charges(rates, month) for month in months_of(term)]
        assert sum(charged) == committed(rates) == total
        assert charged[0] == charged[-1] == 0

    @fewer
    @given(terms, amounts)
    def test_are_proportional_to_the_days_that_the_term_covers(self, term: Term, total: Decimal) -> None:
        """Counted day by day. A term that ends in a month of another length than its first is a few days longer or
        shorter than its whole months, and its charges are higher or lower accordingly."""
        parts = {month: Decimal(0) for month in months_of(term)}
        day = term.start
        while day < term.end:
            month = CalendarMonth.of(day)
            parts[month] += Decimal(1) / (month.following.first - month.first).days
            day += timedelta(days=1)
        all_parts = sum(parts.values())
        for month, part in parts.items():
            assert abs(charges(whole(term, total), month) - total * part / all_parts) < PENNY + Decimal("1e-12")

    def test_of_eight_million_a_year_match_the_worked_example(self) -> None:
        rates = whole(Term(start=date(2026, 7, 1), months=48), Decimal(32_000_000))
        assert charges(rates, CalendarMonth.named("2026-07")) == Decimal("666666.67")


@dataclass(frozen=True)
class Order:
    """An order applied on a day: pounds a year for a number of months."""

    on: date
    months: int
    per_year: Decimal


prices = st.integers(0, 10**9).map(lambda pence: Decimal(pence) / 100)
starts = st.dates(date(2026, 1, 1), date(2028, 12, 31))


@st.composite
def histories(draw: st.DrawFn) -> tuple[date, list[Order]]:
    """The start of a term and the orders within it; none ends the term in the past."""
    start, day = draw(starts), None
    orders: list[Order] = []
    for _ in range(draw(st.integers(1, 6))):
        day = draw(st.dates(start - timedelta(days=20), start + timedelta(days=40))) if day is None else (
            day + timedelta(days=draw(st.sampled_from([0, 0, 1, 5, 17, 31, 200])))
        )  # fmt: skip
        gone = max(0, (day - start).days // 28 + 1)
        orders.append(Order(day, gone + draw(st.integers(1, 24)), draw(prices)))
    return start, orders


def recorded(start: date, orders: list[Order]) -> tuple[Rate, ...]:
    rates: tuple[Rate, ...] = ()
    for order in orders:
        rates = amended(rates, Term(start=start, months=order.months), order.per_year, on=order.on)
    return rates


def day_by_day(start: date, orders: list[Order]) -> dict[str, Fraction]:
    """The oracle: each day costs what the last order applied up to it says, a month's part by the month's days. The
    first is charged from the start of the term, one that comes when the term is over from its end."""
    days: dict[date, Fraction] = {}
    end = start
    for order in orders:
        term = Term(start=start, months=order.months)
        covered = [start + timedelta(days=n) for n in range((term.end - start).days)]
        weight = {day: Fraction(1, _length(day)) for day in covered}
        total = (order.per_year * order.months / 12).quantize(PENNY, ROUND_HALF_UP)
        each, first = Fraction(total) / sum(weight.values()), max(min(order.on, end), start)
        days = {day: cost for day, cost in days.items() if day < first}
        days |= {day: each * weight[day] for day in covered if day >= first}
        end = term.end
    found: dict[str, Fraction] = {}
    for day, cost in days.items():
        found[f"{day:%Y-%m}"] = found.get(f"{day:%Y-%m}", Fraction(0)) + cost
    return found


def _length(day: date) -> int:
    month = CalendarMonth.of(day)
    return (month.following.first - month.first).days


@pytest.mark.slow
class TestAChangeInTheMiddleOfATerm:
    @given(histories())
    def test_is_charged_from_the_day_it_is_made(self, history: tuple[date, list[Order]]) -> None:
        """Each rate rounds its share of a month twice, by less than a penny each."""
        rates, exact = recorded(*history), day_by_day(*history)
        charged = by_month(rates)
        for month in {*charged, *exact}:
            off = abs(Fraction(charged.get(month, Decimal(0))) - exact.get(month, Fraction(0)))
            assert off < Fraction(2 * len(rates), 100), month

    @given(histories())
    def test_adds_up_in_whole_pence(self, history: tuple[date, list[Order]]) -> None:
        rates = recorded(*history)
        charged = by_month(rates).values()
        assert all(pounds >= 0 and pounds == pounds.quantize(PENNY) for pounds in charged)
        assert committed(rates) == sum(charged, Decimal(0))

    @given(histories())
    def test_leaves_the_months_before_it_as_they_were(self, history: tuple[date, list[Order]]) -> None:
        """What was invoiced stays invoiced, to the penny."""
        start, orders = history
        before, after = by_month(recorded(start, orders[:-1])), by_month(recorded(start, orders))
        ended = Term(start=start, months=orders[-2].months).end if len(orders) > 1 else start
        day = max(min(orders[-1].on, ended), start)
        for month in {*before, *after}:
            if CalendarMonth.named(month).following.first <= day:
                assert before.get(month) == after.get(month)

    @given(histories(), st.data())
    def test_that_changes_nothing_costs_nothing(self, history: tuple[date, list[Order]], data: st.DataObject) -> None:
        """The same order again, or another that is reverted on the same day, changes no charge."""
        start, orders = history
        last, other = orders[-1], data.draw(prices)
        again = Order(last.on, last.months, last.per_year)
        assert recorded(start, [*orders, again]) == recorded(start, orders)
        there_and_back = recorded(start, [*orders, Order(last.on, last.months, other), again])
        assert by_month(there_and_back) == by_month(recorded(start, orders))

    def test_is_charged_as_in_the_worked_example(self) -> None:
        """£3,200 a year for 2,500 seats; 9,000 at £2,880 from 16 November 2027 on. November: 15 days of each."""
        term = Term(start=date(2026, 12, 1), months=48)
        rates = amended((), term, Decimal(8_000_000), on=date(2026, 11, 20))
        rates = amended(rates, term, Decimal(25_920_000), on=date(2027, 11, 16))
        assert [charges(rates, CalendarMonth.named(m)) for m in ("2027-10", "2027-11", "2027-12")] == [
            Decimal("666666.67"), Decimal("333333.34") + Decimal("1080000.00"), Decimal("2160000.00"),
        ]  # fmt: skip

    def test_that_extends_a_finished_term_is_charged_from_its_end(self) -> None:
        """A late extension: the months in between are charged at the new price."""
        first = amended((), Term(start=date(2026, 1, 1), months=12), Decimal(1200), on=date(2026, 1, 1))
        late = amended(first, Term(start=date(2026, 1, 1), months=24), Decimal(2400), on=date(2027, 3, 10))
        assert [charges(late, CalendarMonth.named(m)) for m in ("2026-12", "2027-01", "2027-12")] == [100, 200, 200]

    def test_of_the_start_date_replaces_a_term_that_has_not_begun(self) -> None:
        first = amended((), Term(start=date(2027, 1, 1), months=12), Decimal(1200), on=date(2026, 11, 1))
        moved = amended(first, Term(start=date(2027, 3, 1), months=12), Decimal(1200), on=date(2026, 12, 31))
        assert committed(moved) == 1200
        assert charges(moved, CalendarMonth.named("2027-01")) == 0

    def test_that_adds_a_term_after_a_finished_one_is_charged_beside_it(self) -> None:
        first = amended((), Term(start=date(2026, 1, 1), months=12), Decimal(1200), on=date(2026, 1, 1))
        both = amended(first, Term(start=date(2027, 1, 1), months=12), Decimal(2400), on=date(2027, 2, 3))
        assert committed(both) == 3600
        assert [charges(both, CalendarMonth.named(m)) for m in ("2026-12", "2027-01")] == [100, 200]


class TestWhatIsOwed:
    @given(terms, amounts, st.integers(0, 100), st.integers(0, 100))
    def test_is_what_was_charged_for_the_months_served(self, term: Term, total: Decimal, a: int, b: int) -> None:
        served, rates = months_of(term)[a:b], whole(term, total)
        assert owed(rates, served) == sum((charges(rates, m) for m in served), Decimal(0))

    def test_of_a_whole_term_is_the_commitment(self) -> None:
        term = Term(start=date(2026, 7, 15), months=48)
        assert owed(whole(term, Decimal("100.01")), months_of(term)) == Decimal("100.01")


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
    def test_ends_before_the_same_date_or_with_a_month_that_does_not_have_it(
        self, start: str, months: int, end: str
    ) -> None:
        assert Term(start=date.fromisoformat(start), months=months).end == date.fromisoformat(end)

    @given(terms)
    def test_covers_the_whole_of_its_last_month(self, term: Term) -> None:
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
