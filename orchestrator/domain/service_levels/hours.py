"""The hours in which a service level counts, as instants, from weekdays, times of day and bank holidays."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from orchestrator.domain.calendars.local_time import shown
from orchestrator.domain.calendars.spans import Span, Spans, between, instant_at, intersect, union
from orchestrator.domain.calendars.week import WEEKDAYS, ClockTime, TimeZone, Weekday
from orchestrator.domain.value import Value

ROUND_THE_CLOCK: Literal["24x7"] = "24x7"

DAY = timedelta(days=1)


class OpeningHours(Value):
    """Hours from one time to another, on these days. Hours that close no later than they open close on the next day,
    and belong to the day on which they open."""

    days: Annotated[tuple[Weekday, ...], Field(min_length=1)]
    opens: ClockTime
    closes: ClockTime

    def on(self, day: date) -> tuple[datetime, datetime] | None:
        """The local times at which the hours of a day begin and end; None if it has none."""
        if WEEKDAYS[day.weekday()] not in self.days:
            return None
        closes_on = day if self.closes > self.opens else day + DAY
        return datetime.combine(day, self.opens), datetime.combine(closes_on, self.closes)


class ServiceHours(Value):
    """Hours in one time zone. `24x7` has no bank holidays."""

    time_zone: TimeZone = "Europe/London"
    opening: Annotated[tuple[OpeningHours, ...], Field(min_length=1)] | Literal["24x7"]
    closed_on_bank_holidays: bool = True

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


def service_spans(hours: ServiceHours, *, within: Span, is_bank_holiday: Callable[[date], bool]) -> Spans:
    """The service hours within a span. `is_bank_holiday` is called with days in the hours' own time zone.

    Service is when clocks show a time within the hours. If clocks skip the time at which hours open or close, that
    happens at the first instant after the gap. If clocks repeat an hour, it counts twice if it is within the hours, and
    not at all if it is not.
    """
    if hours.opening == ROUND_THE_CLOCK:
        return union([within])
    zone = hours.zone
    walls = (
        wall
        for day in _days(within, zone)
        if not (hours.closed_on_bank_holidays and is_bank_holiday(day))
        for opening in hours.opening
        if (wall := opening.on(day))
    )
    spans = (between(*stretch) for opens, closes in walls for stretch in shown(opens, closes, zone))
    return intersect(union(spans), union([within]))


def _days(within: Span, zone: ZoneInfo) -> Iterator[date]:
    """Every day whose hours can reach into a span: hours of the previous night belong to the day before."""
    first, last = (instant_at(second).astimezone(zone).date() for second in within)
    return (first + DAY * n for n in range(-1, (last - first).days + 1))
