"""Recovery time: from the disaster to the first of three users in a row who could work."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from orchestrator.domain.value import Value

IN_A_ROW = 3
EVERY = timedelta(milliseconds=250)
"""How often a user tries, at least."""


class StopwatchReading(Value):
    """A stopwatch reading: seconds since boot, and the id of that boot. Readings of different boots or machines cannot
    be compared."""

    boot: str
    seconds: float

    def since(self, earlier: "StopwatchReading") -> float | None:
        return self.seconds - earlier.seconds if self.boot == earlier.boot else None


class Stamp(Value):
    """An instant by our clock, which somebody may set, with the stopwatch and the offset of the recovery host's clock
    at that time; None if not read."""

    at: datetime
    reading: StopwatchReading | None = None
    host_offset_seconds: float | None = None

    def set_since(self, earlier: "Stamp") -> float | None:
        """How far, in seconds, our clock was set forward since an earlier stamp, by the stopwatch, or after a reboot or
        on another machine by the recovery host's clock. None if neither was read both times."""
        took = self.reading.since(earlier.reading) if self.reading and earlier.reading else None
        if took is not None:
            return (self.at - earlier.at).total_seconds() - took
        if self.host_offset_seconds is None or earlier.host_offset_seconds is None:
            return None
        return earlier.host_offset_seconds - self.host_offset_seconds

    def place(self, earlier: "Stamp", at: datetime) -> datetime:
        """Convert an instant noted around an earlier stamp to this stamp's clock, if both are from one boot of one
        machine. Otherwise it stays unchanged: one of two clocks was set, and nobody knows which."""
        same = self.reading and earlier.reading and self.reading.boot == earlier.reading.boot
        moved = self.set_since(earlier) if same else None
        return at if moved is None or abs(moved) < NOISE else at + timedelta(seconds=moved)


NOISE = 0.05
"""Seconds that may pass between reading the clock and the stopwatch on a busy machine."""


WAITING = "recovery_host_wait"
"""The part in which the drill waited for the recovery host: for a connection, and between phases."""


class Worked(Value):
    """When a phase was worked on, and how many seconds of that passed before the recovery host answered."""

    began: StopwatchReading
    ended: StopwatchReading
    waited_seconds: float = 0.0


def parts(
    disaster: StopwatchReading, phases: Iterable[tuple[str, Worked]], *, served: float | None
) -> dict[str, float]:
    """The parts of a recovery time, in seconds by name; they add up to it. Phases are given in order, and in the last
    one users tried. `served` is the stopwatch when the first of them could work, or None if waiting ended. Empty if the
    stopwatches cannot be compared."""
    known = list(phases)
    if any(reading.boot != disaster.boot for _, worked in known for reading in (worked.began, worked.ended)):
        return {}
    found, before, waited = {}, disaster.seconds, 0.0
    for number, (name, worked) in enumerate(known, start=1):
        ended = served if served is not None and number == len(known) else worked.ended.seconds
        began = max(worked.began.seconds, disaster.seconds)
        found[name] = _whole(ended - began - worked.waited_seconds)
        waited += began - before + worked.waited_seconds
        before = ended
    return {**found, WAITING: _whole(waited)} if found else {}


def _whole(seconds: float) -> float:
    """Round to the microsecond: differences of readings are not exact."""
    return max(round(seconds, 6), 0.0)


class Watched(Value):
    """What the users have found so far. Seconds are of the stopwatch; `complaint` is from the last who could not
    work."""

    attempts: int = 0
    row: int = 0
    first_of_row: float | None = None
    last_at: float | None = None
    longest_gap: float = 0.0
    complaint: str = ""

    @property
    def recovered(self) -> bool:
        return self.row >= IN_A_ROW

    def after(self, *, began: float, ended: float, worked: bool, detail: str = "") -> "Watched":
        """Add an attempt, from `began` to `ended`. The gap is the time in which nobody tried or got an answer."""
        gap = max(self.longest_gap, began - self.last_at) if self.last_at is not None else self.longest_gap
        row = self.row + 1 if worked else 0
        first = (self.first_of_row if self.row else ended) if worked else None
        complaint = self.complaint if worked else detail
        return Watched(
            attempts=self.attempts + 1, row=row, first_of_row=first, last_at=ended, longest_gap=gap, complaint=complaint
        )

    def interrupted(self, complaint: str) -> "Watched":
        """End the row: no more users can follow."""
        return self.model_copy(update={"row": 0, "first_of_row": None, "complaint": complaint})

    def is_over(self, now: float, *, end: float) -> bool:
        """Whether waiting is over. A user who could work before the end must still be followed by others."""
        return now > end and not (self.row and self.first_of_row is not None and self.first_of_row <= end)
