"""The drills of all agencies, planned on the available recovery hosts.

A site's recovery hosts are its lanes; a drill takes one for as long as it is expected to last. The planner fills as few
lanes as the work allows (`lane_bound`) and opens another only when a drill fits nowhere. Narrow windows and long drills
go first. Where lanes are mostly empty, drills keep the times that `drill_calendar` draws for each alone; where lanes
are full, drills are packed against the end of the window that others want less. Drills in `kept` stay where they are,
so that planning with one more agency moves no other.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from math import ceil
from typing import NamedTuple

from orchestrator.domain.calendars.spans import EPOCH, Spans, total
from orchestrator.domain.recovery.drill_calendar import (
    GRAIN,
    Draw,
    Occurrence,
    Reason,
    Skipped,
    days_of,
    drawn,
    grains_of,
    instant,
    kind_of,
    open_spans,
    period_of,
    skipped,
    windows_of,
)
from orchestrator.domain.recovery.lane_bound import Crowd, lane_bound
from orchestrator.domain.selling.drill_policy import DrillPolicy

ROOMY = Fraction(1, 3)
"""If at most this share of its lanes is filled at the busiest time, a site's drills keep the times drawn for them."""


class DrillRequest(NamedTuple):
    """A component of an agency whose recovery is rehearsed at a site. `lasts`: see `occurrences`."""

    agency: str
    component: str
    site: str
    policy: DrillPolicy
    lasts: timedelta | None = None


class Placed(NamedTuple):
    agency: str
    component: str
    site: str
    occurrence: Occurrence


class Unplaced(NamedTuple):
    agency: str
    component: str
    site: str
    skipped: Skipped


class FleetCalendar(NamedTuple):
    """`lanes`: the maximum of concurrent drills, by site; `bound`: its lower bound."""

    placed: tuple[Placed, ...]
    unplaced: tuple[Unplaced, ...]
    lanes: Mapping[str, int]
    bound: Mapping[str, int]


@dataclass(frozen=True)
class _Wish:
    """A drill to be placed: whose, in which period, and for how many grains."""

    request: DrillRequest
    draw: Draw
    grains: int

    @cached_property
    def spans(self) -> Spans:
        """Where it fits."""
        return tuple(s for s in open_spans(self.request.policy, self.draw.period) if s.end - s.start >= self.grains)

    @cached_property
    def precedence(self) -> tuple[int, int, int]:
        """The sort key: narrow windows first, then long drills, then as drawn."""
        windows = windows_of(self.request.policy, self.draw.period)
        return total(windows), -self.grains, self.draw.number(0, 1 << 62)

    def at(self, start: int) -> Placed:
        end = next(b for a, b in self.spans if a <= start < b)
        kind = kind_of(self.request.policy, self.draw, self.grains)
        return Placed(*self.request[:3], Occurrence(instant(start), kind, instant(end)))

    def nowhere(self) -> Unplaced:
        if not self.spans:
            return Unplaced(*self.request[:3], skipped(self.request.policy, self.draw.period, self.grains))
        return Unplaced(*self.request[:3], Skipped(*days_of(self.request.policy, self.draw.period), Reason.NO_LANE))


class _Lanes:
    """How many lanes of a site are in use in each grain, and which grains have none left within the `level`."""

    def __init__(self, crowds: Sequence[Crowd], *, level: int, capacity: int) -> None:
        self._origin = min(crowd.spans[0][0] for crowd in crowds)
        size = max(crowd.spans[-1][1] for crowd in crowds) - self._origin
        self._edges, self._heights = _wanted(crowds)
        self._taken = array("H", bytes(2 * size))
        self._full = bytearray(size)
        self._capacity = capacity
        self.most = 0
        self.level = min(level, capacity)
        if self.level < 1:
            self._full = bytearray(b"\x01" * len(self._full))

    def start(self, a: int, b: int, grains: int) -> int | None:
        """A start between two grains with a free lane for the given number of grains, near the less wanted of the
        two."""
        look = self._full.find if self._wanted(a) <= self._wanted(b - 1) else self._full.rfind
        found = look(bytes(grains), a - self._origin, b - self._origin)
        return None if found < 0 else found + self._origin

    def _wanted(self, grain: int) -> float:
        """How many lanes a grain would need if every drill were spread over all the time in which it may run."""
        return self._heights[bisect_right(self._edges, grain) - 1]

    def take(self, start: int, grains: int) -> None:
        for at in range(start - self._origin, start - self._origin + grains):
            self._taken[at] += 1
            self.most = max(self.most, self._taken[at])
            self._full[at] = self._taken[at] >= self.level

    def open_another(self) -> bool:
        """Use one more lane from now on, if there is one."""
        if self.level >= self._capacity:
            return False
        self.level += 1
        self._full = bytearray(taken >= self.level for taken in self._taken)
        return True


def _wanted(crowds: Sequence[Crowd]) -> tuple[list[int], list[float]]:
    """The grains at which the number of wanted lanes changes, and to what."""
    steps: dict[int, float] = {}
    for crowd in crowds:
        height = sum(crowd.grains) / total(crowd.spans)
        for a, b in crowd.spans:
            steps[a] = steps.get(a, 0.0) + height
            steps[b] = steps.get(b, 0.0) - height
    edges = sorted(steps)
    return edges, list(accumulate(steps[edge] for edge in edges))


