"""Bank holidays of England and Wales, and the deadlines that skip them."""

from datetime import date
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from orchestrator.domain.calendars.working_days import SATURDAY, working_days_after

if TYPE_CHECKING:
    from holidays import HolidayBase

REPORT_DAYS = 20
"""Working days from a drill to its report."""


def report_due(drilled_on: date) -> date:
    """The date by which the report on a drill is due."""
    return working_days_after(drilled_on, REPORT_DAYS, is_holiday=is_bank_holiday)


def edition() -> str:
    """The edition of the calendar: another may know other holidays, even in past years."""
    return f"holidays {version('holidays')}, on weekdays"


def is_bank_holiday(day: date) -> bool:
    """Whether the day is a bank holiday in England and Wales. One that falls on a weekend counts only on its substitute
    day (Banking and Financial Dealings Act 1971, section 1 and schedule 1; published on gov.uk/bank-holidays). The
    calendar has both."""
    return day.weekday() < SATURDAY and day in _calendar()


@lru_cache
def _calendar() -> "HolidayBase":
    """England's calendar, which Wales shares; years are added on demand. Imported on first use: few commands need
    it."""
    import holidays

    return holidays.country_holidays("GB", subdiv="ENG")
