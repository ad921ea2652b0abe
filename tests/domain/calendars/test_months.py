"""Months from local midnight to local midnight."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.calendars.spans import instant_at
from tests.domain.service_levels.vectors import LONDON

HOUR = 3600
months = st.builds(CalendarMonth, year=st.integers(1990, 2040), number=st.integers(1, 12))
zones = st.sampled_from(
    ["Europe/London", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "America/Asuncion", "Asia/Beirut"]
).map(ZoneInfo)


@pytest.mark.parametrize(("number", "hours"), [(1, 744), (2, 672), (3, 743), (4, 720), (10, 745), (12, 744)])
def test_a_month_is_as_long_as_clocks_make_it(number: int, hours: int) -> None:
    start, end = CalendarMonth(year=2026, number=number).span(LONDON)
    assert end - start == hours * HOUR


def test_a_month_whose_midnight_clocks_skip_begins_after_the_gap() -> None:
    """In 2017, clocks in Paraguay went forward at midnight on 1 October."""
    start, _ = CalendarMonth(year=2017, number=10).span(ZoneInfo("America/Asuncion"))
    assert instant_at(start).isoformat() == "2017-10-01T04:00:00+00:00"


@given(months, zones)
def test_months_leave_no_second_between_them(month: CalendarMonth, zone: ZoneInfo) -> None:
    assert month.span(zone).end == month.following.span(zone).start
    assert CalendarMonth.of(instant_at(month.span(zone).start).astimezone(zone).date()) == month
    assert CalendarMonth.of(instant_at(month.span(zone).end - 1).astimezone(zone).date()) == month


def test_a_month_is_written_as_year_and_number() -> None:
    assert str(CalendarMonth.of(date(2026, 4, 30))) == "2026-04"
    assert str(CalendarMonth(year=2026, number=12).following) == "2027-01"
