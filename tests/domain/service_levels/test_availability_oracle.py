"""Availability compared with an oracle that has a list and a clock, and looks at every second, or at every grain where
all times are whole grains."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.domain.calendars.spans import Span
from orchestrator.domain.service_levels.availability import Availability, AvailabilityTerms, Unmeasured, availability
from orchestrator.domain.service_levels.record import ServiceRecord

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NOTICE = 40
"""In grains."""

CHANGES = {
    "Europe/London": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "America/St_Johns": ("2026-03-08T05:30", "2026-11-01T04:30"),
    "Australia/Lord_Howe": ("2026-04-04T15:00", "2026-10-03T15:30"),
    "Pacific/Apia": ("2011-12-30T10:00", "2021-04-03T14:00"),
}
"""When clocks change, in UTC."""


class Case(NamedTuple):
    """Everything in grains from `start`. No hours are all of them.

    An agreement is (from, to, announced, accepted, over), with None for never.
    """

    zone: str
    grain: int
    start: int
    length: int
    hours: list[tuple[list[str], time, time]]
    holidays: set[date]
    parts: list[dict[int, str]]
    outages: list[tuple[int, int]]
    maintenance: list[tuple[int, int, int, int | None, int | None]]
    exclusions: list[tuple[int, int, bool]]
    rule: Unmeasured

    def at(self, grain: int) -> datetime:
        return datetime.fromtimestamp(self.start + grain * self.grain, UTC)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    zone = draw(st.sampled_from(sorted(CHANGES)))
    grain = draw(st.sampled_from([60, 900, 1]))
    length = draw(st.integers(1, 150))
    changes = [datetime.fromisoformat(change).replace(tzinfo=UTC) for change in CHANGES[zone]]
    near = draw(st.sampled_from([*reversed(changes), datetime(2026, 4, 2, 7, tzinfo=UTC)]))
    start = int(near.timestamp()) // grain * grain + draw(st.integers(-length, 5)) * grain
    grains = st.integers(-10, length + 10)
    pairs = st.tuples(grains, st.integers(1, 60)).map(lambda pair: (pair[0], pair[0] + pair[1]))
    return Case(
        zone=zone,
        grain=grain,
        start=start,
        length=length,
        hours=draw(st.lists(hours_around(near, ZoneInfo(zone), grain), max_size=3)),
        holidays=draw(st.sets(st.sampled_from([near.date() + timedelta(days=n) for n in range(-1, 3)]), max_size=1)),
        parts=draw(st.lists(timelines(grains), max_size=3)),
        outages=draw(st.lists(pairs, max_size=3)),
        maintenance=draw(st.lists(works(pairs), max_size=2)),
        exclusions=draw(st.lists(st.tuples(pairs, st.booleans()).map(lambda e: (*e[0], e[1])), max_size=1)),
        rule=draw(st.sampled_from([Unmeasured.EXCLUDED, Unmeasured.FLAGGED, Unmeasured.DOWN])),
    )


def timelines(grains: st.SearchStrategy[int]) -> st.SearchStrategy[dict[int, str]]:
    """Most begin long before, and up."""
    changes = st.dictionaries(grains, st.sampled_from(["up", "down", "unknown"]), max_size=5)
    return st.one_of(changes.map(lambda found: {-1000: "up"} | found), changes)


@st.composite
def hours_around(draw: st.DrawFn, near: datetime, zone: ZoneInfo, grain: int) -> tuple[list[str], time, time]:
    """Hours that open and close not far from an instant, on whole minutes and whole grains."""
    step = max(grain, 60)
    steps = st.integers(-80, 80) if grain == step else st.integers(-2, 2)
    edges = []
    for _ in range(2):
        wall = near.astimezone(zone) + timedelta(seconds=draw(steps) * step)
        edges.append(time(wall.hour, wall.minute - wall.minute % (step // 60)))
    return draw(st.lists(st.sampled_from(WEEK), min_size=5, unique=True)), edges[0], edges[1]


@st.composite
def works(draw: st.DrawFn, pairs: st.SearchStrategy[tuple[int, int]]) -> tuple[int, int, int, int | None, int | None]:
    begin, end = draw(pairs)
    announced = begin - draw(st.sampled_from([NOTICE, NOTICE + 5, NOTICE - 1]))
    accepted = draw(st.sampled_from([begin, begin - 5, begin + 1, None]))
    return begin, end, announced, accepted, draw(st.none() | st.integers(begin + 1, end + 20))


def engine(case: Case) -> Availability:
    opening = [{"days": days, "opens": opens, "closes": closes} for days, opens, closes in case.hours] or "24x7"
    terms = AvailabilityTerms.model_validate(
        {
            "hours": {"time_zone": case.zone, "opening": opening},
            "notice": timedelta(seconds=NOTICE * case.grain),
            "unmeasured": case.rule,
        }
    )
    end = case.start + case.length * case.grain
    within = Span(case.start, end)
    return availability(terms, record_of(case), within=within, is_bank_holiday=case.holidays.__contains__)


def record_of(case: Case) -> ServiceRecord:
    def accepted(at: datetime | None) -> dict[str, Any] | None:
        return {"by": "somebody", "at": at} if at else None

    def stretch(begin: int, end: int) -> dict[str, Any]:
        return {"start": case.at(begin), "end": case.at(end)}

    return ServiceRecord.model_validate(
        {
            "parts": {
                f"part-{n}": [{"at": case.at(grain), "state": state} for grain, state in part.items()]
                for n, part in enumerate(case.parts)
            },
            "outages": [{**stretch(*outage), "reference": "INC-1"} for outage in case.outages],
            "maintenance": [
                {
                    **stretch(begin, end),
                    "announced_at": case.at(announced),
                    "acceptance": accepted(None if agreed is None else case.at(agreed)),
                    "ended_at": None if over is None else case.at(over),
                }
                for begin, end, announced, agreed, over in case.maintenance
            ],
            "exclusions": [
                {**stretch(begin, end), "why": "theirs", "acceptance": accepted(case.at(0) if agreed else None)}
                for begin, end, agreed in case.exclusions
            ],
        }
    )


def served(case: Case) -> Iterator[bool]:
    """Hours are open when clocks show a time within them."""
    if not case.hours:
        yield from [True] * case.length
        return
    zone = ZoneInfo(case.zone)
    walls = [case.at(n).astimezone(zone).replace(tzinfo=None) for n in range(case.length)]
    days = {wall.date() - timedelta(days=back) for wall in walls for back in (0, 1)} - case.holidays
    stretches = []
    for weekdays, opens, closes in case.hours:
        for day in days:
            if WEEK[day.weekday()] in weekdays:
                until = day if opens < closes else day + timedelta(days=1)
                stretches.append((datetime.combine(day, opens), datetime.combine(until, closes)))
    for wall in walls:
        yield any(opens <= wall < closes for opens, closes in stretches)


def state_of(case: Case, n: int) -> str:
    """The state of the service at a grain: down if any part is, up if all parts that have reported are."""
    states = set()
    for part in case.parts:
        if said := [grain for grain in part if grain <= n]:
            states.add(part[max(said)])
    if "down" in states or any(begin <= n < end for begin, end in case.outages):
        return "down"
    return "up" if states == {"up"} else "unknown"


def agreement_at(case: Case, n: int) -> tuple[bool, bool]:
    """Whether a grain is excluded, and whether it is an overrun."""
    passes = any(begin <= n < end and agreed for begin, end, agreed in case.exclusions)
    overrun = False
    for begin, end, announced, agreed, over in case.maintenance:
        if begin - announced >= NOTICE and agreed is not None and agreed <= begin:
            passes = passes or begin <= n < end
            overrun = overrun or (over is not None and end <= n < over)
    return passes, overrun


def oracle(case: Case) -> dict[str, int]:
    found = {"due": 0, "eligible": 0, "bad": 0, "unmeasured": 0}
    for n, open_now in enumerate(served(case)):
        passes, overrun = agreement_at(case, n)
        if not open_now or passes:
            continue
        state = "down" if overrun else state_of(case, n)
        found["due"] += case.grain
        if state == "unknown":
            found["unmeasured"] += case.grain
        if state != "unknown" or case.rule is Unmeasured.DOWN:
            found["eligible"] += case.grain
        if state == "down" or (state == "unknown" and case.rule is Unmeasured.DOWN):
            found["bad"] += case.grain
    return found


def agrees(case: Case) -> None:
    assert engine(case).model_dump(exclude={"rule"}) == oracle(case)


@pytest.mark.slow
@settings(max_examples=200)
@given(cases())
def test_availability_is_what_the_oracle_counts(case: Case) -> None:
    agrees(case)


@pytest.mark.long
@settings(max_examples=10_000)
@given(cases())
def test_availability_is_what_the_oracle_counts_in_many_more_cases(case: Case) -> None:
    agrees(case)
