"""When some service time has passed, against a count second by second."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.calendars.spans import between
from orchestrator.domain.service_levels.clock import ServiceClock
from orchestrator.domain.service_levels.deadline import deadline
from orchestrator.domain.service_levels.hours import ServiceHours, service_spans
from tests.domain.service_levels.vectors import is_bank_holiday

WEEKDAYS = {"days": ["mon", "tue", "wed", "thu", "fri"], "opens": "08:00", "closes": "18:00"}
OFFICE = ServiceHours.model_validate({"opening": [WEEKDAYS]})
ALWAYS = ServiceHours.model_validate({"opening": "24x7"})
SUNDAYS = ServiceHours.model_validate({"opening": [{"days": ["sun"], "opens": "23:59", "closes": "00:30"}]})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "start", "service_time", "due"),
    [
        (OFFICE, "2026-11-30T09:00", "4:00", "2026-11-30T13:00"),
        (OFFICE, "2026-11-30T17:00", "2:00", "2026-12-01T09:00"),
        (OFFICE, "2026-11-27T17:59", "1:00", "2026-11-30T08:59"),  # over a weekend
        (OFFICE, "2026-12-24T16:00", "3:00", "2026-12-29T09:00"),  # Christmas, and the substitute of Boxing Day
        (OFFICE, "2026-10-23T16:00", "1:00", "2026-10-23T17:00"),  # summer time: 18:00 in London
        (OFFICE, "2026-10-23T16:00", "3:00", "2026-10-26T10:00"),  # and winter time after the weekend
        (OFFICE, "2026-11-30T03:00", "10:00", "2026-11-30T18:00"),
        (ALWAYS, "2026-12-24T16:00", "48:00", "2026-12-26T16:00"),
    ],
)
def test_service_time_passes_in_service_hours_only(
    hours: ServiceHours, start: str, service_time: str, due: str
) -> None:
    hour, minute = map(int, service_time.split(":"))
    length = timedelta(hours=hour, minutes=minute)
    assert deadline(hours, at(start), length, is_bank_holiday=is_bank_holiday) == at(due)


@given(
    hours=st.sampled_from([OFFICE, ALWAYS, SUNDAYS]),
    start=st.integers(0, 2 * 365 * 86_400),
    length=st.timedeltas(timedelta(seconds=1), timedelta(hours=300)),
)
def test_a_clock_of_the_service_hours_reads_the_service_time_when_it_is_due(
    hours: ServiceHours, start: int, length: timedelta
) -> None:
    begins, seconds = at("2026-01-01") + timedelta(seconds=start), timedelta(seconds=int(length.total_seconds()))
    due = deadline(hours, begins, seconds, is_bank_holiday=is_bank_holiday)
    within = between(begins, due)
    clock = ServiceClock(service_spans(hours, within=within, is_bank_holiday=is_bank_holiday))
    assert clock.seconds((within,)) == seconds.total_seconds()
    before = between(begins, due - timedelta(seconds=1))
    assert clock.seconds((before,)) == seconds.total_seconds() - 1, "not a second earlier"
