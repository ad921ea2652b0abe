"""What can happen, past tense. Events are appended with the state change that caused them and never edited."""

from datetime import datetime
from typing import Any, Literal, cast

from pydantic import TypeAdapter

from orchestrator.domain.ordering.instance import InstanceState
from orchestrator.domain.recovery.drills import DrillState
from orchestrator.domain.runs.run import Counts, RunState, StepState
from orchestrator.domain.value import Value


class PlanMade(Value):
    kind: Literal["plan_made"] = "plan_made"
    plan: int
    digest: str


class RunMoved(Value):
    """A run entered a state."""

    kind: Literal["run_moved"] = "run_moved"
    state: RunState
    attempt: int
    reason: str | None = None


class StepStarted(Value):
    kind: Literal["step_started"] = "step_started"
    attempt: int
    worker: str


class StepFinished(Value):
    kind: Literal["step_finished"] = "step_finished"
    state: StepState
    attempt: int
    counts: Counts
    error: str | None = None


class StepTold(Value):
    """A step that goes on for long says how it is going."""

    kind: Literal["step_told"] = "step_told"
    text: str


class StepPostponed(Value):
    """A step whose host did not answer, or that took too long, is tried again from an instant on."""

    kind: Literal["step_postponed"] = "step_postponed"
    until: datetime
    tries: int


class InstanceMoved(Value):
    kind: Literal["instance_moved"] = "instance_moved"
    component: str
    state: InstanceState


class TaskFinished(Value):
    """One Ansible task on one host. `message` is there when it failed or has something to say, `difference` when it was
    only tried: lines that begin with - and +, what is and what would be."""

    kind: Literal["task_finished"] = "task_finished"
    host: str
    task: str
    outcome: Literal["ok", "changed", "skipped", "failed", "ignored", "unreachable"]
    seconds: float
    message: str | None = None
    difference: str | None = None


class StepPrinted(Value):
    """What Ansible printed, without colours and secrets. `task` is the name of the task that began with it."""

    kind: Literal["step_printed"] = "step_printed"
    text: str
    task: str | None = None


class DrillMoved(Value):
    """A drill entered a state."""

    kind: Literal["drill_moved"] = "drill_moved"
    drill: int
    component: str
    state: DrillState
    reason: str | None = None


Happening = (
    PlanMade
    | RunMoved
    | StepStarted
    | StepFinished
    | StepPostponed
    | StepTold
    | StepPrinted
    | InstanceMoved
    | TaskFinished
    | DrillMoved
)

HAPPENING: TypeAdapter[Any] = TypeAdapter(cast("Any", Happening))
"""Reads a stored happening back."""


class Event(Value):
    """A happening with its place: ids grow in the order events were committed."""

    id: int
    at: datetime
    agency: str
    run: int | None = None
    step: str | None = None
    what: Happening
