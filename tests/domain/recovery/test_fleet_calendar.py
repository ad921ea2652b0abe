"""All drills on the available lanes: never too many at a time, few lanes, and no unnecessary moves."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.domain.calendars.spans import Span
from orchestrator.domain.recovery.drill_calendar import Occurrence, Reason, occurrences
from orchestrator.domain.recovery.fleet_calendar import DrillRequest, FleetCalendar, Placed, plan_calendar
from orchestrator.domain.recovery.lane_bound import Crowd, lane_bound
from orchestrator.domain.selling.drill_policy import Blackout, DrillPolicy, Window
from tests.bench.fleet import fleet
from tests.domain.recovery.test_drill_calendar import policies

YEAR = {"first": date(2027, 1, 1), "until": date(2028, 1, 1)}
SATURDAY_MORNING = Window.model_validate({"days": ["sat"], "start": "06:00", "end": "10:00"})


def most_at_once(calendar: FleetCalendar, site: str, lasts: dict[tuple[str, str], timedelta]) -> int:
    """Counted by brute force, from starts and ends."""
    edges = sorted(
        edge
        for p in calendar.placed
        if p.site == site
        for edge in ((p.occurrence.scheduled_at, 1), (p.occurrence.scheduled_at + lasts[p.agency, p.component], -1))
    )
    running = most = 0
    for _, change in edges:
        running += change
        most = max(most, running)
    return most


def crowded(agencies: int, **policy: object) -> list[DrillRequest]:
    given = DrillPolicy(windows=(SATURDAY_MORNING,), lasts=timedelta(hours=2)).model_copy(update=policy)
    return [DrillRequest(f"agency-{n}", "desktop", "here", given) for n in range(agencies)]


class TestAFleet:
    def test_is_planned_whole(self) -> None:
        requests = list(fleet(300, sites=2))
        calendar = plan_calendar(requests, capacity={"site-0": 9, "site-1": 9}, **YEAR)
        assert not calendar.unplaced
        assert len(calendar.placed) == 1200
        for p in calendar.placed:
            assert p.occurrence.scheduled_at + timedelta(minutes=45) <= p.occurrence.window_end

    def test_uses_no_more_lanes_than_it_says(self) -> None:
        requests = list(fleet(300, sites=1))
        calendar = plan_calendar(requests, capacity={"site-0": 99}, **YEAR)
        lasts = {(r.agency, r.component): r.policy.lasts for r in requests}
        assert most_at_once(calendar, "site-0", lasts) == calendar.lanes["site-0"] >= calendar.bound["site-0"]

    @pytest.mark.slow
    @pytest.mark.parametrize("sites", [1, 3])
    def test_of_ten_thousand_needs_few_lanes(self, sites: int) -> None:
        requests = list(fleet(10_000, sites=sites))
        calendar = plan_calendar(requests, capacity={f"site-{n}": 999 for n in range(sites)}, **YEAR)
        assert len(calendar.placed) == 40_000
        for site, lanes in calendar.lanes.items():
            assert lanes <= 1.15 * calendar.bound[site]

    def test_fills_the_available_lanes_and_lists_the_drills_that_found_none(self) -> None:
        """Thirteen Saturdays of four hours, two hours each: twenty-six drills a quarter and lane."""
        calendar = plan_calendar(crowded(30), capacity={"here": 1}, first=date(2027, 1, 1), until=date(2027, 4, 1))
        assert len(calendar.placed) == 26
        assert {u.skipped.reason for u in calendar.unplaced} == {Reason.NO_LANE}
        assert (calendar.lanes, calendar.bound) == ({"here": 1}, {"here": 2})

    def test_without_a_lane_is_not_planned(self) -> None:
        calendar = plan_calendar(crowded(2), capacity={}, **YEAR)
        assert not calendar.placed
        assert len(calendar.unplaced) == 8

    def test_is_the_same_in_any_order(self) -> None:
        requests = list(fleet(60, sites=2))
        capacity = {"site-0": 2, "site-1": 2}
        assert plan_calendar(requests, capacity=capacity, **YEAR) == plan_calendar(
            reversed(requests), capacity=capacity, **YEAR
        )

    def test_with_enough_room_keeps_the_times_that_each_agency_would_have_alone(self) -> None:
        request = crowded(1)[0]
        alone = occurrences(
            request.policy, agency="agency-0", component="desktop", after=datetime(2027, 1, 1, tzinfo=UTC), count=4
        )
        planned = plan_calendar([request], capacity={"here": 1}, **YEAR)
        assert [p.occurrence for p in planned.placed] == list(alone)

    @settings(max_examples=30)
    @given(st.lists(policies, min_size=1, max_size=6), st.integers(0, 3))
    def test_keeps_every_promise_whatever_the_policies(self, given: list[DrillPolicy], capacity: int) -> None:
        requests = [DrillRequest(f"a{n}", "desktop", "here", policy) for n, policy in enumerate(given)]
        calendar = plan_calendar(requests, capacity={"here": capacity}, **YEAR)
        lasts = {(r.agency, r.component): r.policy.lasts for r in requests}
        assert most_at_once(calendar, "here", lasts) <= min(capacity, calendar.lanes["here"])
        for placed in calendar.placed:
            policy = given[int(placed.agency[1:])]
            assert placed.occurrence.scheduled_at + policy.lasts <= placed.occurrence.window_end


class TestAnEarlierPlan:
    def joined(self, agencies: int, *, capacity: int) -> Iterator[tuple[FleetCalendar, FleetCalendar]]:
        before = plan_calendar(crowded(agencies), capacity={"here": capacity}, **YEAR)
        yield before, plan_calendar(crowded(agencies + 1), capacity={"here": capacity}, kept=before.placed, **YEAR)

    @pytest.mark.parametrize("agencies", [1, 25, 26, 40])
    def test_is_unchanged_when_an_agency_joins(self, agencies: int) -> None:
        for before, after in self.joined(agencies, capacity=3):
            assert set(before.placed) <= set(after.placed)
            assert len(after.placed) == len(before.placed) + 4

    def test_loses_a_drill_that_is_no_longer_allowed(self) -> None:
        before = plan_calendar(crowded(1), capacity={"here": 1}, **YEAR)
        day = before.placed[0].occurrence.scheduled_at.date()
        closed = crowded(1, blackouts=(Blackout(start=day, end=day),))
        after = plan_calendar(closed, capacity={"here": 1}, kept=before.placed, **YEAR)
        assert [p for p in before.placed if p not in after.placed] == [before.placed[0]]
        assert len(after.placed) == 4

    def test_keeps_no_more_drills_at_once_than_there_are_lanes(self) -> None:
        at = datetime(2027, 1, 2, 6, tzinfo=UTC)
        kept = [Placed(f"agency-{n}", "desktop", "here", Occurrence(at, "random", at)) for n in range(3)]  # type: ignore[arg-type]
        calendar = plan_calendar(crowded(3), capacity={"here": 2}, kept=kept, **YEAR)
        assert sum(p.occurrence.scheduled_at == at for p in calendar.placed) == 2
        assert len(calendar.placed) == 12


def test_a_period_that_had_its_drill_gets_no_other_even_under_a_new_policy() -> None:
    before = plan_calendar(crowded(1), capacity={"here": 1}, **YEAR)
    held = [(p.agency, p.component, p.occurrence.scheduled_at) for p in before.placed[:1]]
    closed = Blackout(start=held[0][2].date(), end=held[0][2].date())
    after = plan_calendar(crowded(1, blackouts=(closed,)), capacity={"here": 1}, held=held, **YEAR)
    assert after.placed == before.placed[1:]


class TestTheBound:
    DAYS = date(2027, 1, 1), date(2027, 4, 1)

    @pytest.mark.parametrize(
        ("crowds", "bound"),
        [
            ([], 0),
            ([(((0, 10),), (5, 5, 5, 5))], 2),  # work over time
            ([(((0, 10),), (6, 6))], 2),  # two of six do not fit into ten, one after the other
            ([(((0, 10),), (5, 5, 5)), (((5, 15),), (5, 5, 5))], 2),
            ([(((0, 10),), (10, 10, 10)), (((0, 100),), (1,))], 3),  # the narrow ones decide
        ],
    )
    def test_is_the_number_of_lanes_that_every_plan_needs(
        self, crowds: list[tuple[tuple[tuple[int, int], ...], tuple[int, ...]]], bound: int
    ) -> None:
        together = [Crowd(self.DAYS, tuple(Span(*span) for span in spans), grains) for spans, grains in crowds]
        assert lane_bound(together) == bound


def test_windows_across_midnight_are_used_into_the_morning() -> None:
    night = Window(start=time(22), end=time(4))
    calendar = plan_calendar(crowded(40, windows=(night,)), capacity={"here": 9}, **YEAR)
    hours = {p.occurrence.scheduled_at.astimezone(DrillPolicy().zone).hour for p in calendar.placed}
    assert hours <= {22, 23, 0, 1, 2}
