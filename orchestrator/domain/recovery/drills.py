"""A drill: one rehearsal of an agency's recovery, from the request to the report.

Its states follow the steps of its run, to show its progress.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from orchestrator.domain.lifecycle import Lifecycle
from orchestrator.domain.recovery.evidence import Approval, Witness
from orchestrator.domain.recovery.verdict import Moment, Verdict
from orchestrator.domain.selling.catalog import Verb
from orchestrator.domain.value import Value


class DrillState(StrEnum):
    APPROVAL_PENDING = "approval_pending"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    """Its run is queued."""
    PRECHECK = "precheck"
    PINNED = "pinned"
    PREPARING = "preparing"
    RESTORING = "restoring"
    STARTING = "starting"
    PROBING = "probing"
    VERIFYING = "verifying"
    SEALED = "sealed"
    """All measurements are complete."""
    CLEANUP = "cleanup"
    REPORTED = "reported"
    REJECTED = "rejected"
    EXPIRED = "expired"
    """It was not approved in time, or not started in time after approval."""
    BLOCKED = "blocked"
    """The recovery host could not carry it."""
    SKIPPED_BLACKOUT = "skipped_blackout"
    MISFIRED = "misfired"
    """It was due, but nothing started it within its window."""
    FAILED = "failed"
    """It ended without a report."""
    ABORTED = "aborted"
    PREEMPTED = "preempted"
    """It gave way to a real incident."""
    CLEANUP_FAILED = "cleanup_failed"


class DrillEvent(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    EXPIRE = "expire"
    MISFIRE = "misfire"
    SCHEDULE = "schedule"
    EXAMINE = "examine"
    PIN = "pin"
    PREPARE = "prepare"
    RESTORE = "restore"
    START = "start"
    PROBE = "probe"
    VERIFY = "verify"
    SEAL = "seal"
    CLEAN = "clean"
    REPORT = "report"
    BLOCK = "block"
    FAIL = "fail"
    ABORT = "abort"
    PREEMPT = "preempt"
    LEAVE_DIRTY = "leave_dirty"


_S, _E = DrillState, DrillEvent

UNDER_WAY = (
    _S.SCHEDULED, _S.PRECHECK, _S.PINNED, _S.PREPARING, _S.RESTORING, _S.STARTING, _S.PROBING, _S.VERIFYING, _S.SEALED,
    _S.CLEANUP,
)  # fmt: skip
"""Its run is open."""

STOPPED = (_S.ABORTED, _S.PREEMPTED)
"""Somebody ended it. Its measurements say nothing about the duration or result of drills."""

_PHASES = (
    (_E.EXAMINE, _S.PRECHECK), (_E.PIN, _S.PINNED), (_E.PREPARE, _S.PREPARING), (_E.RESTORE, _S.RESTORING),
    (_E.START, _S.STARTING), (_E.PROBE, _S.PROBING), (_E.VERIFY, _S.VERIFYING), (_E.SEAL, _S.SEALED),
    (_E.CLEAN, _S.CLEANUP),
)  # fmt: skip


def _table() -> Mapping[tuple[DrillState, DrillEvent], DrillState]:
    table = {
        (_S.APPROVAL_PENDING, _E.APPROVE): _S.APPROVED,
        (_S.APPROVAL_PENDING, _E.REJECT): _S.REJECTED,
        (_S.APPROVAL_PENDING, _E.EXPIRE): _S.EXPIRED,
        (_S.APPROVED, _E.SCHEDULE): _S.SCHEDULED,
        (_S.APPROVED, _E.REJECT): _S.REJECTED,
        (_S.APPROVED, _E.EXPIRE): _S.EXPIRED,
        (_S.APPROVED, _E.MISFIRE): _S.MISFIRED,
    }
    before = _S.SCHEDULED
    for event, state in _PHASES:
        table[before, event] = state
        table[state, event] = state  # its worker died, and another continues
        before = state
    for state in UNDER_WAY:
        table[state, _E.CLEAN] = _S.CLEANUP
        table[state, _E.FAIL] = _S.FAILED
        table[state, _E.ABORT] = _S.ABORTED
        table[state, _E.PREEMPT] = _S.PREEMPTED
    table[_S.PRECHECK, _E.BLOCK] = _S.BLOCKED
    table[_S.CLEANUP, _E.BLOCK] = _S.BLOCKED
    table[_S.CLEANUP, _E.REPORT] = _S.REPORTED
    table[_S.CLEANUP, _E.LEAVE_DIRTY] = _S.CLEANUP_FAILED
    return table


DRILL_LIFE = Lifecycle("drill", _table())

ON_BEGIN: Mapping[Verb, DrillEvent] = {
    Verb.EXAMINE: _E.EXAMINE,
    Verb.PREPARE: _E.PREPARE,
    Verb.RESTORE: _E.RESTORE,
    Verb.START: _E.START,
    Verb.PROBE: _E.PROBE,
    Verb.CHECK: _E.VERIFY,
    Verb.CLEANUP: _E.CLEAN,
}
"""The drill event when a step starts."""

ON_SUCCESS: Mapping[Verb, DrillEvent] = {Verb.PIN: _E.PIN, Verb.CHECK: _E.SEAL}
"""The drill event when a step succeeds."""


class Drill(Value):
    """One drill as recorded. `key` is its identity, from policy and scheduled time: a second firing is the same
    drill."""

    id: int
    key: str
    agency: str
    component: str
    site: str
    moment: Moment
    meant: Moment | None = None
    """The moment that the calendar chose, if the drill could not be held at it."""
    disaster_at: datetime | None = None
    """When its disaster is planned; None means at once."""
    state: DrillState
    scheduled_at: datetime
    window_end: datetime | None = None
    requested_by: str
    plan: int | None = None
    plan_digest: str | None = None
    approval: Approval | None = None
    witnesses: tuple[Witness, ...] = ()
    run: int | None = None
    created_at: datetime
    finished_at: datetime | None = None
    verdict: Verdict | None = None
    rto_seconds: float | None = None
    """The measured recovery time; None if there was no recovery."""
    rpo_seconds: float | None = None
    """The upper end of the measured recovery point."""
    reason: str | None = None
