"""When the drills of one component of one agency are due. The result is deterministic.

A period is `every_months` calendar months, counted from January of the year 1, in the agency's time zone. In each, one
start is drawn from all minutes of its windows, and then the second of its disaster. The draw is a digest of agency,
component and period: nobody can predict the time without the policy, and a blackout elsewhere in the period moves
nothing. Spans here count grains.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from hashlib import sha256
from itertools import count as count_from
from itertools import islice
from operator import itemgetter
from typing import NamedTuple
from zoneinfo import ZoneInfo

from orchestrator.domain.calendars.local_time import instant_of, shown
from orchestrator.domain.calendars.spans import EPOCH, Span, Spans, total, union
from orchestrator.domain.recovery.verdict import Moment
from orchestrator.domain.selling.drill_policy import Blackout, DrillPolicy, Window

GRAIN = timedelta(minutes=5)
"""Drills start at whole grains and last whole numbers of them."""

DRAWS = 64
"""Number of draws from all minutes of a period before drawing only from the available ones."""

MONTHS = 12


class Reason(StrEnum):
    """Why a period has no drill."""

    BLACKOUT = "blackout"
    """No window is long enough after blackouts."""
    TOO_LONG = "too_long"
    """No window is as long as the drill is expected to take."""
    NO_LANE = "no_lane"
    """Every recovery host of the site is busy whenever it could run."""


class Occurrence(NamedTuple):
    """A drill that is due. It must be over by `window_end`, when its window closes or a blackout begins."""

    scheduled_at: datetime
    kind: Moment
    window_end: datetime


class Skipped(NamedTuple):
    """A period without a possible drill, from its first day to the day after its last."""

    first: date
    until: date
    reason: Reason


class Draw(NamedTuple):
    """Whose drill is drawn, and for which period."""

    agency: str
    component: str
    period: int

    def number(self, attempt: int, below: int) -> int:
        """A deterministic number for the draw, uniform over 0 ... below - 1."""
        digest = sha256(f"{self.agency}/{self.component}/{self.period}/{attempt}".encode()).digest()
        return int.from_bytes(digest[:8], "big") * below >> 64


def delay_of(key: str, *, at_most: timedelta) -> timedelta:
    """The time from a drill's start to its disaster when its moment is random: less than a grain, in whole seconds, and
    at most `at_most`. It is deterministic for a drill."""
    seconds = min(GRAIN, at_most + timedelta(seconds=1)) // timedelta(seconds=1)
    drawn = int.from_bytes(sha256(f"{key}/second".encode()).digest()[:8], "big")
    return timedelta(seconds=drawn * max(seconds, 1) >> 64)


def drill_key(agency: str, component: str, scheduled_at: datetime) -> str:
    """The identity of a drill: fired twice, it is still the same drill."""
    return f"{agency}/{component}/{scheduled_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def occurrences(
    policy: DrillPolicy,
    *,
    agency: str,
    component: str,
    after: datetime,
    count: int,
    lasts: timedelta | None = None,
) -> Iterator[Occurrence | Skipped]:
    """The drills of the next `count` periods that start later than `after`, or why a period has none. `lasts` is the
    expected duration of a drill, if it differs from the policy's."""
    grains = grains_of(lasts or policy.lasts)
    local = after.astimezone(policy.zone).date()

    def entries() -> Iterator[Occurrence | Skipped]:
        for period in count_from(period_of(policy, local)):
            entry = drawn(policy, Draw(agency, component, period), grains)
            ended = isinstance(entry, Skipped) and entry.until <= local
            if not ended and (isinstance(entry, Skipped) or entry.scheduled_at > after):
                yield entry

    return islice(entries(), count)


def drawn(policy: DrillPolicy, draw: Draw, grains: int) -> Occurrence | Skipped:
    """The drill of a period."""
    free = open_spans(policy, draw.period)
    span = _draw_start(draw, windows_of(policy, draw.period), free, grains)
    if span is None:
        return skipped(policy, draw.period, grains)
    return Occurrence(instant(span[0]), kind_of(policy, draw, grains), instant(span[1]))


def skipped(policy: DrillPolicy, period: int, grains: int) -> Skipped:
    fits = any(b - a >= grains for a, b in windows_of(policy, period))
    return Skipped(*days_of(policy, period), Reason.BLACKOUT if fits else Reason.TOO_LONG)


def _draw_start(draw: Draw, windows: Spans, free: Spans, grains: int) -> Span | None:
    """The start of the drill and the end of its open span."""
    fitting = [(a, b) for a, b in free if b - a >= grains]
    if not fitting:
        return None
    for attempt in range(DRAWS):
        start = _nth(windows, draw.number(attempt, total(windows)))
        if end := next((b for a, b in fitting if a <= start and start + grains <= b), None):
            return Span(start, end)
    starts = tuple(Span(a, b - grains + 1) for a, b in fitting)
    start = _nth(starts, draw.number(DRAWS, total(starts)))
    return Span(start, next(b for a, b in fitting if a <= start < b))


