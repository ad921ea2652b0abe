"""Extracts closures from an iCalendar file (RFC 5545) in a separate process.

A rule of a few bytes can keep a library busy for hours. So this is a program: it reads the file from standard input,
limits itself to two seconds of processor time and half a gigabyte, and prints the closures or the problems as JSON.
"""

import json
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import recurring_ical_events
from icalendar import Calendar

from orchestrator.domain.selling.drill_policy import Blackout

PROCESSOR_SECONDS = 2
MEMORY = 512 * 1024 * 1024
MOST = 5_000
"""Maximum number of closures in two years: a calendar of closures is a few pages of text."""

TOO_FINE = ("SECONDLY", "MINUTELY", "HOURLY")
"""An event repeated this often fills its days, and expanding it would take for ever."""
UNUSUAL = ("BYHOUR", "BYMINUTE", "BYSECOND")


class RefusedError(Exception):
    """What is wrong with a calendar, one sentence per argument."""


def closures(content: bytes, *, first: date, until: date) -> list[Blackout]:
    """See `read_blackouts`. Raises RefusedError."""
    calendar = _parsed(content)
    if problems := [f"{_named(event)}: {problem}" for event in calendar.walk("VEVENT") for problem in _wrong(event)]:
        raise RefusedError(*problems)
    found = recurring_ical_events.of(calendar).between(first, until)
    if len(found) > MOST:
        raise RefusedError(f"has more than {MOST:,} closures in two years")
    blackouts = [_blackout(event) for event in found if str(event.get("STATUS", "")).upper() != "CANCELLED"]
    return sorted(blackouts, key=lambda b: (str(b.start), str(b.end), b.why))


def _parsed(content: bytes) -> Calendar:
    try:
        calendar = Calendar.from_ical(content)
    except ValueError as error:
        raise RefusedError(f"is not an iCalendar file: {' '.join(str(error).split())[:160]}") from None
    if not isinstance(calendar, Calendar):
        raise RefusedError("is not an iCalendar file: it does not start with VCALENDAR")
    return calendar


def _named(event: Any) -> str:
    return f"event {str(event.get('SUMMARY') or event.get('UID') or 'without a name')!r}"


def _wrong(event: Any) -> Iterator[str]:
    """Why an event cannot be a blackout. The library swaps start and end if they are reversed, and ignores unknown time
    zones; here both are errors."""
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
        yield from (
            f"RRULE: {part} is not supported; write out the times of the event" for part in UNUSUAL if part in rule
        )
        if too_fine := [str(f) for f in rule.get("FREQ", ()) if str(f).upper() in TOO_FINE]:
            yield f"RRULE: repeats {too_fine[0]}; write DAILY or a longer event"


def _zone_unknown(prop: Any) -> bool:
    return "TZID" in prop.params and isinstance(prop.dt, datetime) and prop.dt.tzinfo is None


def _wrong_length(event: Any) -> Iterator[str]:
    start, end = event["DTSTART"].dt, event["DTEND"].dt if "DTEND" in event else None
    all_day = not isinstance(start, datetime)
    if end is None:
        if "DURATION" in event and event["DURATION"].dt <= timedelta(0):
            yield f"its DURATION is {event['DURATION'].dt}; it must be positive"
        if not all_day and "DURATION" not in event:
            yield "has neither DTEND nor DURATION; a blackout needs an end"
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
    """An end in iCalendar is exclusive; a blackout of whole days includes its last."""
    start, end, why = event["DTSTART"].dt, event["DTEND"].dt, str(event.get("SUMMARY", ""))[:120]
    if not isinstance(start, datetime):
        return Blackout(start=start, end=end - timedelta(days=1), why=why)
    if start.tzinfo is not None:
        start, end = start.astimezone(UTC), end.astimezone(UTC)
    return Blackout(start=start, end=end, why=why)


def main(first: date, until: date) -> None:
    """Print the closures in the file on standard input, or its problems."""
    so_far = int(time.process_time()) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (so_far + PROCESSOR_SECONDS, so_far + PROCESSOR_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        found = closures(sys.stdin.buffer.read(), first=first, until=until)
        told: dict[str, Any] = {"blackouts": [blackout.model_dump(mode="json") for blackout in found]}
    except RefusedError as error:
        told = {"problems": [str(problem) for problem in error.args]}
    except MemoryError:
        told = {"problems": ["takes too much memory to expand"]}
    except Exception as error:  # a library may fail in any way on an unforeseen file
        told = {"problems": [f"cannot be expanded: {type(error).__name__}"]}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main(date.fromisoformat(sys.argv[1]), date.fromisoformat(sys.argv[2]))
