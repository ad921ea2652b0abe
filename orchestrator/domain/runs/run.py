"""Runs and their steps: the progress of a plan's execution, and what may happen next."""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from orchestrator.domain.lifecycle import Lifecycle
from orchestrator.domain.ordering.plan import Purpose, Step
from orchestrator.domain.runs.run_options import PATIENCE, OnFailure, Priority
from orchestrator.domain.runs.waits import ForRetry, ForRun, Wait
from orchestrator.domain.runs.work_order import WorkOrder
from orchestrator.domain.selling.catalog import Retry, Verb
from orchestrator.domain.value import Value


class RunState(StrEnum):
    QUEUED = "queued"
    ADMITTED = "admitted"
    """Handed to the engine; a worker may take it."""
    RUNNING = "running"
    WAITING = "waiting"
    """People work on it, and no worker does."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_RUN = (RunState.QUEUED, RunState.ADMITTED, RunState.RUNNING)
"""An agency has at most one run in these states. While a run waits for people, which may take weeks, the agency is
backed up, rehearsed and verified as ever."""

UNFINISHED_RUN = (*OPEN_RUN, RunState.WAITING)
"""States in which a run has not ended."""


class RunEvent(StrEnum):
    ADMIT = "admit"
    START = "start"
    WAIT = "wait"
    GO_ON = "go_on"
    SUCCEED = "succeed"
    FAIL = "fail"
    CANCEL = "cancel"
    RESUME = "resume"


_R, _E = RunState, RunEvent

RUN_LIFE = Lifecycle(
    "run",
    {
        (_R.QUEUED, _E.ADMIT): _R.ADMITTED,
        (_R.QUEUED, _E.CANCEL): _R.CANCELLED,
        (_R.ADMITTED, _E.START): _R.RUNNING,
        (_R.ADMITTED, _E.CANCEL): _R.CANCELLED,
        (_R.RUNNING, _E.START): _R.RUNNING,
        (_R.RUNNING, _E.WAIT): _R.WAITING,
        (_R.WAITING, _E.GO_ON): _R.QUEUED,
        (_R.WAITING, _E.CANCEL): _R.CANCELLED,
        (_R.RUNNING, _E.SUCCEED): _R.SUCCEEDED,
        (_R.RUNNING, _E.FAIL): _R.FAILED,
        (_R.RUNNING, _E.CANCEL): _R.CANCELLED,
        (_R.FAILED, _E.RESUME): _R.QUEUED,
        (_R.CANCELLED, _E.RESUME): _R.QUEUED,
    },
)


class StepState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    """People have been asked to do it."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """A task failed, or people rejected the work order."""
    UNREACHABLE = "unreachable"
    """A host did not answer."""
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    ERRORED = "errored"
    """Our own bug, or a tool that could not be started."""


class StepEvent(StrEnum):
    START = "start"
    HAND_OVER = "hand_over"
    SUCCEED = "succeed"
    FAIL = "fail"
    LOSE_HOST = "lose_host"
    TIME_OUT = "time_out"
    CANCEL = "cancel"
    BREAK = "break"
    RETRY = "retry"


_P, _V = StepState, StepEvent
_UNFINISHED = (_P.FAILED, _P.UNREACHABLE, _P.TIMED_OUT, _P.CANCELLED, _P.ERRORED)

STEP_LIFE = Lifecycle(
    "step",
    {
        (_P.PENDING, _V.START): _P.RUNNING,
        (_P.PENDING, _V.CANCEL): _P.CANCELLED,
        (_P.RUNNING, _V.START): _P.RUNNING,
        (_P.RUNNING, _V.SUCCEED): _P.SUCCEEDED,
        (_P.RUNNING, _V.FAIL): _P.FAILED,
        (_P.RUNNING, _V.LOSE_HOST): _P.UNREACHABLE,
        (_P.RUNNING, _V.TIME_OUT): _P.TIMED_OUT,
        (_P.RUNNING, _V.CANCEL): _P.CANCELLED,
        (_P.RUNNING, _V.BREAK): _P.ERRORED,
        (_P.RUNNING, _V.HAND_OVER): _P.WAITING,
        (_P.WAITING, _V.SUCCEED): _P.SUCCEEDED,
        (_P.WAITING, _V.FAIL): _P.FAILED,
        (_P.WAITING, _V.CANCEL): _P.CANCELLED,
        **{(state, _V.RETRY): _P.PENDING for state in _UNFINISHED},
    },
)

EVENT_OF: Mapping[StepState, StepEvent] = {
    _P.WAITING: _V.HAND_OVER,
    _P.SUCCEEDED: _V.SUCCEED,
    _P.FAILED: _V.FAIL,
    _P.UNREACHABLE: _V.LOSE_HOST,
    _P.TIMED_OUT: _V.TIME_OUT,
    _P.CANCELLED: _V.CANCEL,
    _P.ERRORED: _V.BREAK,
}


class Counts(Value):
    """Ansible's recap, summed over the hosts of the step."""

    ok: int = 0
    changed: int = 0
    failed: int = 0
    unreachable: int = 0