def _nth(spans: Spans, number: int) -> int:
    """The grain with this number, counted through all spans."""
    for a, b in spans:
        if number < b - a:
            return a + number
        number -= b - a
    raise AssertionError("there are fewer grains")


def kind_of(policy: DrillPolicy, draw: Draw, grains: int) -> Moment:
    """Whether the drill of a period is held at the worst moment. It also makes up for skipped drills right before it,
    and the last of a year for those the year still lacks."""
    if _has_its_turn(policy, draw, draw.period, grains):
        return Moment.WORST
    year = _year_of(policy, draw.period)
    if any(_fits(policy, period, grains) for period in year if period > draw.period):
        return Moment.RANDOM
    before = (period for period in year if period < draw.period and _fits(policy, period, grains))
    return Moment.RANDOM if any(_has_its_turn(policy, draw, p, grains) for p in before) else Moment.WORST


def _has_its_turn(policy: DrillPolicy, draw: Draw, period: int, grains: int) -> bool:
    """By the share alone: for the period itself, or for skipped periods right before it."""
    for earlier in range(period, period - MONTHS - 1, -1):
        if _is_worst(policy, draw, earlier):
            return True
        if _fits(policy, earlier - 1, grains):
            return False
    return False


def _year_of(policy: DrillPolicy, period: int) -> range:
    """The periods of the same calendar year. Periods that span two years are all at the worst moment."""
    each = max(MONTHS // policy.every_months, 1)
    first = period // each * each
    return range(first, first + each)


def _is_worst(policy: DrillPolicy, draw: Draw, period: int) -> bool:
    """Evenly spread, and often enough that every year's drills include one."""
    worst, of = _share(policy.worst_moment_share, policy.every_months)
    phase = period + Draw(draw.agency, draw.component, 0).number(0, of)
    return (phase + 1) * worst // of > phase * worst // of


@lru_cache
def _share(of_all: float, every_months: int) -> tuple[int, int]:
    """The numerator and denominator, chosen so that every year with enough drills of its own has one."""
    in_every_year = (
        MONTHS // every_months if MONTHS % every_months == 0 else (MONTHS + 1 - every_months) // every_months
    )
    return max(Fraction(str(of_all)), Fraction(1, max(in_every_year, 1))).as_integer_ratio()


def _fits(policy: DrillPolicy, period: int, grains: int) -> bool:
    return any(b - a >= grains for a, b in open_spans(policy, period))


def period_of(policy: DrillPolicy, day: date) -> int:
    return (day.year * MONTHS + day.month - 1) // policy.every_months


def days_of(policy: DrillPolicy, period: int) -> tuple[date, date]:
    """The first day of a period, and of the next one."""
    return _days(policy.every_months, period)


@lru_cache
def _days(every_months: int, period: int) -> tuple[date, date]:
    months = (period * every_months, (period + 1) * every_months)
    first, until = (date(m // MONTHS, m % MONTHS + 1, 1) for m in months)
    return first, until


def windows_of(policy: DrillPolicy, period: int) -> Spans:
    """The policy's windows within a period, merged where they overlap. A window that reaches into the next period is
    split."""
    return _windows(policy.time_zone, policy.windows, *days_of(policy, period))


@lru_cache(maxsize=4096)
def _windows(time_zone: str, windows: tuple[Window, ...], first: date, until: date) -> Spans:
    zone = ZoneInfo(time_zone)
    opening, closing = within(*(instant_of(datetime.combine(day, time()), zone) for day in (first, until)))
    days = (first + timedelta(days=n) for n in range(-1, (until - first).days))
    walls = (wall for day in days for window in windows if (wall := window.on(day)))
    spans = (within(*stretch) for opens, closes in walls for stretch in shown(opens, closes, zone))
    return union(Span(max(a, opening), min(b, closing)) for a, b in spans)


def open_spans(policy: DrillPolicy, period: int) -> Spans:
    """The windows of a period without the policy's blackouts."""
    spans = windows_of(policy, period)
    for a, b in _blackouts(policy.time_zone, policy.blackouts):
        touched = slice(bisect_right(spans, a, key=itemgetter(1)), bisect_left(spans, b, key=itemgetter(0)))
        cut = (s for c, d in spans[touched] for s in (Span(c, min(d, a)), Span(max(c, b), d)) if s.start < s.end)
        spans = (*spans[: touched.start], *cut, *spans[touched.stop :])
    return spans


@lru_cache(maxsize=16384)
def _blackouts(time_zone: str, blackouts: tuple[Blackout, ...]) -> Spans:
    """Every grain that a blackout touches."""
    zone = ZoneInfo(time_zone)
    between = (blackout.between(zone) for blackout in blackouts)
    return union(Span((a - EPOCH) // GRAIN, -((EPOCH - b) // GRAIN)) for a, b in between)


def within(start: datetime, end: datetime) -> Span:
    """The whole grains between two instants."""
    return Span(-((EPOCH - start) // GRAIN), (end - EPOCH) // GRAIN)


def grains_of(duration: timedelta) -> int:
    """The number of grains that a duration needs, rounded up."""
    return -(-duration // GRAIN)


def instant(grain: int) -> datetime:
    return EPOCH + grain * GRAIN
