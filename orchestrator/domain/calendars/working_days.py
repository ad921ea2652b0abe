"""Deadlines in working days."""

from collections.abc import Callable
from datetime import date, timedelta

SATURDAY = 5


def working_days_after(day: date, count: int, *, is_holiday: Callable[[date], bool]) -> date:
    """The `count`-th working day after `day`. `day` itself, Saturdays and Sundays do not count."""
    while count:
        day += timedelta(days=1)
        if day.weekday() < SATURDAY and not is_holiday(day):
            count -= 1
    return day
