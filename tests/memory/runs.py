"""Runs, what happened, and who is alive, in memory."""

import json
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import Event, Happening, StepPrinted
from orchestrator.domain.ordering.agency import StoredPlan
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.runs.admission import Place
from orchestrator.domain.runs.run import CHANGING, OPEN_RUN, Busy, Run, RunState, StepRecord, StepState
from orchestrator.domain.runs.run_options import USUAL, RunOptions
from orchestrator.domain.runs.work_order import WorkOrder
from orchestrator.domain.selling.catalog import Verb
from tests.memory.comparisons import standing_comparisons
from tests.memory.records import ConstraintError, Repository, Worker, forget, newest

TICKS_KEPT = timedelta(days=7)

HandOver = Callable[[int, int], None]
"""Gives an attempt of a run (run, attempt) to the workers."""


@dataclass(frozen=True)
class Queue:
    hand_over: HandOver

    def put(self, run: int, attempt: int) -> None:
        self.hand_over(run, attempt)


class Runs(Repository):
    def open(self, plan: StoredPlan, options: RunOptions = USUAL, *, at: datetime) -> Run:
        made = plan.plan
        if already := self.open_of(made.agency):
            raise _already_open(already)
        self.records.require_agency(made.agency)
        if plan.id not in self.records.plans:
            raise ConstraintError(f"there is no plan {plan.id}")
        run = Run(
            id=self.records.number("run"),
            agency=made.agency,
            site=made.site,
            purpose=made.purpose,
            plan=plan.id,
            state=RunState.QUEUED,
            priority=options.priority,
            on_failure=options.on_failure,
            cause=options.cause,
            hosts=tuple(sorted({host for step in made.steps for host in step.hosts})),
            created_at=at,
        )
        self.records.runs[run.id] = run
        self.records.steps[run.id] = tuple(StepRecord(**dict(step)) for step in made.steps)
        return run

    def get(self, run: int) -> Run | None:
        return self.records.runs.get(run)

    def put(self, run: Run) -> None:
        assert run.id in self.records.runs
        already = self.open_of(run.agency)
        if run.state in OPEN_RUN and already and already.id != run.id:
            raise OrchestratorError(Kind.CONFLICT, f"another run of {run.agency} is open")
        self.records.runs[run.id] = run

    def open_of(self, agency: str) -> Run | None:
        return next((run for run in self._in(*OPEN_RUN) if run.agency == agency), None)

    def waiting(self, agency: str | None = None) -> list[Run]:
        return [run for run in self._in(RunState.WAITING) if agency in (None, run.agency)]

    def newest(
        self, *, agency: str | None = None, purposes: Collection[Purpose] = tuple(Purpose), limit: int = 50
    ) -> list[Run]:
        return newest(self.records.runs, limit, lambda run: agency in (None, run.agency) and run.purpose in purposes)

    def queue(self) -> list[Place]:
        return self._places(RunState.QUEUED)

    def active(self) -> list[Place]:
        return self._places(RunState.ADMITTED, RunState.RUNNING)

    def caused_by(self, run: int) -> Run | None:
        return next(iter(newest(self.records.runs, 1, lambda one: one.cause == run)), None)

    def count(self, state: RunState) -> int:
        return len(self._in(state))

    def changing_elsewhere(self, run: Run) -> list[Busy]:
        return [
            Busy(run=other.id, agency=other.agency, component=step.component, hosts=step.hosts)
            for other in self._in(RunState.RUNNING)
            if other.site == run.site and other.id != run.id
            for step in self.steps(other.id)
            if step.state is StepState.RUNNING and step.verb in CHANGING
        ]

    def drifted(self, agency: str) -> dict[str, int]:
        found = standing_comparisons(self.records)
        return {one.component: one.run for one in found if one.agency == agency and one.changed}

    def steps(self, run: int) -> list[StepRecord]:
        return list(self.records.steps.get(run, ()))

    def step(self, run: int, step: str) -> StepRecord:
        return next(one for one in self.steps(run) if one.id == step)

    def put_step(self, run: int, step: StepRecord) -> None:
        assert self.step(run, step.id)
        told = step.result and json.loads(json.dumps(step.result))
        step = step.model_copy(update={"result": told})
        self.records.steps[run] = tuple(step if one.id == step.id else one for one in self.steps(run))
        if (step.verb, step.state) == (Verb.BACKUP, StepState.SUCCEEDED) and step.started_at:
            whose = self.records.runs[run].agency, step.component
            last = self.records.newest_backups.get(whose, step.started_at)
            self.records.newest_backups[whose] = max(last, step.started_at)

    def _in(self, *states: RunState) -> list[Run]:
        return [run for run in self.records.runs.values() if run.state in states]

    def _places(self, *states: RunState) -> list[Place]:
        runs = sorted(self._in(*states), key=lambda run: (run.due_at, run.id))
        return [Place(run.id, run.agency, run.site, run.hosts) for run in runs]


