"""One drill in each period, inside a window, outside blackouts, and always the same one."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.domain.calendars.week import WEEKDAYS
from orchestrator.domain.recovery.drill_calendar import (
    GRAIN,
    Occurrence,
    Reason,
    Skipped,
    delay_of,
    drill_key,
    instant,
    occurrences,
    period_of,
    windows_of,
)
from orchestrator.domain.recovery.verdict import Moment
from orchestrator.domain.selling.drill_policy import Blackout, DrillPolicy, Window
from tests.domain.selling.test_drill_policy import ZONES

START = datetime(2026, 11, 1, tzinfo=UTC)

fewer = settings(max_examples=60)
"""The first period of a policy is drawn slowly, later ones from a cache."""

clock_times = st.integers(0, 287).map(lambda n: time(n // 12, n % 12 * 5))
windows = st.builds(
    Window,
    days=st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True).map(tuple),
    start=clock_times,
    end=clock_times,
)
blackouts = st.builds(
    lambda day, length: Blackout(start=day, end=day + timedelta(days=length)),
    st.dates(date(2010, 1, 1), date(2029, 1, 1)),
    st.integers(0, 50),
)
policies = st.builds(
    DrillPolicy,
    every_months=st.integers(1, 24),
    windows=st.lists(windows, min_size=1, max_size=3).map(tuple),
    blackouts=st.lists(blackouts, max_size=5).map(tuple),
    time_zone=st.sampled_from(ZONES),
    worst_moment_share=st.floats(0, 1),
    lasts=st.timedeltas(timedelta(minutes=1), timedelta(hours=5)),
)
afters = st.datetimes(datetime(2010, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - in UTC


def entries(policy: DrillPolicy, count: int = 20, *, after: datetime = START, agency: str = "cabinet-office",
            **given: Any) -> list[Occurrence | Skipped]:  # fmt: skip
    return list(occurrences(policy, agency=agency, component="desktop", after=after, count=count, **given))


def drills(policy: DrillPolicy, count: int = 20, **given: Any) -> list[Occurrence]:
    return [entry for entry in entries(policy, count, **given) if isinstance(entry, Occurrence)]


def open_at(policy: DrillPolicy, at: datetime) -> bool:
    """Checked by brute force, minute by minute, from what clocks show."""
    wall = at.astimezone(policy.zone).replace(tzinfo=None)
    for window in policy.windows:
        for day in (wall.date(), wall.date() - timedelta(days=1)):
            hours = window.on(day)
            if hours and hours[0] <= wall < hours[1]:
                return not any(b.start <= wall.date() <= b.end for b in policy.blackouts)  # type: ignore[operator]
    return False


@pytest.mark.slow
class TestDrills:
    @fewer
    @given(policies, afters)
    def test_lie_inside_windows_and_outside_blackouts(self, policy: DrillPolicy, after: datetime) -> None:
        for drill in drills(policy, 4, after=after):
            assert drill.scheduled_at > after
            assert drill.scheduled_at + policy.lasts <= drill.window_end
            minutes = policy.lasts // timedelta(minutes=1)
            assert all(open_at(policy, drill.scheduled_at + timedelta(minutes=n)) for n in range(0, minutes, 7))

    @fewer
    @given(policies, afters)
    def test_come_once_a_period_in_order(self, policy: DrillPolicy, after: datetime) -> None:
        def period(entry: Occurrence | Skipped) -> int:
            day = entry.first if isinstance(entry, Skipped) else entry.scheduled_at.astimezone(policy.zone).date()
            return (day.year * 12 + day.month - 1) // policy.every_months

        for one, next_one in pairwise(entries(policy, 6, after=after)):
            assert period(next_one) == period(one) + 1

    @fewer
    @given(policies, afters, st.integers(0, 6))
    def test_are_the_same_whenever_they_are_computed(self, policy: DrillPolicy, after: datetime, asked: int) -> None:
        found = entries(policy, 8, after=after)
        if isinstance(drill := found[asked], Occurrence):
            assert entries(policy, 7 - asked, after=drill.scheduled_at) == found[asked + 1 :]

    def test_differ_between_agencies(self) -> None:
        starts = {drills(DrillPolicy(), 1, agency=f"agency-{n}")[0].scheduled_at for n in range(40)}
        assert len(starts) > 35

    def test_stay_where_they_are_when_a_blackout_comes_elsewhere(self) -> None:
        before = drills(DrillPolicy(), 4)
        away = before[1].scheduled_at.date() + timedelta(days=2)
        blackout = Blackout(start=away, end=away + timedelta(days=3))
        assert drills(DrillPolicy(blackouts=(blackout,)), 4) == before

    def test_keep_their_wall_time_across_the_change_of_clocks(self) -> None:
        policy = DrillPolicy(
            every_months=1, windows=(Window(start=time(3), end=time(5)),), lasts=timedelta(hours=1, minutes=5)
        )
        assert {d.scheduled_at.astimezone(policy.zone).hour for d in drills(policy)} == {3}
        assert {d.scheduled_at.hour for d in drills(policy)} == {2, 3}

    def test_follow_the_clocks_in_the_hour_that_they_repeat(self) -> None:
        """Sunday 01:30 to 05:00: on 25 October clocks show 01:00 again at 02:00, and 01:30 half an hour later."""
        policy = DrillPolicy(every_months=1, windows=(Window(days=("sun",), start=time(1, 30), end=time(5)),))
        october = period_of(policy, date(2026, 10, 1))
        spans = [(instant(a), instant(b)) for a, b in windows_of(policy, october)]
        half, one = timedelta(minutes=30), datetime(2026, 10, 25, 1, tzinfo=UTC)
        assert spans[-2:] == [(one - half, one), (one + half, one + timedelta(hours=4))]

    @pytest.mark.parametrize("zone", ZONES)
    def test_avoid_the_night_in_which_clocks_cut_their_window_short(self, zone: str) -> None:
        """The drill is as long as the window; in the night when clocks go forward it does not fit."""
        night = Window(start=time(1), end=time(3))
        policy = DrillPolicy(every_months=1, windows=(night,), time_zone=zone, lasts=timedelta(hours=2))
        for drill in drills(policy, 60):
            assert drill.window_end - drill.scheduled_at >= timedelta(hours=2)
            assert drill.scheduled_at.astimezone(policy.zone).hour == 1


class TestAPeriodWithoutADrill:
    def test_is_reported_with_its_reason(self) -> None:
        freeze = Blackout(start=date(2026, 12, 1), end=date(2026, 12, 31))
        found = entries(DrillPolicy(every_months=1, blackouts=(freeze,)), 3)
        assert found[1] == Skipped(date(2026, 12, 1), date(2027, 1, 1), Reason.BLACKOUT)
        assert [type(entry) for entry in found] == [Occurrence, Skipped, Occurrence]

    def test_is_not_blamed_on_blackouts_when_drills_take_too_long(self) -> None:
        found = entries(DrillPolicy(), 2, lasts=timedelta(hours=30))
        assert {entry.reason for entry in found if isinstance(entry, Skipped)} == {Reason.TOO_LONG}
        assert len(found) == 2


@pytest.mark.slow
class TestTheWorstMoment:
    @pytest.mark.parametrize(("share", "expected"), [(0.0, 10), (0.25, 10), (0.5, 20), (0.75, 30), (1.0, 40)])
    def test_has_its_share_of_the_drills(self, share: float, expected: int) -> None:
        kinds = Counter(d.kind for d in drills(DrillPolicy(worst_moment_share=share), 40))
        assert kinds[Moment.WORST] == expected

    @fewer
    @given(st.integers(1, 24), st.floats(0, 1), st.text(min_size=1, max_size=5))
    def test_is_among_the_drills_of_any_twelve_months(self, every: int, share: float, agency: str) -> None:
        policy = DrillPolicy(every_months=every, worst_moment_share=share)
        kinds = [d.kind for d in drills(policy, 60, agency=agency)]
        a_year = max(12 // every, 1)
        assert all(Moment.WORST in kinds[n : n + a_year] for n in range(60 - a_year))

    @fewer
    @given(policies, st.text(min_size=1, max_size=5))
    def test_is_among_the_drills_of_every_calendar_year(self, policy: DrillPolicy, agency: str) -> None:
        """In the agency's time zone, whatever the blackouts."""
        by_year = self.by_year(policy, agency=agency, years=5)
        assert all(Moment.WORST in kinds for kinds in by_year.values()), by_year

    @pytest.mark.parametrize("every", range(1, 25))
    def test_is_among_the_drills_of_years_that_have_few(self, every: int) -> None:
        for n in range(120):
            by_year = self.by_year(DrillPolicy(every_months=every, worst_moment_share=0), agency=f"a{n}", years=8)
            assert all(Moment.WORST in kinds for kinds in by_year.values()), (n, by_year)

    @pytest.mark.parametrize("every", [1, 2, 3, 4])
    def test_comes_earlier_when_the_rest_of_the_year_is_closed(self, every: int) -> None:
        """The blackout lasts from the month of its turn until New Year."""
        for n in range(24):
            policy, agency = DrillPolicy(every_months=every, worst_moment_share=0), f"a{n}"
            coming = drills(policy, 24, agency=agency, after=datetime(2026, 12, 31, tzinfo=UTC))
            turn = next(drill.scheduled_at for drill in coming if drill.kind is Moment.WORST)
            first = turn.astimezone(policy.zone).date()
            first = date(first.year, (first.month - 1) // every * every + 1, 1)
            closed = policy.model_copy(update={"blackouts": (Blackout(start=first, end=date(first.year, 12, 31)),)})
            by_year = self.by_year(closed, agency=agency, years=3)
            assert all(Moment.WORST in kinds for kinds in by_year.values()), (n, by_year)

    def by_year(self, policy: DrillPolicy, *, agency: str, years: int) -> dict[int, set[Moment]]:
        """The moments of the drills of whole calendar years, in the agency's time zone."""
        count = 12 * (years + 2) // policy.every_months + 2
        found: dict[int, set[Moment]] = {}
        for drill in drills(policy, count, agency=agency, after=datetime(2026, 12, 31, tzinfo=UTC)):
            found.setdefault(drill.scheduled_at.astimezone(policy.zone).year, set()).add(drill.kind)
        return {year: kinds for year, kinds in found.items() if 2027 <= year < 2027 + years}

    def test_passes_to_the_next_drill_when_its_own_is_skipped(self) -> None:
        policy = DrillPolicy(every_months=1, worst_moment_share=0)
        worst = next(d for d in drills(policy) if d.kind is Moment.WORST).scheduled_at.date()
        month = Blackout(start=worst.replace(day=1), end=worst.replace(day=28) + timedelta(days=3))
        found = drills(policy.model_copy(update={"blackouts": (month,)}))
        later = next(d for d in found if d.scheduled_at.date() > worst)
        assert later.kind is Moment.WORST


class TestTheSecondOfADisaster:
    @given(st.text(), st.timedeltas(timedelta(0), timedelta(hours=3)))
    def test_lies_within_a_grain_and_the_time_available(self, key: str, at_most: timedelta) -> None:
        delay = delay_of(key, at_most=at_most)
        assert timedelta(0) <= delay <= at_most
        assert delay < GRAIN
        assert delay == delay_of(key, at_most=at_most)
        assert delay % timedelta(seconds=1) == timedelta(0)

    def test_can_be_any_second_of_the_grain(self) -> None:
        drawn = Counter(delay_of(f"drill {n}", at_most=timedelta(hours=1)).seconds for n in range(6_000))
        assert set(drawn) == set(range(300))
        assert max(drawn.values()) < 50, "twenty is what each can expect"


def test_the_key_of_a_drill_names_its_agency_component_and_time() -> None:
    at = datetime(2027, 6, 12, 9, 25, tzinfo=UTC)
    assert drill_key("cabinet-office", "desktop", at) == "cabinet-office/desktop/2027-06-12T09:25:00Z"
    assert drill_key("a", "b", at.astimezone(DrillPolicy().zone)) == drill_key("a", "b", at)
