"""Recovery time: from the disaster to the first of three users in a row who could work."""

from datetime import timedelta

from orchestrator.domain.value import Value

IN_A_ROW = 3
EVERY = timedelta(milliseconds=250)
"""How often a user tries, at least."""


class Reading(Value):
    """A stopwatch read: seconds since the machine was started, and which start that was. Readings of two starts, or of
    two machines, have nothing to do with each other."""

    boot: str
    seconds: float

    def since(self, earlier: "Reading") -> float | None:
        return self.seconds - earlier.seconds if self.boot == earlier.boot else None


class Watched(Value):
    """What the users found so far. Seconds are of the stopwatch."""

    attempts: int = 0
    row: int = 0
    first_of_row: float | None = None
    last_at: float | None = None
    longest_gap: float = 0.0
    detail: str = ""

    @property
    def recovered(self) -> bool:
        return self.row >= IN_A_ROW

    def after(self, *, began: float, ended: float, worked: bool, detail: str = "") -> "Watched":
        """One more attempt, from `began` to `ended`. The gap is the time in which nobody was trying or answered."""
        gap = max(self.longest_gap, began - self.last_at) if self.last_at is not None else self.longest_gap
        row = self.row + 1 if worked else 0
        first = (self.first_of_row if self.row else ended) if worked else None
        return Watched(
            attempts=self.attempts + 1, row=row, first_of_row=first, last_at=ended, longest_gap=gap, detail=detail
        )
