"""Service hours as instants, across clock changes and bank holidays."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.calendars.spans import Span, between, instant_at, total
from orchestrator.domain.service_levels.hours import ServiceHours, service_spans
from tests.domain.service_levels.vectors import HOURS, LONDON, OFFICE, is_bank_holiday, london

HOUR = 3600
EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def hours(opens: str, closes: str, days: list[str] | None = None, **given: Any) -> ServiceHours:
    opening = [{"days": days or EVERY_DAY, "opens": opens, "closes": closes}]
    return ServiceHours.model_validate({"opening": opening, **given})


def month(number: int) -> Span:
    return CalendarMonth(year=2026, number=number).span(LONDON)


def served(given: ServiceHours, first: str, until: str) -> float:
    """Hours of service between two times."""
    within = between(london(first), london(until))
    return total(service_spans(given, within=within, is_bank_holiday=is_bank_holiday)) / HOUR


class TestOfficeHours:
    @pytest.mark.parametrize(("number", "days"), [(3, 22), (4, 20), (5, 19), (10, 22), (12, 21)])
    def test_are_ten_on_each_working_day(self, number: int, days: int) -> None:
        spans = service_spans(OFFICE, within=month(number), is_bank_holiday=is_bank_holiday)
        assert {span.end - span.start for span in spans} == {10 * HOUR}
        assert len(spans) == days

    def test_may_go_on_through_bank_holidays(self) -> None:
        open_always = OFFICE.model_copy(update={"closed_on_bank_holidays": False})
        spans = service_spans(open_always, within=month(4), is_bank_holiday=is_bank_holiday)
        assert total(spans) == 220 * HOUR

    def test_end_with_the_period(self) -> None:
        assert served(OFFICE, "2026-04-09T17:00", "2026-04-10T08:30") == 1.5


class TestRoundTheClock:
    def test_is_every_second_even_on_bank_holidays(self) -> None:
        spans = service_spans(HOURS["round-the-clock"], within=month(4), is_bank_holiday=is_bank_holiday)
        assert spans == (month(4),)


class TestNights:
    def test_belong_to_the_day_they_begin_on(self) -> None:
        """Good Friday has none; the night of Maundy Thursday reaches into it."""
        night = hours("22:00", "06:00")
        assert served(night, "2026-04-02T12:00", "2026-04-03T12:00") == 8
        assert served(night, "2026-04-03T12:00", "2026-04-04T12:00") == 0

    def test_reach_into_the_period_from_the_day_before_it(self) -> None:
        assert served(hours("22:00", "06:00"), "2026-04-15T00:00", "2026-04-16T00:00") == 8

    def test_last_a_whole_day_when_they_close_at_the_hour_they_open(self) -> None:
        assert served(hours("08:00", "08:00", ["tue"]), "2026-04-13T00:00", "2026-04-19T00:00") == 24


class TestWhenClocksChange:
    """Forward at 01:00 on 29 March, back at 02:00 on 25 October."""

    @pytest.mark.parametrize(
        ("opens", "closes", "forward", "back"),
        [
            ("00:00", "03:00", 2, 4),
            ("00:00", "01:00", 1, 1),
            ("01:00", "02:00", 0, 2),
            ("01:30", "03:00", 1, 2),
            ("00:00", "01:30", 1, 2),
            ("01:15", "01:45", 0, 1),
            ("01:30", "05:00", 3, 4),
            ("02:00", "03:00", 1, 1),
        ],
    )
    def test_the_skipped_hour_is_not_served_and_the_repeated_one_is(
        self, opens: str, closes: str, forward: float, back: float
    ) -> None:
        assert served(hours(opens, closes), "2026-03-29T00:00", "2026-03-30T00:00") == forward
        assert served(hours(opens, closes), "2026-10-25T00:00", "2026-10-26T00:00") == back

    def test_a_time_in_the_repeated_hour_means_both_of_its_instants(self) -> None:
        """The clock shows 01:30 twice: service opens at the first, closes when the clock shows 01:00 again, and opens
        at the second."""
        within = between(london("2026-10-25T00:00"), london("2026-10-26T00:00"))
        spans = service_spans(hours("01:30", "05:00"), within=within, is_bank_holiday=is_bank_holiday)
        assert spans == (
            between(london("2026-10-25T01:30+01:00"), london("2026-10-25T01:00+00:00")),
            between(london("2026-10-25T01:30+00:00"), london("2026-10-25T05:00+00:00")),
        )

    def test_nights_that_close_in_the_repeated_hour_close_twice(self) -> None:
        within = between(london("2026-10-24T12:00"), london("2026-10-25T12:00"))
        spans = service_spans(hours("22:00", "01:30", ["sat"]), within=within, is_bank_holiday=is_bank_holiday)
        assert spans == (
            between(london("2026-10-24T22:00"), london("2026-10-25T01:30+01:00")),
            between(london("2026-10-25T01:00+00:00"), london("2026-10-25T01:30+00:00")),
        )


clock_times = st.integers(0, 24 * 4 - 1).map(lambda quarter: time(quarter // 4, quarter % 4 * 15))


@given(
    clock_times,
    clock_times,
    st.sampled_from(
        ["Europe/London", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "America/Havana"]
    ),
    st.integers(0, 364),
)
@example(time(1, 30), time(5), "Europe/London", 297)
@example(time(1, 45), time(1, 15), "Australia/Lord_Howe", 94)
@example(time(0, 15), time(0, 45), "America/Havana", 304)
def test_hours_are_what_clocks_show(opens: time, closes: time, zone: str, day: int) -> None:
    """Checked against the local time of every quarter of an hour. The days before and after have no hours."""
    date_of = date(2026, 1, 1) + timedelta(days=day)
    weekday = EVERY_DAY[date_of.weekday()]
    told = hours(str(opens)[:5], str(closes)[:5], [weekday], time_zone=zone)
    begin = datetime.combine(date_of, time(), UTC) - timedelta(hours=14)
    within = between(begin, begin + timedelta(hours=64))
    spans = service_spans(told, within=within, is_bank_holiday=lambda _: False)
    first = datetime.combine(date_of, opens)
    last = datetime.combine(date_of + timedelta(days=closes <= opens), closes)
    for second in range(within.start, within.end, 900):
        shown = instant_at(second).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert any(span.start <= second < span.end for span in spans) is (first <= shown < last), shown


def test_bank_holidays_go_by_the_local_date() -> None:
    """When it is still Thursday in London it is Friday in Apia."""
    asked: set[date] = set()

    def never(day: date) -> bool:
        asked.add(day)
        return False

    apia = hours("09:00", "10:00", ["fri"], time_zone="Pacific/Apia")
    within = between(london("2026-04-02T21:00"), london("2026-04-02T22:00"))
    assert service_spans(apia, within=within, is_bank_holiday=never) == (within,)
    assert date(2026, 4, 3) in asked


@pytest.mark.parametrize(
    "wrong",
    [
        {"opening": []},
        {"opening": "always"},
        {"opening": "24x7", "time_zone": "London"},
        {"opening": [{"days": [], "opens": "08:00", "closes": "18:00"}]},
        {"opening": [{"days": ["mon"], "opens": "08:00+01:00", "closes": "18:00"}]},
    ],
)
def test_invalid_hours_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ServiceHours.model_validate(wrong)
