"""What each phase of a drill found, stored with its step and read by later phases.

Most of it is the recovery host's answer (playbooks/README.md, section Drills). Other fields of the answer are dropped.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, FiniteFloat

from orchestrator.domain.recovery.canary import RecoveredRecords
from orchestrator.domain.recovery.evidence import LeakAttempt, PinnedSnapshot
from orchestrator.domain.recovery.recovery_time import StopwatchReading, Worked
from orchestrator.domain.value import Value


class PhaseResult(Value):
    """`command_sha256` identifies what was carried out; `worked` is None in results of earlier versions."""

    model_config = ConfigDict(extra="ignore")
    command_sha256: str | None = None
    worked: Worked | None = None


class HostClock(Value):
    """How far the recovery host's clock is ahead of ours, in seconds."""

    offset_seconds: FiniteFloat
    uncertainty_seconds: FiniteFloat


class Examined(PhaseResult):
    clock: HostClock


def _known(given: Any) -> Any:
    """Only those fields of a snapshot that evidence has."""
    return {k: given[k] for k in PinnedSnapshot.model_fields if k in given} if isinstance(given, Mapping) else given


class Pinned(PhaseResult):
    """The disaster, and what may be restored. `chosen` is None if there is no backup."""

    t0: datetime
    reading: StopwatchReading
    chosen: str | None
    snapshots: tuple[Annotated[PinnedSnapshot, BeforeValidator(_known)], ...]


class BubblePrepared(PhaseResult):
    """The bubble, and the address that the restored service will have in it."""

    address: str


class Restored(PhaseResult):
    pass


class Started(PhaseResult):
    """`disabled`: what was switched off so that the copy cannot act on the outside."""

    disabled: tuple[str, ...] = ()


class Probed(PhaseResult):
    """`seconds` from the disaster until users could work; None if they could not, or if two stopwatches were read."""

    seconds: float | None
    censored_limit_seconds: float | None
    attempts: int
    longest_gap_seconds: float | None
    same_clock: bool = True


class Looked(Value):
    """The result of one check of the recovery host."""

    model_config = ConfigDict(extra="ignore")
    passed: bool
    detail: str = ""


class Checked(PhaseResult):
    """`records` is None if the service accepts no canaries; `ledger` is the number of acknowledged ones on record."""

    checks: Mapping[str, Looked]
    leaks: tuple[LeakAttempt, ...]
    records: RecoveredRecords | None
    ledger: int = 0


class Cleaned(PhaseResult):
    removed: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()


class Reported(PhaseResult):
    """Whether there is evidence: a drill that was stopped before its disaster has none."""

    evidence: bool


class PhaseResults(Value):
    """The results of the phases that succeeded, by verb."""

    model_config = ConfigDict(extra="ignore")
    examine: Examined | None = None
    pin: Pinned | None = None
    prepare: BubblePrepared | None = None
    restore: Restored | None = None
    start: Started | None = None
    probe: Probed | None = None
    check: Checked | None = None
    cleanup: Cleaned | None = None

    def of(self, phase: str) -> PhaseResult | None:
        found: PhaseResult | None = getattr(self, phase)
        return found
