"""Service hours as instants, through changes of clocks and bank holidays."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.domain.calendar_month import CalendarMonth
from orchestrator.domain.service_hours import ServiceHours, service_spans
from orchestrator.domain.spans import Span, between, total
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
    def test_is_every_second_bank_holidays_too(self) -> None:
        spans = service_spans(HOURS["round-the-clock"], within=month(4), is_bank_holiday=is_bank_holiday)
        assert spans == (month(4),)


class TestNights:
    def test_belong_to_the_day_they_begin_on(self) -> None:
        """Good Friday has none; the night from Maundy Thursday goes on into it."""
        night = hours("22:00", "06:00")
        assert served(night, "2026-04-02T12:00", "2026-04-03T12:00") == 8
        assert served(night, "2026-04-03T12:00", "2026-04-04T12:00") == 0

    def test_reach_into_the_period_from_the_day_before_it(self) -> None:
        assert served(hours("22:00", "06:00"), "2026-04-15T00:00", "2026-04-16T00:00") == 8

    def test_are_a_day_long_when_they_close_as_they_open(self) -> None:
        assert served(hours("08:00", "08:00", ["tue"]), "2026-04-13T00:00", "2026-04-19T00:00") == 24


class TestWhenClocksChange:
    """Forward at 01:00 on 29 March, back at 02:00 on 25 October."""

    @pytest.mark.parametrize(
        ("opens", "closes", "forward", "back"),
        [
            ("00:00", "03:00", 2, 4),
            ("00:00", "01:00", 1, 1),
            ("01:00", "02:00", 0, 2),
            ("01:30", "03:00", 1, 2.5),
            ("00:00", "01:30", 1, 2.5),
            ("02:00", "03:00", 1, 1),
        ],
    )
    def test_the_skipped_hour_is_not_served_and_the_repeated_one_is(
        self, opens: str, closes: str, forward: float, back: float
    ) -> None:
        assert served(hours(opens, closes), "2026-03-29T00:00", "2026-03-30T00:00") == forward
        assert served(hours(opens, closes), "2026-10-25T00:00", "2026-10-26T00:00") == back


def test_bank_holidays_are_asked_for_by_the_date_of_the_place() -> None:
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
def test_what_are_no_hours_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ServiceHours.model_validate(wrong)
