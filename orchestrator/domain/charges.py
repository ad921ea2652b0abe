"""What a call-off costs month by month, and what of it is owed once the agency has left."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from math import lcm

from orchestrator.domain.agreement import Term
from orchestrator.domain.calendar_month import CalendarMonth, months_between
from orchestrator.domain.money import split

DAYS = lcm(28, 29, 30, 31)
"""A month's weight: whole numbers of it for any number of its days."""


def charges(term: Term, committed: Decimal, month: CalendarMonth) -> Decimal:
    """Pounds for a month: a part of the whole term's, by the days of the month that the term covers. The months of a
    term add up to what was committed, to the penny."""
    return _by_month(term, committed).get(str(month), Decimal(0))


def owed(term: Term, committed: Decimal, served: Iterable[CalendarMonth]) -> Decimal:
    """Pounds for the months in which an agency that left had anything in service."""
    parts = _by_month(term, committed)
    return sum((parts.get(str(month), Decimal(0)) for month in set(served)), Decimal(0))


def _by_month(term: Term, committed: Decimal) -> dict[str, Decimal]:
    months = months_between(term.start, term.end - timedelta(days=1))
    return split(committed, {str(month): _weight(term, month) for month in months})


def _weight(term: Term, month: CalendarMonth) -> int:
    days = (month.following.first - month.first).days
    covered = (min(term.end, month.following.first) - max(term.start, month.first)).days
    return covered * DAYS // days
