"""The record of one drill: what was promised, what was done, and the result. Outsiders can verify it offline.

Durations are seconds, instants are UTC. What was not measured is None, never zero. Sealing is in `evidence_seal`.
Documents never change: earlier ones lack what a later version added.
"""

from collections.abc import Mapping
from datetime import UTC, date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, FiniteFloat, model_validator

from orchestrator.domain.recovery.verdict import Moment, Verdict
from orchestrator.domain.value import Value

Instant = Annotated[AwareDatetime, AfterValidator(lambda at: at.astimezone(UTC))]
Seconds = Annotated[FiniteFloat, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Level = Annotated[int, Field(ge=0, le=5)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


UNTIL_USERS = ("pin", "prepare", "restore", "start", "probe")
"""Phases without which nobody can work with the restored service."""

SUCCEEDED = "succeeded"

UNDECIDED = ("unreachable", "cancelled")
"""Outcomes of phases that say nothing about the copy: the recovery host was unreachable, or the drill was stopped."""

LEVELS = {
    1: "the backup tool's own check",
    2: "the engine's own check",
    3: "the manifest taken with the backup",
    4: "the chain of canaries",
    5: "the component's own rules",
}
"""Levels of integrity, and what is checked."""

CANARIES = 4


class Objectives(Value):
    """The promises, and the clause that makes them."""

    rto_seconds: Seconds
    rpo_seconds: Seconds
    clause: str


class Approval(Value):
    """Somebody's consent to one plan, by its digest, until it expires. `live_data`: consent to restoring real data."""

    who: str
    at: Instant
    plan_digest: str
    live_data: bool
    expires_at: Instant


class Witness(Value):
    """Somebody who states that they watched."""

    who: str
    at: Instant


class Promised(Value):
    """What a pass must be based on: the levels of integrity to check, and the attempts to get out to make, by name with
    their target."""

    levels: tuple[Level, ...]
    attempts: Mapping[str, str]

    @property
    def places(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.attempts.values()))


class Clocks(Value):
    """The clock behind all times, the offset of the recovery host's clock, and its uncertainty. How far the clock was
    set forward, between the last restored record and T0 and since T0, is None if unknown."""

    orchestrator: str
    recovery_host_offset_seconds: FiniteFloat
    uncertainty_seconds: Seconds
    source: str
    set_before_seconds: FiniteFloat | None = None
    set_after_seconds: FiniteFloat | None = None


class PinnedSnapshot(Value):
    """A backup that existed at T0. `time` is when it began, by its host's clock; `received` is when it arrived, by the
    recovery host's clock. `tree` identifies its content in the backup repository; the figures are set for the restored
    one."""

    id: str
    time: Instant
    received: Instant | None = None
    tree: str
    bytes: Count | None = None
    files: Count | None = None
    sha256: Sha256 | None = None


class Pin(Value):
    """The backups as of T0, and the id of the chosen one; None if none was usable."""

    snapshots: tuple[PinnedSnapshot, ...]
    chosen: str | None

    @model_validator(mode="after")
    def _chosen_is_pinned(self) -> Self:
        if self.chosen is not None and self.chosen not in {s.id for s in self.snapshots}:
            raise ValueError(f"snapshot {self.chosen!r} was chosen, but is not among the pinned ones")
        return self

    @property
    def restored(self) -> PinnedSnapshot | None:
        return next((one for one in self.snapshots if one.id == self.chosen), None)


class Phase(Value):
    """A phase of the drill. `command_sha256` is the digest of the command that was run."""

    name: str
    started_at: Instant
    finished_at: Instant
    seconds: Seconds
    outcome: str
    command_sha256: Sha256 | None = None
    error: str | None = None


class NotExecuted(Value):
    """What the drill left out, and why. A real recovery would have to do it."""

    what: str
    why: str


class RecoveryTime(Value):
    """From T0 until a user was served. If nobody was, it is longer than `censored_limit_seconds`.

    `parts` are seconds by name; `longest_gap_seconds` is the longest time without an attempt.
    """

    seconds: Seconds | None = None
    censored_limit_seconds: Seconds | None = None
    parts: Mapping[str, Seconds] = {}
    attempts: Count = 0
    longest_gap_seconds: Seconds | None = None

    @model_validator(mode="after")
    def _measured_or_censored(self) -> Self:
        if self.seconds is not None and self.censored_limit_seconds is not None:
            raise ValueError("a recovery time is either measured or censored: give seconds or censored_limit_seconds")
        return self


class RecoveryPoint(Value):
    """From the last good record until T0; at most `upper_seconds`. Counts are of records written before T0.

    `holes`: records missing between restored ones. `worst_exposure_seconds`: what could have been lost at the worst
    moment. `interval_seconds`: the interval between records, which is the resolution of the measurement.
    """

    seconds: Seconds | None = None
    upper_seconds: Seconds | None = None
    lost: Count | None = None
    holes: Count | None = None
    acknowledged: Count | None = None
    restored: Count | None = None
    worst_exposure_seconds: Seconds | None = None
    interval_seconds: Seconds


class Check(Value):
    level: Level
    name: str
    passed: bool
    detail: str = ""


class Integrity(Value):
    """The highest level up to which every check passed."""

    level: Level
    checks: tuple[Check, ...] = ()

    @model_validator(mode="after")
    def _no_check_failed_below(self) -> Self:
        failed = next((c for c in self.checks if not c.passed and c.level <= self.level), None)
        if failed:
            raise ValueError(f"level {self.level} was not reached: {failed.name!r} of level {failed.level} failed")
        return self


class LeakAttempt(Value):
    """An attempt to reach the outside from the recovery network, which had to be blocked. `control`: whether the same
    attempt succeeded from the recovery host itself. If it fails there too, it says nothing about the bubble."""

    name: str
    address: str
    port: Annotated[int, Field(ge=0, le=65535)] | None
    blocked: bool
    control: bool | None = None
    detail: str = ""


class Isolation(Value):
    """`disabled`: what was disabled in the restored service so that it cannot affect the outside."""

    attempts: tuple[LeakAttempt, ...] = ()
    disabled: tuple[str, ...] = ()


class Cleanup(Value):
    """What was removed after the drill, and what was left."""

    removed: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    clean: bool

    @model_validator(mode="after")
    def _clean_leaves_nothing(self) -> Self:
        if self.clean and self.leftovers:
            raise ValueError(f"not clean: {', '.join(self.leftovers)} left over")
        return self


class Finding(Value):
    """Something to correct, and by when."""

    what: str
    due: date


class Evidence(Value):
    """One drill of one component of one agency. `previous` is the digest of the orchestrator's previous evidence;
    `stopped` is why somebody ended the drill before all measurements were complete."""

    version: Literal[1, 2] = 1
    """Version 2 added `promised`, `stopped`, `witnesses`, `control`, `received` and how far clocks were set."""
    drill: int
    key: str
    agency: str
    component: str
    site: str
    framework: str
    plan_digest: str
    requested_by: str
    objectives: Objectives
    approvals: tuple[Approval, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    promised: Promised | None = None
    stopped: str | None = None
    clocks: Clocks
    t0: Instant
    t0_kind: Moment
    pin: Pin
    phases: tuple[Phase, ...]
    not_executed: tuple[NotExecuted, ...] = ()
    rto: RecoveryTime
    rpo: RecoveryPoint
    integrity: Integrity
    isolation: Isolation
    cleanup: Cleanup
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    finished_at: Instant
    report_due: date
    previous: Sha256 | None = None

    @model_validator(mode="after")
    def _ends_after_t0(self) -> Self:
        if self.finished_at < self.t0:
            raise ValueError(f"finished at {self.finished_at}, before the disaster at {self.t0}")
        return self

    @model_validator(mode="after")
    def _says_what_was_promised(self) -> Self:
        if (self.promised is None) != (self.version == 1):
            raise ValueError(
                f"`promised` is required since version 2, and not allowed before; this is version {self.version}"
            )
        return self

    @property
    def never_recovered(self) -> bool:
        """Whether nobody could work again after the disaster: within the waiting time, or because an earlier phase
        failed. False if the measurement itself is in doubt."""
        if self.rto.seconds is not None or self.verdict is Verdict.INCONCLUSIVE:
            return False
        return self.rto.censored_limit_seconds is not None or any(self._failed(name) for name in UNTIL_USERS)

    @property
    def all_lost(self) -> bool:
        """Whether no record came back, or nothing at all that could be checked."""
        if self.rpo.upper_seconds is not None:
            return False
        if self.rpo.acknowledged is None:
            return self.never_recovered and not self._succeeded("check")
        return self.rpo.acknowledged > 0

    def _failed(self, name: str) -> bool:
        return any(phase.name == name and phase.outcome not in (SUCCEEDED, *UNDECIDED) for phase in self.phases)

    def _succeeded(self, name: str) -> bool:
        return any(phase.name == name and phase.outcome == SUCCEEDED for phase in self.phases)

    def document(self) -> dict[str, Any]:
        """The JSON-compatible form that is sealed, stored and handed over."""
        return self.model_dump(mode="json")
