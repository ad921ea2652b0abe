"""The monthly charges of a call-off, also when it changes in the middle of its term, and what an agency owes after it
has left."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from math import lcm
from typing import Annotated

from pydantic import Field

from orchestrator.domain.calendars.months import MONTHS, CalendarMonth, months_between
from orchestrator.domain.money import split, to_pence
from orchestrator.domain.selling.agreement import CallOff, Term
from orchestrator.domain.value import Value

DAYS = lcm(28, 29, 30, 31)
"""The weight of a month, divisible by any possible number of its days."""


class Rate(Value):
    """Pounds a year for a term, charged from the day `since` until the next rate begins."""

    since: date
    term: Term
    per_year: Annotated[Decimal, Field(ge=0)]

    @property
    def total(self) -> Decimal:
        """Pounds for the whole term, rounded half-up to the penny."""
        return to_pence(self.per_year * self.term.months / MONTHS)


def amended(rates: Sequence[Rate], term: Term, per_year: Decimal, *, on: date) -> tuple[Rate, ...]:
    """The rates after an order is applied on a given day.

    A new price or end in the middle of a term counts from that day, or from the end of the term if that has passed. A
    term that has not begun is replaced, and a new term is charged from its start.
    """
    kept, since = tuple(rates), term.start
    if rates and (rates[-1].term, rates[-1].per_year) != (term, per_year):
        last = rates[-1].term
        begun = last.start <= on
        if begun and last.start == term.start:
            since = min(on, last.end)
        kept = tuple(rate for rate in rates if rate.since < (since if begun else last.start))
    if kept and (kept[-1].term, kept[-1].per_year) == (term, per_year):
        return kept
    return (*kept, Rate(since=since, term=term, per_year=per_year))


def charges(rates: Sequence[Rate], month: CalendarMonth) -> Decimal:
    """Pounds for a month. The months of a term add up exactly to the commitment."""
    return by_month(rates).get(str(month), Decimal(0))


def committed(rates: Sequence[Rate]) -> Decimal:
    """Pounds for all months together."""
    return sum(by_month(rates).values(), Decimal(0))


def owed(rates: Sequence[Rate], served: Iterable[CalendarMonth]) -> Decimal:
    """Pounds for the months in which an agency that has left had anything in service."""
    parts = by_month(rates)
    return sum((parts.get(str(month), Decimal(0)) for month in set(served)), Decimal(0))


def by_month(rates: Sequence[Rate]) -> dict[str, Decimal]:
    """Month -> pounds: its share of the rate's whole term, by the days of the month within the term. A month in which a
    new rate begins has a share of each, by their days. Later changes never affect earlier months."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    beginnings = [rate.since for rate in rates]
    for rate, until in zip(rates, [*beginnings, date.max][1:], strict=True):
        months = list(_months(rate.term))
        whole = split(rate.total, {str(month): _weight(rate.term, month) for month in months})
        for month in months:
            parts = split(whole[str(month)], _stretches(rate.term, month, beginnings))
            found[str(month)] += sum(
                (part for day, part in parts.items() if rate.since <= date.fromisoformat(day) < until), Decimal(0)
            )
    return found


def _months(term: Term) -> Iterator[CalendarMonth]:
    return months_between(term.start, term.end - timedelta(days=1))


def _covered(term: Term, month: CalendarMonth) -> tuple[date, date]:
    """The part of a month that a term covers: the first day, and the day after the last."""
    return max(term.start, month.first), min(term.end, month.following.first)


def _weight(term: Term, month: CalendarMonth) -> int:
    first, until = _covered(term, month)
    return (until - first).days * DAYS // (month.following.first - month.first).days


def _stretches(term: Term, month: CalendarMonth, beginnings: Iterable[date]) -> Mapping[str, int]:
    """First day -> number of days, for each stretch of the covered days with one rate."""
    first, until = _covered(term, month)
    edges = [first, *sorted({day for day in beginnings if first < day < until}), until]
    return {str(start): (end - start).days for start, end in pairwise(edges)}


class Agreed(Value):
    """The call-off as last applied, its rates, and the day on which an order takes effect: today, in the agreement's
    time zone."""

    call_off: CallOff
    rates: tuple[Rate, ...]
    on: date
