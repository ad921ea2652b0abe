"""The measurements of a drill, as input for its judgement."""

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
    """Everything that the verdict is based on. `records` is None if no canaries were read; `ledger` is the number of
    acknowledged ones. `stopped` is why somebody ended the drill before all measurements were complete."""

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
    """Phases that were restarted because a worker died."""
    stopped: str | None = None
    rpo: RecoveryPoint
    records: RecoveredRecords | None
    ledger: int = 0
    newest_backup_pinned: bool
    """Whether the newest backup on record was pinned."""
    worst_moment_missed: bool = False
    """Whether it was planned for the worst moment, but no backup was due in its window."""
    integrity: Integrity
    isolation: Isolation
    cleanup: Cleanup

    @property
    def went_wrong(self) -> tuple[Phase, ...]:
        """Phases that failed by themselves."""
        return tuple(p for p in self.phases if p.outcome not in ("succeeded", *UNDECIDED) and not self._again(p))

    @property
    def broken_off(self) -> tuple[Phase, ...]:
        """Phases whose outcome says nothing about the copy."""
        return tuple(p for p in self.phases if p.outcome in UNDECIDED and not self._again(p))

    @property
    def clocks_compare(self) -> bool:
        """Whether the clock can tell what was before the disaster and what after."""
        step = self.clocks.set_before_seconds
        return self.records is None or not self.records.recovered or (step is not None and abs(step) <= TRUSTED_STEP)

    def _again(self, phase: Phase) -> bool:
        return phase.name in self.interrupted


TRUSTED_STEP = 1.0
"""How far, in seconds, our clock may have been set while a drill relied on it."""
