"""iCalendar (RFC 5545): exports drills and imports blackouts."""

import json
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from icalendar import Calendar, Event

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.recovery.drill_calendar import drill_key
from orchestrator.domain.recovery.fleet_calendar import Placed
from orchestrator.domain.recovery.verdict import Moment
from orchestrator.domain.selling.drill_policy import Blackout
from orchestrator.files import read_file

PRODUCT = "-//shared service orchestrator//drills//EN"

MAX_BYTES = 1_000_000
"""A calendar of closures is a few pages of text."""

READING = "orchestrator.adapters.icalendar_reading"
PATIENCE_SECONDS = 60
"""A wall-clock limit for a busy machine. The real limit is the program's own two seconds of processor time."""

MOMENTS = {
    Moment.RANDOM: "The disaster is put at a random moment.",
    Moment.WORST: "The disaster is put at the worst moment, just before the next backup.",
    Moment.NOW: "The disaster is put at the moment somebody asked for.",
}


def write_calendar(drills: Iterable[Placed], *, lasts: timedelta, stamped: datetime) -> bytes:
    """An .ics file with one event per drill, as long as a drill is expected to last. The drill's key is the UID, so
    that importing again creates no duplicates. `stamped` is when the calendar was made."""
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
    """A blackout for every event of the file from `first` to before `until`, ordered by start.

    Repeated events are expanded, cancelled ones left out. A time without a time zone stays in that of the policy.
    Raises INVALID for what cannot be read, with the file and the event.
    """
    content = read_file(path, at_most=MAX_BYTES)
    told = _told(content, first, until)
    problems = [f"{path}: {problem}" for problem in told.get("problems", ())]
    if len(problems) == 1:
        raise OrchestratorError(Kind.INVALID, problems[0])
    if problems:
        raise OrchestratorError(Kind.INVALID, f"{path} is refused", details=tuple(problems))
    return tuple(Blackout.model_validate(blackout) for blackout in told["blackouts"])


def _told(content: bytes, first: date, until: date) -> dict[str, list[Any]]:
    """The output of the program that reads calendars. It prints nothing if it exceeds its limit."""
    program = [sys.executable, "-m", READING, first.isoformat(), until.isoformat()]
    try:
        done = subprocess.run(program, input=content, capture_output=True, timeout=PATIENCE_SECONDS, check=True)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return {"problems": ["takes too long to expand; write its events one by one"]}
    told: dict[str, list[Any]] = json.loads(done.stdout)
    return told
