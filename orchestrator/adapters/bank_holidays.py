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
    """The last day for the report on a drill."""
    return working_days_after(drilled_on, REPORT_DAYS, is_holiday=is_bank_holiday)


def edition() -> str:
    """Of the calendar: another may know other holidays, also of years that are over."""
    return f"holidays {version('holidays')}, on weekdays"


def is_bank_holiday(day: date) -> bool:
    """In England and Wales. One that falls on a weekend is kept on its substitute day, and on no other: another day is
    appointed in its place (Banking and Financial Dealings Act 1971, section 1 and schedule 1; published on
    gov.uk/bank-holidays). The calendar has both."""
    return day.weekday() < SATURDAY and day in _calendar()


@lru_cache
def _calendar() -> "HolidayBase":
    """Wales has England's; years are added as they are asked for. Imported when somebody asks: most commands do not."""
    import holidays

    return holidays.country_holidays("GB", subdiv="ENG")
