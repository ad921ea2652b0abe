"""Drill policies: what is accepted, what is refused with which message, and what overrides what."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.domain.calendars.local_time import instant_of
from orchestrator.domain.selling.drill_policy import (
    Blackout,
    DrillPolicy,
    RecoveryTerms,
    Window,
    effective_policy,
    expected_duration,
)

ZONES = ("Europe/London", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia")
zones = st.sampled_from([ZoneInfo(name) for name in ZONES])


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


walls = st.datetimes(wall("2009-01-01"), wall("2030-01-01")).map(lambda at: at.replace(microsecond=0))


def refusal(**given: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        DrillPolicy.model_validate(given)
    return str(caught.value.errors()[0]["msg"])


class TestWallTime:
    @pytest.mark.parametrize(
        ("zone", "shown", "instant"),
        [
            ("Europe/London", "2027-03-28T00:59", "2027-03-28T00:59"),
            ("Europe/London", "2027-03-28T01:30", "2027-03-28T01:00"),  # never shown: the first instant after
            ("Europe/London", "2027-10-31T01:30", "2027-10-31T00:30"),  # shown twice: the first
            ("America/St_Johns", "2027-03-14T02:15", "2027-03-14T05:30"),
            ("Australia/Lord_Howe", "2027-10-03T02:10", "2027-10-02T15:30"),  # half an hour is skipped
            ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00"),  # a whole day is skipped
        ],
    )
    def test_has_one_instant(self, zone: str, shown: str, instant: str) -> None:
        assert instant_of(wall(shown), ZoneInfo(zone)) == wall(instant).replace(tzinfo=UTC)

    def test_that_is_shown_twice_also_has_a_last_instant(self) -> None:
        found = instant_of(wall("2027-10-31T01:30"), ZoneInfo("Europe/London"), of_two="last")
        assert found == datetime(2027, 10, 31, 1, 30, tzinfo=UTC)

    @given(zones, walls)
    def test_is_what_clocks_show_unless_they_skip_it(self, zone: ZoneInfo, wall: datetime) -> None:
        shown = instant_of(wall, zone).astimezone(zone)
        just_before = (instant_of(wall, zone) - timedelta(seconds=1)).astimezone(zone)
        assert shown.replace(tzinfo=None) == wall or just_before.replace(tzinfo=None) < wall < shown.replace(
            tzinfo=None
        )

    @given(zones, walls, st.timedeltas(timedelta(0), timedelta(days=2)))
    def test_does_not_run_backward(self, zone: ZoneInfo, asked: datetime, later: timedelta) -> None:
        assert instant_of(asked, zone) <= instant_of(asked + later, zone)


class TestAPolicy:
    def test_takes_times_as_yaml_reads_them(self) -> None:
        """YAML 1.1 reads 22:30 without quotes as 1350."""
        assert Window.model_validate({"start": 1350, "end": "04:00"}) == Window.model_validate(
            {"start": "22:30", "end": "04:00"}
        )

    def test_survives_being_written_and_read(self) -> None:
        policy = DrillPolicy(blackouts=(Blackout(start=date(2026, 12, 20), end=date(2027, 1, 3), why="year end"),))
        assert DrillPolicy.model_validate(policy.model_dump(mode="json")) == policy

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"time_zone": "Europe/Lundon"}, "'Europe/Lundon' is not a time zone; write a name from the IANA list"),
            ({"windows": []}, "needs at least one window, such as {days: [sat, sun]"),
            ({"windows": [{"start": "22:00:30", "end": "23:00"}]}, "must be hours and minutes"),
            ({"windows": [{"start": 1440, "end": "23:00"}]}, "must be hours and minutes"),
            ({"windows": [{"days": [], "start": "22:00", "end": "23:00"}]}, "at least 1 item"),
            ({"windows": [{"days": ["saturday"], "start": "22:00", "end": "23:00"}]}, "'mon', 'tue'"),
            ({"blackouts": [{"start": "24 Dec", "end": "2026-12-26"}]}, "must be a day such as 2026-12-24 or a time"),
            ({"blackouts": [{"start": "2026-12-26", "end": "2026-12-24"}]}, "before it starts on 2026-12-26"),
            ({"blackouts": [{"start": "2026-12-24", "end": "2026-12-26T12:00"}]}, "both be days or both be times"),
            ({"blackouts": [{"start": "2026-12-24T10:00Z", "end": "2026-12-26T12:00"}]}, "both have an offset"),
            ({"worst_moment_share": 1.5}, "less than or equal to 1"),
            ({"every_months": 0}, "greater than or equal to 1"),
            ({"every": 3}, "Extra inputs are not permitted"),
        ],
    )
    def test_that_makes_no_sense_is_refused(self, given: dict[str, Any], message: str) -> None:
        assert message in refusal(**given)


class TestABlackout:
    def test_of_days_covers_its_first_and_last_day_entirely(self) -> None:
        days = Blackout(start=date(2027, 3, 27), end=date(2027, 3, 28))
        assert days.between(ZoneInfo("Europe/London")) == (
            datetime(2027, 3, 27, tzinfo=UTC),
            datetime(2027, 3, 28, 23, tzinfo=UTC),
        )

    def test_that_ends_at_a_time_shown_twice_lasts_until_the_second_of_them(self) -> None:
        night = Blackout(start=wall("2027-10-31T00:00"), end=wall("2027-10-31T01:30"))
        assert night.between(ZoneInfo("Europe/London"))[1] == datetime(2027, 10, 31, 1, 30, tzinfo=UTC)


class TestTheEffectivePolicy:
    def test_is_none_without_a_promise(self) -> None:
        assert effective_policy(None, RecoveryTerms(worst_moment_share=1)) is None

    def test_is_the_tiers_unless_the_agency_says_otherwise(self) -> None:
        tier = DrillPolicy(every_months=6, worst_moment_share=0.5)
        assert effective_policy(tier, None) == tier
        assert effective_policy(tier, RecoveryTerms()) == tier
        terms = RecoveryTerms(time_zone="America/St_Johns", worst_moment_share=0)
        chosen = effective_policy(tier, terms)
        assert chosen == tier.model_copy(update={"time_zone": "America/St_Johns", "worst_moment_share": 0})

    def test_has_the_blackouts_of_the_tier_and_of_the_agency(self) -> None:
        freeze, election = (Blackout(start=date(2027, m, 1), end=date(2027, m, 9)) for m in (1, 5))
        chosen = effective_policy(DrillPolicy(blackouts=(freeze,)), RecoveryTerms(blackouts=(election,)))
        assert chosen and chosen.blackouts == (freeze, election)


def test_a_drill_is_expected_to_take_as_long_as_the_longest_recent_one() -> None:
    hours = tuple(timedelta(hours=n) for n in (9, 2, 3, 4, 1, 1))
    assert expected_duration(DrillPolicy(), hours) == timedelta(hours=4)
    assert expected_duration(DrillPolicy(lasts=timedelta(minutes=90)), ()) == timedelta(minutes=90)
