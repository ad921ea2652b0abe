"""When the recovery of a component is rehearsed: how often, in which hours, and when not."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from orchestrator.domain.calendars.local_time import instant_of
from orchestrator.domain.calendars.week import WEEKDAYS, WEEKEND, ClockTime, TimeZone, Weekday
from orchestrator.domain.value import Value


def _day_or_instant(given: Any) -> Any:
    """Parse text of ten characters as a day; pydantic would confuse days with midnights."""
    if not isinstance(given, str):
        return given
    try:
        return date.fromisoformat(given) if len(given) == len("2026-12-24") else datetime.fromisoformat(given)
    except ValueError:
        raise ValueError("must be a day such as 2026-12-24 or a time such as 2026-12-24T18:00") from None


def _some(windows: "tuple[Window, ...]") -> "tuple[Window, ...]":
    if not windows:
        raise ValueError('needs at least one window, such as {days: [sat, sun], start: "08:00", end: "20:00"}')
    return windows


DayOrInstant = Annotated[datetime | date, BeforeValidator(_day_or_instant)]
Share = Annotated[float, Field(ge=0, le=1)]


class Window(Value):
    """Hours in which a drill may run, on these days. A window that ends no later than it starts ends on the next
    day."""

    days: Annotated[tuple[Weekday, ...], Field(min_length=1)] = WEEKDAYS
    start: ClockTime
    end: ClockTime

    def on(self, day: date) -> tuple[datetime, datetime] | None:
        """The local times at which the window opens and closes on a day; None if it has no window."""
        if WEEKDAYS[day.weekday()] not in self.days:
            return None
        ends_on = day if self.end > self.start else day + timedelta(days=1)
        return datetime.combine(day, self.start), datetime.combine(ends_on, self.end)


class Blackout(Value):
    """No drill between two days, inclusive, or two times. A time without an offset is in the policy's time zone."""

    start: DayOrInstant
    end: DayOrInstant
    why: Annotated[str, Field(max_length=120)] = ""

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if isinstance(self.start, datetime) and isinstance(self.end, datetime):
            if (self.start.tzinfo is None) != (self.end.tzinfo is None):
                raise ValueError("start and end must both have an offset from UTC or both have none")
            if self.end <= self.start:
                raise ValueError(f"ends at {self.end}, which is not after its start at {self.start}")
        elif isinstance(self.start, datetime) or isinstance(self.end, datetime):
            raise ValueError("start and end must both be days or both be times")  # noqa: TRY004
        elif self.end < self.start:
            raise ValueError(f"ends on {self.end}, before it starts on {self.start}")
        return self

    def between(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """The UTC instants at which it begins and ends. If clocks show the end twice, the later one counts."""
        return _instant(self.start, zone), _instant(self.end, zone, ends=True)


Windows = Annotated[tuple[Window, ...], AfterValidator(_some)]


def _instant(edge: datetime | date, zone: ZoneInfo, *, ends: bool = False) -> datetime:
    if not isinstance(edge, datetime):
        edge = datetime.combine(edge + timedelta(days=1) if ends else edge, time())
    return edge.astimezone(UTC) if edge.tzinfo else instant_of(edge, zone, of_two="last" if ends else "first")


DEFAULT_WINDOW = Window(days=WEEKEND, start=time(8), end=time(20))
"""Weekends by day, when there are few users and staff is awake."""


class DrillPolicy(Value):
    """One drill in every `every_months` calendar months. `lasts` is its expected duration until one has been measured.

    `worst_moment_share`: the share of drills whose disaster is just before the next backup completes. There is at least
    one a year.
    """

    every_months: Annotated[int, Field(ge=1, le=24)] = 3
    windows: Windows = (DEFAULT_WINDOW,)
    blackouts: tuple[Blackout, ...] = ()
    time_zone: TimeZone = "Europe/London"
    worst_moment_share: Share = 0.25
    lasts: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(hours=24))] = timedelta(hours=2)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class RecoveryTerms(Value):
    """An agency's overrides of its tiers' policy. Its blackouts are added to theirs."""

    time_zone: TimeZone | None = None
    windows: Windows | None = None
    blackouts: tuple[Blackout, ...] = ()
    worst_moment_share: Share | None = None


def effective_policy(tier: DrillPolicy | None, terms: RecoveryTerms | None) -> DrillPolicy | None:
    """The effective policy of a component; None if its tier promises no drills."""
    if tier is None or terms is None:
        return tier
    chosen = {
        name: value
        for name in ("time_zone", "windows", "worst_moment_share")
        if (value := getattr(terms, name)) is not None
    }
    return tier.model_copy(update=chosen | {"blackouts": (*tier.blackouts, *terms.blackouts)})


MEASURED = 5
"""The number of recent drills from which the duration of the next is estimated."""


def expected_duration(policy: DrillPolicy, measured: tuple[timedelta, ...]) -> timedelta:
    """The longest of the most recent drills, given oldest first; the policy's estimate if there are none."""
    return max(measured[-MEASURED:], default=policy.lasts)
