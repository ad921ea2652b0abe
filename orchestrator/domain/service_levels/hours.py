"""The hours in which a service level counts, as instants: weekdays, clock times and bank holidays of a place."""

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
    """On these days, from one time to another. Hours that close no later than they open close on the day after, and
    belong to the day they open on."""

    days: Annotated[tuple[Weekday, ...], Field(min_length=1)]
    opens: ClockTime
    closes: ClockTime

    def on(self, day: date) -> tuple[datetime, datetime] | None:
        """Wall times at which the hours of a day begin and end; None when it has none."""
        if WEEKDAYS[day.weekday()] not in self.days:
            return None
        closes_on = day if self.closes > self.opens else day + DAY
        return datetime.combine(day, self.opens), datetime.combine(closes_on, self.closes)


class ServiceHours(Value):
    """Hours by the clocks of one place. `24x7` knows no bank holidays."""

    time_zone: TimeZone = "Europe/London"
    opening: Annotated[tuple[OpeningHours, ...], Field(min_length=1)] | Literal["24x7"]
    closed_on_bank_holidays: bool = True

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


def service_spans(hours: ServiceHours, *, within: Span, is_bank_holiday: Callable[[date], bool]) -> Spans:
    """The service hours within a span. `is_bank_holiday` is asked of days in the hours' own time zone.

    Service is when clocks show a time within the hours, as whoever comes to the door goes by what they show. Where they
    never show the time at which hours open or close, hours do so at the first instant after the gap. Of an hour that
    clocks repeat, what lies within the hours is served twice, and what does not is not: both times are meant.
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
    """Every day whose hours can reach into a span: the night before belongs to its own day."""
    first, last = (instant_at(second).astimezone(zone).date() for second in within)
    return (first + DAY * n for n in range(-1, (last - first).days + 1))
