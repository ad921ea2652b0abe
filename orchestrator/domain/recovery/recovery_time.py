"""Recovery time: from the disaster to the first of three users in a row who could work."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from orchestrator.domain.value import Value

IN_A_ROW = 3
EVERY = timedelta(milliseconds=250)
"""How often a user tries, at least."""


class StopwatchReading(Value):
    """A stopwatch read: seconds since the machine was started, and which start that was. Readings of two starts, or of
    two machines, have nothing to do with each other."""

    boot: str
    seconds: float

    def since(self, earlier: "StopwatchReading") -> float | None:
        return self.seconds - earlier.seconds if self.boot == earlier.boot else None


class Stamp(Value):
    """An instant by our clock, which somebody may set. Beside it the stopwatch, and how far the recovery host's clock
    was ahead of ours then; None where nobody looked."""

    at: datetime
    reading: StopwatchReading | None = None
    host_offset_seconds: float | None = None

    def set_since(self, earlier: "Stamp") -> float | None:
        """Seconds that our clock was set forward since an earlier stamp, by the stopwatch; of another start or machine,
        by the recovery host's clock. None where neither was looked at on both occasions."""
        took = self.reading.since(earlier.reading) if self.reading and earlier.reading else None
        if took is not None:
            return (self.at - earlier.at).total_seconds() - took
        if self.host_offset_seconds is None or earlier.host_offset_seconds is None:
            return None
        return earlier.host_offset_seconds - self.host_offset_seconds

    def place(self, earlier: "Stamp", at: datetime) -> datetime:
        """Where an instant that was told around an earlier stamp is by the clock of this one, if both are of one start
        of one machine. Otherwise it is where it was: one of two clocks was set, and nobody knows which."""
        same = self.reading and earlier.reading and self.reading.boot == earlier.reading.boot
        moved = self.set_since(earlier) if same else None
        return at if moved is None or abs(moved) < NOISE else at + timedelta(seconds=moved)


NOISE = 0.05
"""Seconds that may lie between a look at the clock and one at the stopwatch, on a busy machine."""


WAITING = "recovery_host_wait"
"""The part in which the drill waited for the recovery host: to be reached, and between two phases."""


class Worked(Value):
    """When a phase was worked on, and how many seconds of that went by before the recovery host could be asked."""

    began: StopwatchReading
    ended: StopwatchReading
    waited_seconds: float = 0.0


def parts(
    disaster: StopwatchReading, phases: Iterable[tuple[str, Worked]], *, served: float | None
) -> dict[str, float]:
    """What a recovery time is made of, by name in seconds. The phases are given in their order, the last of them that
    in which users tried; `served` is the stopwatch when the first of them could work, None when waiting was given up.
    The parts add up to the recovery time. Empty where the stopwatches do not compare."""
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
    """To the microsecond: differences of readings are not exact."""
    return max(round(seconds, 6), 0.0)


class Watched(Value):
    """What the users found so far. Seconds are of the stopwatch; `complaint` is of the last who could not work."""

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
        """One more attempt, from `began` to `ended`. The gap is the time in which nobody was trying or answered."""
        gap = max(self.longest_gap, began - self.last_at) if self.last_at is not None else self.longest_gap
        row = self.row + 1 if worked else 0
        first = (self.first_of_row if self.row else ended) if worked else None
        complaint = self.complaint if worked else detail
        return Watched(
            attempts=self.attempts + 1, row=row, first_of_row=first, last_at=ended, longest_gap=gap, complaint=complaint
        )

    def interrupted(self, complaint: str) -> "Watched":
        """Nobody is left who could follow those of the row."""
        return self.model_copy(update={"row": 0, "first_of_row": None, "complaint": complaint})

    def is_over(self, now: float, *, end: float) -> bool:
        """Whether waiting has come to its end. Somebody who could work before that has yet to be followed by others."""
        return now > end and not (self.row and self.first_of_row is not None and self.first_of_row <= end)
