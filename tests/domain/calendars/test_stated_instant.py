"""A stated time is exactly one instant, or is refused."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given

from orchestrator.domain.calendars.local_time import stated_instant
from orchestrator.domain.errors import Kind, OrchestratorError
from tests.domain.selling.test_drill_policy import walls, zones

LONDON = ZoneInfo("Europe/London")


@pytest.mark.parametrize(
    ("stated", "utc"),
    [
        ("2026-04-09T17:30", "2026-04-09T16:30+00:00"),
        ("2026-01-09T17:30", "2026-01-09T17:30+00:00"),
        ("2026-10-25T01:30+01:00", "2026-10-25T00:30+00:00"),
        ("2026-10-25T01:30+00:00", "2026-10-25T01:30+00:00"),
        ("2026-10-25T02:00", "2026-10-25T02:00+00:00"),
        ("2026-03-29T02:00", "2026-03-29T01:00+00:00"),
    ],
)
def test_a_time_that_means_one_instant_is_accepted(stated: str, utc: str) -> None:
    assert stated_instant(datetime.fromisoformat(stated), LONDON) == datetime.fromisoformat(utc)


@pytest.mark.parametrize(
    ("stated", "message", "hint"),
    [
        (
            "2026-10-25T01:30",
            "clocks of Europe/London show 2026-10-25T01:30:00 twice",
            "2026-10-25T01:30:00+01:00 or 2026-10-25T01:30:00+00:00",
        ),
        (
            "2026-03-29T01:30",
            "clocks of Europe/London never show 2026-03-29T01:30:00",
            "2026-03-29T00:30:00+00:00 or 2026-03-29T02:30:00+01:00",
        ),
    ],
)
def test_a_time_that_means_two_instants_or_none_is_refused(stated: str, message: str, hint: str) -> None:
    with pytest.raises(OrchestratorError) as refused:
        stated_instant(datetime.fromisoformat(stated), LONDON)
    assert (refused.value.kind, refused.value.message) == (Kind.INVALID, message)
    assert refused.value.hint == f"write the instant with its offset: {hint}"


@given(walls, zones)
def test_accepted_times_are_those_that_clocks_show(wall: datetime, zone: ZoneInfo) -> None:
    """Checked by brute force: the instants of two days at which clocks show this time."""
    shown = {
        instant
        for fold in (0, 1)
        if (instant := wall.replace(tzinfo=zone, fold=fold).astimezone(ZoneInfo("UTC")))
        and instant.astimezone(zone).replace(tzinfo=None) - wall == timedelta(0)
    }
    try:
        assert {stated_instant(wall, zone)} == shown
    except OrchestratorError:
        assert len(shown) != 1
