"""Conversions between local time and instants, across clock changes that skip and repeat hours."""

from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from orchestrator.domain.errors import Kind, OrchestratorError

SECOND = timedelta(seconds=1)


def instant_of(wall: datetime, zone: ZoneInfo, *, of_two: Literal["first", "last"] = "first") -> datetime:
    """The UTC instant at which clocks in the zone show `wall`, a naive time.

    A time that clocks skip becomes the first instant after the gap; for one that they show twice, `of_two` chooses.
    """
    early, late = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early > late:
        return _change_of_offset(late, early, zone)
    return early if of_two == "first" else late


def shown(first: datetime, until: datetime, zone: ZoneInfo) -> tuple[tuple[datetime, datetime], ...]:
    """The periods of UTC in which clocks in the zone show `first`, a naive time, or later, but not yet `until`.

    A repeated time gives two periods, and a skipped one gives none. `until` is at most a day later, so that clocks
    change at most once in between.
    """
    offsets = {wall.replace(tzinfo=zone, fold=fold).utcoffset() for wall in (first, until) for fold in (0, 1)}
    begins, ends = instant_of(first, zone), instant_of(until, zone, of_two="last")
    if len(offsets) == 1:
        return ((begins, ends),)
    if ends <= begins:
        return ()
    last_second = ends - SECOND
    old, new = (at.astimezone(zone).utcoffset() or timedelta(0) for at in (begins, last_second))
    change = ends if old == new else _change_of_offset(begins, last_second, zone)
    found = []
    for start, end, offset in ((begins, change, old), (change, ends, new)):
        at = max(start, first.replace(tzinfo=UTC) - offset), min(end, until.replace(tzinfo=UTC) - offset)
        if at[0] < at[1]:
            found.append(at)
    return tuple(found)


def stated_instant(stated: datetime, zone: ZoneInfo) -> datetime:
    """The UTC instant that somebody stated, with an offset or in local time of the zone.

    Raises INVALID when there is no offset and clocks show the time twice or never: money depends on these statements,
    so nothing is guessed.
    """
    if stated.utcoffset() is not None:
        return stated.astimezone(UTC)
    early, late = (stated.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if early.utcoffset() == late.utcoffset():
        return early.astimezone(UTC)
    twice = early.astimezone(UTC) < late.astimezone(UTC)
    spelt = (early, late) if twice else (instant.astimezone(UTC).astimezone(zone) for instant in (late, early))
    first, second = (instant.isoformat() for instant in spelt)
    raise OrchestratorError(
        Kind.INVALID,
        f"clocks of {zone.key} {'show' if twice else 'never show'} {stated.isoformat()}{' twice' if twice else ''}",
        hint=f"write the instant with its offset: {first} or {second}",
    )


def _change_of_offset(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The instant between two others at which the offset changes. Transitions fall on whole seconds."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > SECOND:
        middle = before + ((after - before) // 2 // SECOND) * SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
