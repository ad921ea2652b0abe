"""What can happen, in the past tense. Events are stored with the state change that caused them, and never edited."""

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
    """A long step reported its progress."""

    kind: Literal["step_told"] = "step_told"
    text: str


class StepPostponed(Value):
    """A step whose host did not answer, or that timed out, will be retried at an instant."""

    kind: Literal["step_postponed"] = "step_postponed"
    until: datetime
    tries: int


class WorkOrdered(Value):
    """People were asked to carry out a step."""

    kind: Literal["work_ordered"] = "work_ordered"
    ticket: str
    address: str
    due_at: datetime


class InstanceMoved(Value):
    kind: Literal["instance_moved"] = "instance_moved"
    component: str
    state: InstanceState


class TaskFinished(Value):
    """One Ansible task on one host. `message` is set if it failed or reported something. `difference` is set in check
    mode: lines that begin with - and +, for what is and what would be."""

    kind: Literal["task_finished"] = "task_finished"
    host: str
    task: str
    outcome: Literal["ok", "changed", "skipped", "failed", "ignored", "unreachable"]
    seconds: float
    message: str | None = None
    difference: str | None = None


class StepPrinted(Value):
    """Ansible's output, without colours and secrets. `task` is the name of the task that began in it."""

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
    | WorkOrdered
    | InstanceMoved
    | TaskFinished
    | DrillMoved
)

HAPPENING: TypeAdapter[Any] = TypeAdapter(cast("Any", Happening))
"""Parses a stored happening."""


class Event(Value):
    """A happening and its id. Ids grow in commit order."""

    id: int
    at: datetime
    agency: str
    run: int | None = None
    step: str | None = None
    what: Happening
