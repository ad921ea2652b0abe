"""Bank holidays in England and Wales, and twenty working days."""

from datetime import UTC, date, datetime, timedelta

import pytest

from orchestrator.adapters.bank_holidays import is_bank_holiday, report_due
from orchestrator.domain.calendars.spans import between, total
from orchestrator.domain.service_levels.hours import ServiceHours, service_spans


@pytest.mark.parametrize(
    ("drilled_on", "due"),
    [
        (date(2026, 11, 2), date(2026, 11, 30)),  # four plain weeks
        (date(2026, 11, 1), date(2026, 11, 27)),  # a Sunday
        (date(2026, 12, 5), date(2027, 1, 6)),  # Christmas Day, the Monday for Boxing Day, New Year's Day
        (date(2027, 3, 24), date(2027, 4, 23)),  # Good Friday and Easter Monday
        (date(2027, 12, 24), date(2028, 1, 26)),  # both Christmas days and New Year's Day fall on the weekend
    ],
)
def test_the_report_is_due_after_twenty_working_days(drilled_on: date, due: date) -> None:
    assert report_due(drilled_on) == due


def test_scottish_holidays_count_as_working_days() -> None:
    """2 January 2029 is a Tuesday, and a holiday in Scotland only."""
    assert report_due(date(2028, 12, 31)) == date(2029, 1, 29)
    assert report_due(date(2029, 1, 1)) - report_due(date(2028, 12, 31)) == timedelta(0)


class TestABankHoliday:
    @pytest.mark.parametrize(
        ("holiday", "counts"),
        [
            (date(2026, 12, 25), True),  # a Friday
            (date(2026, 12, 26), False),  # a Saturday, for which Monday is kept
            (date(2026, 12, 28), True),
            (date(2021, 12, 25), False),
            (date(2021, 12, 26), False),
            (date(2021, 12, 27), True),
            (date(2021, 12, 28), True),
            (date(2022, 1, 1), False),
            (date(2022, 1, 3), True),
            (date(2022, 12, 25), False),
            (date(2022, 12, 26), True),
            (date(2022, 12, 27), True),
        ],
    )
    def test_on_a_weekend_is_observed_on_its_substitute_only(self, holiday: date, counts: bool) -> None:
        assert is_bank_holiday(holiday) is counts

    def test_is_as_published_for_2020_to_2022(self) -> None:
        """gov.uk/bank-holidays, England and Wales."""
        published = {
            2020: ("01-01", "04-10", "04-13", "05-08", "05-25", "08-31", "12-25", "12-28"),
            2021: ("01-01", "04-02", "04-05", "05-03", "05-31", "08-30", "12-27", "12-28"),
            2022: ("01-03", "04-15", "04-18", "05-02", "06-02", "06-03", "08-29", "09-19", "12-26", "12-27"),
        }
        days = (date(2020, 1, 1) + timedelta(days=n) for n in range(366 + 365 + 365))
        assert [day for day in days if is_bank_holiday(day)] == [
            date.fromisoformat(f"{year}-{day}") for year, held in published.items() for day in held
        ]

    def test_leaves_weekend_hours_open(self) -> None:
        """Boxing Day 2026 is a Saturday: service is due on it, but not on Monday."""
        opening = [{"days": ["sat", "sun", "mon"], "opens": "08:00", "closes": "18:00"}]
        hours = ServiceHours.model_validate({"opening": opening})
        within = between(datetime(2026, 12, 26, tzinfo=UTC), datetime(2026, 12, 29, tzinfo=UTC))
        assert total(service_spans(hours, within=within, is_bank_holiday=is_bank_holiday)) == 20 * 3600
