"""Wall time of a place and the instants it stands for, where clocks skip hours and repeat them."""

from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from orchestrator.domain.errors import Kind, OrchestratorError

SECOND = timedelta(seconds=1)


def instant_of(wall: datetime, zone: ZoneInfo, *, of_two: Literal["first", "last"] = "first") -> datetime:
    """The UTC instant at which clocks of the zone show `wall`, a naive time.

    A time clocks never show becomes the first instant after the gap; of one they show twice, `of_two` chooses.
    """
    early, late = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early > late:
        return _end_of_gap(late, early, zone)
    return early if of_two == "first" else late


def stated_instant(stated: datetime, zone: ZoneInfo) -> datetime:
    """The UTC instant that somebody stated, with an offset or by the clocks of the zone.

    Raises invalid when there is no offset and clocks show the time twice or never: on what is stated money depends,
    and nothing is guessed.
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
        hint=f"write which instant is meant, with its offset: {first} or {second}",
    )


def _end_of_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Where the offset changes between two instants, to the second: transitions fall on whole ones."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > SECOND:
        middle = before + ((after - before) // 2 // SECOND) * SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
