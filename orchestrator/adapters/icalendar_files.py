"""iCalendar (RFC 5545): drills for people's calendars, and blackouts out of them."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import recurring_ical_events
from icalendar import Calendar, Event

from orchestrator.domain.drill_calendar import drill_key
from orchestrator.domain.drill_policy import Blackout
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.fleet_calendar import Placed
from orchestrator.domain.verdict import Moment

PRODUCT = "-//shared service orchestrator//drills//EN"

MAX_BYTES = 1_000_000
"""A calendar of closures is some pages of text."""

TOO_FINE = ("SECONDLY", "MINUTELY", "HOURLY")
"""Repeated so often, an event fills its days; expanding it would take for ever."""

MOMENTS = {
    Moment.RANDOM: "The disaster is put at a random moment.",
    Moment.WORST: "The disaster is put at the worst moment, just before the next backup.",
    Moment.NOW: "The disaster is put at the moment somebody asked for.",
}


def write_calendar(drills: Iterable[Placed], *, lasts: timedelta, stamped: datetime) -> bytes:
    """An .ics file with one event a drill, as long as a drill is expected to last. Read again, a drill stays one event:
    its key is the UID. `stamped` is when the calendar was made."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    for drill in drills:
        calendar.add_component(_event(drill, lasts=lasts, stamped=stamped))
    return bytes(calendar.to_ical())


def _event(drill: Placed, *, lasts: timedelta, stamped: datetime) -> Event:
    occurrence, event = drill.occurrence, Event()
    event.add("uid", drill_key(drill.agency, drill.component, occurrence.scheduled_at))
    event.add("dtstamp", stamped.astimezone(UTC))
    event.add("dtstart", occurrence.scheduled_at.astimezone(UTC))
    event.add("dtend", (occurrence.scheduled_at + lasts).astimezone(UTC))
    event.add("summary", f"Recovery drill: {drill.component} of {drill.agency}")
    event.add("location", drill.site)
    event.add("description", MOMENTS[occurrence.kind])
    return event


def read_blackouts(path: Path, *, first: date, until: date) -> tuple[Blackout, ...]:
    """A blackout for every event of the file between two days, the second not included, in the order of their starts.

    Repeated events come as often as they occur, cancelled ones not at all. A time without a time zone stays one of the
    policy's. Raises INVALID for what cannot be read, naming the file and the event.
    """
    calendar = _parsed(path)
    problems = [f"{path}: {_named(event)}: {problem}" for event in calendar.walk("VEVENT") for problem in _wrong(event)]
    if problems:
        raise OrchestratorError(Kind.INVALID, f"{path} is refused", details=tuple(problems))
    found = recurring_ical_events.of(calendar).between(first, until)
    blackouts = (_blackout(event) for event in found if str(event.get("STATUS", "")).upper() != "CANCELLED")
    return tuple(sorted(blackouts, key=lambda b: (str(b.start), str(b.end), b.why)))


def _parsed(path: Path) -> Calendar:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise OrchestratorError(Kind.INVALID, f"{path}: is larger than {MAX_BYTES:,} bytes")
        calendar = Calendar.from_ical(path.read_bytes())
    except FileNotFoundError:
        raise OrchestratorError(Kind.NOT_FOUND, f"{path}: no such file") from None
    except OSError as error:
        raise OrchestratorError(Kind.INVALID, f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        reason = " ".join(str(error).split())[:160]
        raise OrchestratorError(Kind.INVALID, f"{path}: is not an iCalendar file: {reason}") from None
    if not isinstance(calendar, Calendar):
        raise OrchestratorError(Kind.INVALID, f"{path}: is not an iCalendar file: it does not begin with VCALENDAR")
    return calendar


def _named(event: Any) -> str:
    return f"event {str(event.get('SUMMARY') or event.get('UID') or 'without a name')!r}"


def _wrong(event: Any) -> Iterator[str]:
    """What keeps an event from being a blackout. The library swaps an end with a later start, and takes a time zone it
    does not know for none; here they are mistakes."""
    if event.errors:
        yield from (f"{name}: {message}" for name, message in event.errors)
        return
    if "DTSTART" not in event:
        yield "has no DTSTART"
        return
    for name in ("DTSTART", "DTEND"):
        if name in event and _zone_unknown(event[name]):
            yield f"{name}: {event[name].params['TZID']!r} is not a known time zone, and the file does not define it"
    yield from _wrong_length(event)
    for rule in _rules(event):
        if too_fine := [str(f) for f in rule.get("FREQ", ()) if str(f).upper() in TOO_FINE]:
            yield f"RRULE: repeats {too_fine[0]}; write DAILY or a longer event"


def _zone_unknown(prop: Any) -> bool:
    return "TZID" in prop.params and isinstance(prop.dt, datetime) and prop.dt.tzinfo is None


def _wrong_length(event: Any) -> Iterator[str]:
    start, end = event["DTSTART"].dt, event["DTEND"].dt if "DTEND" in event else None
    all_day = not isinstance(start, datetime)
    if end is None:
        if not all_day and "DURATION" not in event:
            yield "has neither DTEND nor DURATION; a blackout has an end"
    elif all_day == isinstance(end, datetime):
        yield "DTSTART and DTEND must both be days or both be times"
    elif not all_day and (start.tzinfo is None) != (end.tzinfo is None):
        yield "DTSTART and DTEND must both have a time zone or both have none"
    elif end <= start:
        yield f"ends at {end}, which is not after its start at {start}"


def _rules(event: Any) -> list[Any]:
    rules = event.get("RRULE", [])
    return rules if isinstance(rules, list) else [rules]


def _blackout(event: Any) -> Blackout:
    """iCalendar's end is the first day, or the instant, that is free again; a blackout of days includes its last."""
    start, end, why = event["DTSTART"].dt, event["DTEND"].dt, str(event.get("SUMMARY", ""))[:120]
    if not isinstance(start, datetime):
        return Blackout(start=start, end=end - timedelta(days=1), why=why)
    if start.tzinfo is not None:
        start, end = start.astimezone(UTC), end.astimezone(UTC)
    return Blackout(start=start, end=end, why=why)