def _already_open(run: Run) -> OrchestratorError:
    return OrchestratorError(
        Kind.CONFLICT,
        f"run {run.id} of {run.agency} is {run.state.value}; an agency has one open run at a time",
        hint=f"follow it with: orchestrator run follow {run.id}, or stop it with: orchestrator run cancel {run.id}",
        ids={"run": str(run.id)},
    )


class WorkOrders(Repository):
    def put(self, order: WorkOrder) -> None:
        self.records.work_orders[order.run, order.step] = order

    def remove(self, run: int, step: str) -> None:
        self.records.work_orders.pop((run, step), None)

    def of(self, run: int) -> list[WorkOrder]:
        return [order for order in self.all() if order.run == run and not order.withdrawn]

    def all(self) -> list[WorkOrder]:
        return sorted(self.records.work_orders.values(), key=lambda one: (one.due_at, one.run, one.step))


class Events(Repository):
    def add(
        self,
        happenings: Iterable[Happening],
        *,
        agency: str,
        at: datetime,
        run: int | None = None,
        step: str | None = None,
    ) -> None:
        for what in happenings:
            event = Event(id=self.records.number("event"), at=at, agency=agency, run=run, step=step, what=what)
            self.records.events[event.id] = event

    def after(self, event: int, *, run: int | None = None, limit: int = 500) -> list[Event]:
        return [one for one in self.records.events.values() if one.id > event and run in (None, one.run)][:limit]

    def current_tasks(self, run: int, steps: Sequence[str]) -> dict[str, str]:
        mine = [one for one in self.records.events.values() if one.run == run]
        printed = [(one.step, one.what) for one in mine if isinstance(one.what, StepPrinted)]
        return {step: what.task for step, what in printed if step and step in steps and what.task is not None}

    def forget(self, *, before: datetime, apart_from: Sequence[str], limit: int) -> int:
        return forget(self.records.events, lambda _, one: one.at < before and one.agency not in apart_from, limit=limit)

    def forget_of(self, agency: str, *, before: datetime, limit: int) -> int:
        return forget(self.records.events, lambda _, one: one.at < before and one.agency == agency, limit=limit)


class Workers(Repository):
    def join(self, worker: str, *, host: str, runs: int) -> None:
        self.records.workers[worker] = Worker(time.time(), alive=True, runs=runs)

    def beat(self, worker: str) -> bool:
        if worker not in self.unburied():
            return False
        self.records.workers[worker] = self.records.workers[worker]._replace(beat=time.time())
        return True

    def leave(self, worker: str) -> None:
        if worker in self.records.workers:
            self.records.workers[worker] = self.records.workers[worker]._replace(alive=False)

    def bury(self, *, lease: timedelta) -> None:
        for worker in self.unburied() - self.alive(lease=lease):
            self.leave(worker)

    def alive(self, *, lease: timedelta) -> set[str]:
        since = time.time() - lease.total_seconds()
        return {name for name, row in self.records.workers.items() if row.alive and row.beat >= since}

    def serving(self, *, lease: timedelta) -> set[str]:
        return {name for name in self.alive(lease=lease) if self.records.workers[name].runs > 0}

    def capacity(self, *, lease: timedelta) -> int:
        return sum(self.records.workers[name].runs for name in self.alive(lease=lease))

    def unburied(self) -> set[str]:
        return {name for name, row in self.records.workers.items() if row.alive}


class Ticks(Repository):
    def take(self, schedule: str, due: datetime, *, at: datetime) -> bool:
        if (schedule, due) in self.records.ticks:
            return False
        self.records.ticks[schedule, due] = at
        forget(self.records.ticks, lambda key, _: key[0] == schedule and key[1] < due - TICKS_KEPT)
        return True

    def last(self, schedule: str) -> datetime | None:
        return max((due for name, due in self.records.ticks if name == schedule), default=None)
