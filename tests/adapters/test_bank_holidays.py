"""Twenty working days in England and Wales."""

from datetime import date, timedelta

import pytest

from orchestrator.adapters.bank_holidays import report_due


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