class StepOutcome(Value):
    """How one attempt of a step ended. `error` is a readable explanation of one or more lines; `result` is the step's
    result, JSON-compatible; `order` is what people were asked to do, if the step now waits for them."""

    state: StepState
    counts: Counts = Counts()
    error: str | None = None
    result: Mapping[str, Any] | None = None
    order: WorkOrder | None = None


class StepRecord(Step):
    """A step as recorded. `attempt` counts every start, `tries` those since the run was opened or resumed; `not_before`
    is when a step to be retried may start."""

    state: StepState = StepState.PENDING
    attempt: int = 0
    tries: int = 0
    not_before: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    counts: Counts = Counts()
    error: str | None = None
    result: Mapping[str, Any] | None = None


class Run(Value):
    """One execution of a plan. `attempt` counts how often it was opened or resumed; `cause` is the failed run that it
    rolls back; `worker` is the last worker on it."""

    id: int
    agency: str
    site: str
    purpose: Purpose
    plan: int
    state: RunState
    priority: Priority = Priority.CHANGE
    on_failure: OnFailure = OnFailure.KEEP
    cause: int | None = None
    hosts: tuple[str, ...] = ()
    attempt: int = 1
    cancel_requested: bool = False
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    worker: str | None = None

    @property
    def due_at(self) -> datetime:
        """Its place in the queue."""
        return self.created_at + PATIENCE[self.priority]


def ready(steps: Sequence[StepRecord], *, stopping: bool = False) -> tuple[StepRecord, ...]:
    """Steps that may start now: their needs have succeeded, and the run has not failed and is not stopping.

    A step found running was interrupted when its worker died, and starts again. When no other step may start any more,
    `always` steps do, one after another.
    """
    waiting = [s for s in steps if s.state in (StepState.PENDING, StepState.RUNNING)]
    due: list[StepRecord] = []
    if not stopping and not any(s.state in _UNFINISHED for s in steps if not s.always):
        done = {s.id for s in steps if s.state is StepState.SUCCEEDED}
        due = [s for s in waiting if not s.always and set(s.needs) <= done]
    return tuple(due or [s for s in waiting if s.always][:1])


CHANGING = (Verb.PROVISION, Verb.RESTORE, Verb.RETIRE)
"""Verbs that change a host. Steps of an exclusive component with these verbs take turns on a host."""


class Busy(Value):
    """A step of another run that is changing hosts now."""

    run: int
    agency: str
    component: str
    hosts: tuple[str, ...]


def obstacle(step: StepRecord, elsewhere: Sequence[Busy], *, exclusive: Container[str], now: datetime) -> Wait | None:
    """What a step whose needs have succeeded waits for, or None if it may start. `exclusive` are the components that no
    two steps may change on the same host at the same time."""
    if step.not_before and step.not_before > now:
        return ForRetry(until=step.not_before)
    for other in elsewhere if step.verb in CHANGING and step.component in exclusive else ():
        shared = [host for host in step.hosts if host in other.hosts]
        if other.component == step.component and shared:
            return ForRun(run=other.run, agency=other.agency, host=shared[0])
    return None


def tried_again(step: StepRecord, retry: Retry, *, now: datetime) -> StepRecord | None:
    """The step waiting for a retry; None if it has used up its tries, or a retry would not help."""
    if step.state not in (StepState.UNREACHABLE, StepState.TIMED_OUT) or step.tries >= retry.attempts:
        return None
    pause = retry.pause * 2 ** (step.tries - 1)
    again = STEP_LIFE.after(step.state, StepEvent.RETRY)
    return step.model_copy(update={"state": again, "not_before": now + pause})


def conclusion(steps: Sequence[StepRecord], *, stopping: bool = False) -> tuple[RunEvent, str | None]:
    """What happens to a run in which no worker has anything left to do, and the reason in one line."""
    broken = [s for s in steps if s.state in _UNFINISHED and s.started_at]
    if failed := [s for s in broken if s.state is not StepState.CANCELLED]:
        return RunEvent.FAIL, f"{failed[0].id} {failed[0].state.value.replace('_', ' ')}"
    if not stopping and any(s.state is StepState.WAITING for s in steps):
        return RunEvent.WAIT, None
    if any(s.state is not StepState.SUCCEEDED for s in steps):
        return RunEvent.CANCEL, "cancelled on request"
    return RunEvent.SUCCEED, None