def plan_calendar(
    requests: Iterable[DrillRequest],
    *,
    capacity: Mapping[str, int],
    first: date,
    until: date,
    kept: Iterable[Placed] = (),
    held: Iterable[tuple[str, str, datetime]] = (),
) -> FleetCalendar:
    """Plan every drill of the periods that begin on or after `first` and before `until`. `capacity` is lanes by site.

    `held` are past drills, by agency, component and scheduled time. Their periods get no other drill, whatever the
    policy would draw now.
    """
    by_site = _wishes_by_site(requests, first=first, until=until, held=held)
    starts: dict[tuple[str, str, str], list[int]] = {}
    for agency, component, site, at in sorted({(*p[:3], p.occurrence.scheduled_at) for p in kept}):
        starts.setdefault((agency, component, site), []).append((at - EPOCH) // GRAIN)
    sites = {site: _plan_site(wishes, starts, capacity.get(site, 0)) for site, wishes in sorted(by_site.items())}
    return FleetCalendar(
        placed=tuple(sorted(p for placed, *_ in sites.values() for p in placed)),
        unplaced=tuple(sorted(u for _, unplaced, *_ in sites.values() for u in unplaced)),
        lanes={site: lanes for site, (_, _, lanes, _) in sites.items()},
        bound={site: bound for site, (_, _, _, bound) in sites.items()},
    )


def _wishes_by_site(
    requests: Iterable[DrillRequest], *, first: date, until: date, held: Iterable[tuple[str, str, datetime]]
) -> dict[str, list[_Wish]]:
    over: dict[tuple[str, str], list[datetime]] = {}
    for agency, component, at in held:
        over.setdefault((agency, component), []).append(at)
    by_site: dict[str, list[_Wish]] = {}
    for request in sorted(requests, key=lambda r: r[:3]):
        past = over.get((request.agency, request.component), ())
        done = {period_of(request.policy, at.astimezone(request.policy.zone).date()) for at in past}
        wishes = (wish for wish in _wishes(request, first, until) if wish.draw.period not in done)
        by_site.setdefault(request.site, []).extend(wishes)
    return by_site


def _wishes(request: DrillRequest, first: date, until: date) -> Iterator[_Wish]:
    grains = grains_of(request.lasts or request.policy.lasts)
    period = period_of(request.policy, first)
    while (begins := days_of(request.policy, period)[0]) < until:
        if begins >= first:
            yield _Wish(request, Draw(request.agency, request.component, period), grains)
        period += 1


def _plan_site(
    wishes: Sequence[_Wish], starts: Mapping[tuple[str, str, str], list[int]], capacity: int
) -> tuple[list[Placed], list[Unplaced], int, int]:
    """Placed and unplaced drills of a site, the lanes used, and the minimum of lanes needed."""
    possible = [wish for wish in wishes if wish.spans]
    crowds = list(_crowds(possible))
    needed = lane_bound(crowds)
    unplaced = [wish.nowhere() for wish in wishes if not wish.spans]
    if not possible:
        return [], unplaced, 0, 0
    lanes = _Lanes(crowds, level=ceil(needed), capacity=capacity)
    placed, rest = _keep(possible, starts, lanes)
    roomy = needed <= ROOMY * lanes.level
    for wish in sorted(rest, key=lambda w: w.precedence):
        start = _find(wish, lanes, roomy=roomy)
        if start is None:
            unplaced.append(wish.nowhere())
            continue
        lanes.take(start, wish.grains)
        placed.append(wish.at(start))
    return placed, unplaced, lanes.most, ceil(needed)


def _keep(
    wishes: Sequence[_Wish], starts: Mapping[tuple[str, str, str], list[int]], lanes: _Lanes
) -> tuple[list[Placed], list[_Wish]]:
    """The drills that keep their earlier place, and those still to be placed."""
    placed, rest = [], []
    for wish in wishes:
        before = starts.get(wish.request[:3], ())
        start = next((s for s in before for a, b in wish.spans if a <= s and s + wish.grains <= b), None)
        if start is not None and _has_lane(start, wish.grains, lanes):
            lanes.take(start, wish.grains)
            placed.append(wish.at(start))
        else:
            rest.append(wish)
    return placed, rest


def _has_lane(start: int, grains: int, lanes: _Lanes) -> bool:
    """Whether there is a lane, after opening as many as necessary."""
    while lanes.start(start, start + grains, grains) is None:
        if not lanes.open_another():
            return False
    return True


def _find(wish: _Wish, lanes: _Lanes, *, roomy: bool) -> int | None:
    """Find a start for a drill; opens another lane if there is none."""
    if roomy:
        alone = drawn(wish.request.policy, wish.draw, wish.grains)
        assert isinstance(alone, Occurrence)
        start = (alone.scheduled_at - EPOCH) // GRAIN
        if lanes.start(start, start + wish.grains, wish.grains) is not None:
            return start
    turn = wish.draw.number(0, len(wish.spans))
    in_turn = (*wish.spans[turn:], *wish.spans[:turn])
    while True:
        for a, b in in_turn:
            if (found := lanes.start(a, b, wish.grains)) is not None:
                return found
        if not lanes.open_another():
            return None


def _crowds(wishes: Iterable[_Wish]) -> Iterator[Crowd]:
    """Drills grouped by windows and period. Only blackouts common to all of a group reduce its time."""
    together: dict[tuple[tuple[date, date], Spans], list[_Wish]] = {}
    for wish in wishes:
        key = days_of(wish.request.policy, wish.draw.period), windows_of(wish.request.policy, wish.draw.period)
        together.setdefault(key, []).append(wish)
    for (days, _), members in together.items():
        policy = members[0].request.policy
        shared = set(policy.blackouts).intersection(*(w.request.policy.blackouts for w in members))
        common = policy.model_copy(update={"blackouts": tuple(b for b in policy.blackouts if b in shared)})
        spans = open_spans(common, members[0].draw.period)
        yield Crowd(days, spans, tuple(w.grains for w in members))
