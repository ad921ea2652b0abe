"""What a drill measured, as the judgement on it takes it."""

from datetime import datetime

from orchestrator.domain.recovery.canary import RecoveredRecords
from orchestrator.domain.recovery.evidence import (
    UNDECIDED,
    Cleanup,
    Clocks,
    Integrity,
    Isolation,
    Objectives,
    Phase,
    Pin,
    Promised,
    RecoveryPoint,
    RecoveryTime,
)
from orchestrator.domain.value import Value


class Measured(Value):
    """Everything the verdict rests on. `records` is None where no canaries were read, `ledger` how many there are of
    what was acknowledged; `stopped` is why somebody ended the drill before all was measured."""

    objectives: Objectives
    promised: Promised
    clocks: Clocks
    t0: datetime
    pin: Pin
    phases: tuple[Phase, ...]
    rto: RecoveryTime
    same_clock: bool
    """Whether T0 and the recovery were read from the same stopwatch."""
    interrupted: tuple[str, ...]
    """Phases that had to be begun again because a worker died."""
    stopped: str | None = None
    rpo: RecoveryPoint
    records: RecoveredRecords | None
    ledger: int = 0
    newest_backup_pinned: bool
    """Whether the newest backup on record was among what was pinned."""
    worst_moment_missed: bool = False
    """Whether it was to be at the worst moment, and no backup was due in its window."""
    integrity: Integrity
    isolation: Isolation
    cleanup: Cleanup

    @property
    def went_wrong(self) -> tuple[Phase, ...]:
        """Phases that failed for a reason of their own."""
        return tuple(p for p in self.phases if p.outcome not in ("succeeded", *UNDECIDED) and not self._again(p))

    @property
    def broken_off(self) -> tuple[Phase, ...]:
        """Phases whose end says nothing of the copy."""
        return tuple(p for p in self.phases if p.outcome in UNDECIDED and not self._again(p))

    @property
    def clocks_compare(self) -> bool:
        """Whether what lies before the disaster and what after it can be told by the clock."""
        step = self.clocks.set_before_seconds
        return self.records is None or not self.records.recovered or (step is not None and abs(step) <= TRUSTED_STEP)

    def _again(self, phase: Phase) -> bool:
        return phase.name in self.interrupted


TRUSTED_STEP = 1.0
"""Seconds that our clock may have been set by while a drill relied on it."""
