"""The record of one drill: what was promised, what was done, what came of it. Somebody outside can check it offline.

Durations are seconds, instants are UTC. What was not measured is None, never zero. Sealing is in `evidence_seal`.
Documents stay what they are: what a version added, those before it do not have.
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
"""Phases without which nobody can work in what was restored."""

SUCCEEDED = "succeeded"

UNDECIDED = ("unreachable", "cancelled")
"""Outcomes of phases that say nothing of the copy: the recovery host was away, or somebody stopped the drill."""

LEVELS = {
    1: "the backup tool's own check",
    2: "the engine's own check",
    3: "the manifest taken with the backup",
    4: "the chain of canaries",
    5: "the component's own rules",
}
"""Levels of integrity, and what is looked at."""

CANARIES = 4


class Objectives(Value):
    """What was promised, and the clause that promises it."""

    rto_seconds: Seconds
    rpo_seconds: Seconds
    clause: str


class Approval(Value):
    """Somebody's consent to one plan, by its digest, until it expires. `live_data`: to restoring real data."""

    who: str
    at: Instant
    plan_digest: str
    live_data: bool
    expires_at: Instant


class Witness(Value):
    """Somebody who says that they watched."""

    who: str
    at: Instant


class Promised(Value):
    """What a pass has to rest on: levels of integrity that are looked at, and attempts to get out that are made, each
    by its name with the place that it is to."""

    levels: tuple[Level, ...]
    attempts: Mapping[str, str]

    @property
    def places(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.attempts.values()))


class Clocks(Value):
    """Whose clock times are by, how far the recovery host's was from it, and how sure we are of that. How far it was
    set forward, between the last record that came back and T0 and from T0 on, is None where that is not known."""

    orchestrator: str
    recovery_host_offset_seconds: FiniteFloat
    uncertainty_seconds: Seconds
    source: str
    set_before_seconds: FiniteFloat | None = None
    set_after_seconds: FiniteFloat | None = None


class PinnedSnapshot(Value):
    """A backup that was there at T0. `time` is when it began, as its host says; `received` when it came, by the
    recovery host's clock. `tree` identifies its content in the backup repository; the figures are there for the one
    that is restored."""

    id: str
    time: Instant
    received: Instant | None = None
    tree: str
    bytes: Count | None = None
    files: Count | None = None
    sha256: Sha256 | None = None


class Pin(Value):
    """The backups as they were at T0, and the one chosen, by its id. None chosen: none was usable."""

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
    """A part of the drill. `command_sha256` is of the command that was carried out."""

    name: str
    started_at: Instant
    finished_at: Instant
    seconds: Seconds
    outcome: str
    command_sha256: Sha256 | None = None
    error: str | None = None


class NotExecuted(Value):
    """What the drill left out, and why: a real recovery would have to do it."""

    what: str
    why: str


class RecoveryTime(Value):
    """From T0 until a user was served. When that did not happen, it is longer than `censored_limit_seconds`.

    `parts` are seconds by name; `longest_gap_seconds` is the longest time nothing was tried.
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
    moment. `interval_seconds`: how often records are written, and so how finely this is measured.
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
    """The highest level at which, and below which, every check passed."""

    level: Level
    checks: tuple[Check, ...] = ()

    @model_validator(mode="after")
    def _no_check_failed_below(self) -> Self:
        failed = next((c for c in self.checks if not c.passed and c.level <= self.level), None)
        if failed:
            raise ValueError(f"level {self.level} was not reached: {failed.name!r} of level {failed.level} failed")
        return self


class LeakAttempt(Value):
    """An attempt to reach the outside from within the recovery network, which had to be blocked. `control`: whether the
    same attempt succeeded from the recovery host itself. One that fails there, too, says nothing of the bubble."""

    name: str
    address: str
    port: Annotated[int, Field(ge=0, le=65535)] | None
    blocked: bool
    control: bool | None = None
    detail: str = ""


class Isolation(Value):
    """`disabled`: what was switched off in the restored service so that it cannot act on the outside."""

    attempts: tuple[LeakAttempt, ...] = ()
    disabled: tuple[str, ...] = ()


class Cleanup(Value):
    """What was removed after the drill, and what was found to be left."""

    removed: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    clean: bool

    @model_validator(mode="after")
    def _clean_leaves_nothing(self) -> Self:
        if self.clean and self.leftovers:
            raise ValueError(f"not clean: left over are {', '.join(self.leftovers)}")
        return self


class Finding(Value):
    """Something to put right, and by when."""

    what: str
    due: date


class Evidence(Value):
    """One drill of one component of one agency. `previous` is the digest of the orchestrator's evidence before it,
    `stopped` why somebody ended it before everything was measured."""

    version: Literal[1, 2] = 1
    """Since 2 there is `promised`, beside `stopped`, `witnesses`, `control`, `received` and how far clocks were set."""
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
            raise ValueError(f"what a pass has to rest on is a part of version 2, and this is version {self.version}")
        return self

    @property
    def never_recovered(self) -> bool:
        """Whether nobody could work again after the disaster: within the time somebody waited, or because a phase
        before users failed. Not where the measurement itself is in doubt."""
        if self.rto.seconds is not None or self.verdict is Verdict.INCONCLUSIVE:
            return False
        return self.rto.censored_limit_seconds is not None or any(self._failed(name) for name in UNTIL_USERS)

    @property
    def all_lost(self) -> bool:
        """Whether not one of the records came back, or nothing at all did that could have been looked at."""
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
        """JSON-compatible form: what is sealed, stored and handed over."""
        return self.model_dump(mode="json")
