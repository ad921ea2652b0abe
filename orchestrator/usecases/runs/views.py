"""Runs as people and scripts are shown them."""

from collections.abc import Mapping, Set
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import Field

from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.recovery.failover import Moved
from orchestrator.domain.runs.run import OPEN_RUN, Run, RunState, StepRecord, StepState
from orchestrator.domain.runs.run_options import OnFailure, Priority
from orchestrator.domain.runs.waits import ForPeople, ForPlace, ForRetry, ForRun, ForWorker, Wait
from orchestrator.domain.runs.work_order import Jeopardy
from orchestrator.domain.selling.catalog import Verb
from orchestrator.domain.value import Value

NOTHING: Mapping[str, Any] = MappingProxyType({})


HURRY = {Jeopardy.ON_TIME: "", Jeopardy.AT_RISK: ", at risk", Jeopardy.OVERDUE: ", overdue"}


class StepView(Value):
    id: str
    component: str
    verb: Verb
    hosts: tuple[str, ...]
    needs: tuple[str, ...]
    state: StepState
    attempt: int
    started_at: datetime | None
    finished_at: datetime | None
    changed: int
    ok: int
    failed: int
    unreachable: int
    error: str | None
    waits_for: str | None
    task: str | None = None
    """The task that a running step has reached."""


class RunView(Value):
    """`worker_gone` says that the worker of an open run has died, `next` what happens to the run if that is not
    obvious, and `only_a_worker` that it waits for nothing but a worker. `waits_for` is what a run without a worker
    waits for."""

    run: int
    agency: str
    kind: Purpose
    state: RunState
    priority: Priority
    on_failure: OnFailure
    cause: int | None
    waits_for: str | None
    only_a_worker: bool = Field(default=False, exclude=True)
    attempt: int
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    worker: str | None = None
    worker_gone: bool = False
    next: str | None = None
    recovery: Moved | None = None
    """What a failover, or the return from one, has taken and lost so far."""
    steps: tuple[StepView, ...] = ()


class Crew(NamedTuple):
    """Live workers, and those of them that take any run."""

    alive: Set[str] = frozenset()
    serving: Set[str] = frozenset()


def run_view(
    run: Run,
    steps: list[StepRecord],
    *,
    waits_for: Wait | None = None,
    steps_wait_for: Mapping[str, Wait] = NOTHING,
    tasks: Mapping[str, str] = NOTHING,
) -> RunView:
    same = run.model_dump(exclude={"id", "purpose", "plan", "site", "hosts"})
    views = tuple(_step_view(s, steps_wait_for.get(s.id), tasks.get(s.id)) for s in steps)
    return RunView(
        **same,
        run=run.id,
        kind=run.purpose,
        waits_for=_words(waits_for),
        only_a_worker=isinstance(waits_for, ForWorker),
        steps=views,
    )


def _step_view(step: StepRecord, waits_for: Wait | None, task: str | None) -> StepView:
    same = step.model_dump(exclude={"placement", "because", "counts", "tries", "not_before", "always", "result"})
    return StepView(**same, **step.counts.model_dump(), hosts=step.hosts, waits_for=_words(waits_for), task=task)


def _words(wait: Wait | None) -> str | None:
    """What is waited for, to follow the word "waits"."""
    match wait:
        case None:
            return None
        case ForWorker():
            return "for a worker"
        case ForPlace(places=places, site=site):
            return f"for one of {places} places for runs" + (f" at site {site}" if site else "")
        case ForRun(run=run, agency=agency, host=host):
            return f"for run {run} of {agency} on {host}"
        case ForRetry(until=until):
            return f"until {until:%H:%M:%S}Z, to be retried"
        case ForPeople(order=order, jeopardy=jeopardy):
            return f"for people: ticket {order.ticket}, due {order.due_at:%Y-%m-%d %H:%M}Z{HURRY[jeopardy]}"


def prospects(run: Run, crew: Crew) -> dict[str, Any]:
    """Whether an open run has lost its worker, and what happens to the run."""
    gone = run.state is RunState.RUNNING and run.worker is not None and run.worker not in crew.alive
    if gone and crew.serving:
        return {"worker_gone": True, "next": "another worker takes it over"}
    resume = f"orchestrator run resume {run.id}"
    if gone:
        return {
            "worker_gone": True,
            "next": f"no worker is running: {resume} continues it, orchestrator run cancel {run.id} ends it",
        }
    if run.state is not RunState.RUNNING and not crew.alive:
        return {"next": f"no worker is running: it starts with one (orchestrator worker), or with {resume}"}
    return {}


def is_open(view: RunView) -> bool:
    return view.state in OPEN_RUN
