"""Driving: carrying any run from step to step, and stopping or resuming it.

The step table is the checkpoint. A step's outcome, its consequences and its events are committed together, so a run
that is driven again after a crash continues exactly from what was finished.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import Happening, RunMoved, StepFinished, StepPostponed, StepStarted, WorkOrdered
from orchestrator.domain.ordering.agency import StoredPlan
from orchestrator.domain.ordering.plan import CHANGES, Purpose
from orchestrator.domain.runs.run import (
    EVENT_OF,
    OPEN_RUN,
    RUN_LIFE,
    STEP_LIFE,
    Run,
    RunEvent,
    RunState,
    StepEvent,
    StepOutcome,
    StepRecord,
    StepState,
    conclusion,
    obstacle,
    ready,
    tried_again,
)
from orchestrator.domain.runs.run_options import USUAL, RunOptions
from orchestrator.domain.runs.work_order import WorkOrder
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.outside import Clock
from orchestrator.ports.runs import Interrupted, NextSteps, StartedStep, Work
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import find_run
from orchestrator.usecases.runs.admitting import next_steps


class Consequences(ABC):
    """What the steps of a run mean for its subject. Called inside the transaction that records the step; further events
    are added to `happenings`. Whoever inherits from this and defines no more than `begin_step` has steps that are their
    own record."""

    def refuse_resuming(self, run: Run) -> None:
        """Raise if a run of this kind cannot be resumed."""

    @abstractmethod
    def begin_step(self, tx: Transaction, run: Run, step: StepRecord, happenings: list[Happening]) -> Work:
        """The step starts now. Returns its work."""

    def end_step(self, tx: Transaction, run: Run, step: StepRecord, happenings: list[Happening]) -> None:
        """The step has ended and is not tried again."""

    def end_run(self, tx: Transaction, run: Run, happenings: list[Happening]) -> None:
        """The run has ended."""


@dataclass(frozen=True)
class Driving:
    source: CatalogSource
    store: Store
    clock: Clock
    consequences: Mapping[Purpose, Consequences]

    # Stopping and resuming

    def cancel(self, run_id: int) -> Run:
        """Request that a run stops. A run without a worker is cancelled at once; a running step is stopped by its
        worker."""
        with self.store.begin() as tx:
            run = find_run(tx, run_id)
            if not RUN_LIFE.allows(run.state, RunEvent.CANCEL):
                raise OrchestratorError(Kind.CONFLICT, f"run {run_id} is already {run.state.value}")
            run = run.model_copy(update={"cancel_requested": True})
            tx.runs.put(run)
            if run.state not in (RunState.QUEUED, RunState.WAITING):
                return run
            return self._end(tx, run, RunEvent.CANCEL, "cancelled on request")

    def resume(self, run_id: int) -> Run:
        """Queue a failed or cancelled run again; finished steps stay finished."""
        with self.store.begin() as tx:
            run = find_run(tx, run_id)
            self.consequences[run.purpose].refuse_resuming(run)
            state = RUN_LIFE.after(run.state, RunEvent.RESUME)
            newest = tx.runs.newest(agency=run.agency, purposes=CHANGES, limit=1)
            if newer := [one.id for one in newest if one.id > run.id]:
                raise OrchestratorError(
                    Kind.CONFLICT,
                    f"run {run_id} is not the agency's latest: run {newer[0]} has changed it since",
                    hint="plan again",
                )
            for step in tx.runs.steps(run_id):
                if STEP_LIFE.allows(step.state, StepEvent.RETRY):
                    again = {"state": StepState.PENDING, "tries": 0, "not_before": None, "error": None}
                    tx.runs.put_step(run_id, step.model_copy(update=again))
            reopened = {"state": state, "attempt": run.attempt + 1, "cancel_requested": False, "worker": None}
            run = run.model_copy(update={**reopened, "finished_at": None, "error": None})
            tx.runs.put(run)
            tx.events.add([_moved(run)], agency=run.agency, at=self.clock.now(), run=run.id)
            return run

    # Driving a run: called by the engine

    def begin(self, run_id: int, attempt: int, *, worker: str | None = None) -> bool:
        """Record that the run is being worked on, for the first time or again after its worker died.

        False if there is nothing left to drive: this attempt has ended, but its worker died before the queue knew.
        """
        with self.store.begin() as tx:
            run = find_run(tx, run_id)
            if run.attempt != attempt or not RUN_LIFE.allows(run.state, RunEvent.START):
                return False
            if run.state is RunState.RUNNING:
                tx.runs.put(run.model_copy(update={"worker": worker}))
                return True
            now = self.clock.now()
            run = run.model_copy(
                update={
                    "state": RUN_LIFE.after(run.state, RunEvent.START),
                    "started_at": run.started_at or now,
                    "worker": worker,
                }
            )
            tx.runs.put(run)
            tx.events.add([_moved(run)], agency=run.agency, at=now, run=run_id)
            return True

    def next_steps(self, run_id: int) -> NextSteps:
        """What may start now or later; nothing if the run is finished, has failed, or is being cancelled."""
        with self.store.read() as tx:
            exclusive = self.source.catalog().exclusive
            return next_steps(tx, find_run(tx, run_id), exclusive=exclusive, now=self.clock.now())

    def cancel_requested(self, run_id: int) -> bool:
        with self.store.read() as tx:
            return find_run(tx, run_id).cancel_requested

    def start(self, run_id: int, step_id: str, *, worker: str) -> StartedStep | None:
        """Record that a step is being worked on, and return its work. None if it has to wait after all. A worker that
        was declared dead may start nothing."""
        with self.store.begin() as tx:
            run, now = find_run(tx, run_id), self.clock.now()
            if run.state is not RunState.RUNNING or not tx.workers.beat(worker):
                raise Interrupted  # the worker slept: the run is over, or another worker may be in this step
            found = tx.runs.step(run_id, step_id)
            exclusive = self.source.catalog().exclusive
            if obstacle(found, tx.runs.changing_elsewhere(run), exclusive=exclusive, now=now):
                return None
            step = found.model_copy(
                update={
                    "state": STEP_LIFE.after(found.state, StepEvent.START),
                    "attempt": found.attempt + 1,
                    "tries": found.tries + 1,
                    "not_before": None,
                    "started_at": now,
                    "finished_at": None,
                }
            )
            tx.runs.put_step(run_id, step)
            happenings: list[Happening] = [StepStarted(attempt=step.attempt, worker=worker)]
            work = self.consequences[run.purpose].begin_step(tx, run, step, happenings)
            tx.events.add(happenings, agency=run.agency, at=now, run=run_id, step=step_id)
            return StartedStep(run=run, step=step, work=work)

    def note(self, started: StartedStep, happenings: Sequence[Happening]) -> None:
        """Record events of a running step."""
        run, step = started.run, started.step
        with self.store.begin() as tx:
            tx.events.add(happenings, agency=run.agency, at=self.clock.now(), run=run.id, step=step.id)

    def finish(self, started: StartedStep, outcome: StepOutcome) -> None:
        """Record how the attempt ended, and its consequences."""
        run, step = started.run, started.step
        with self.store.begin() as tx:
            recorded = tx.runs.step(run.id, step.id)
            if recorded.attempt != step.attempt or recorded.state is not StepState.RUNNING:
                raise Interrupted  # started again by another worker, or recorded already: this no longer counts
            now = self.clock.now()
            done = step.model_copy(
                update={
                    "state": STEP_LIFE.after(step.state, EVENT_OF[outcome.state]),
                    "finished_at": now,
                    "counts": outcome.counts,
                    "error": outcome.error,
                    "result": outcome.result,
                }
            )
            if outcome.order:
                tx.runs.put_step(run.id, done.model_copy(update={"finished_at": None}))
                tx.work_orders.put(outcome.order)
                tx.events.add([_ordered(outcome.order)], agency=run.agency, at=now, run=run.id, step=step.id)
                return
            happenings = [_finished(done)]
            again = tried_again(done, self.source.catalog().components[step.component].retry(step.verb), now=now)
            tx.runs.put_step(run.id, again or done)
            if again and again.not_before:
                happenings.append(StepPostponed(until=again.not_before, tries=again.tries))
            else:
                self.consequences[run.purpose].end_step(tx, run, done, happenings)
            tx.events.add(happenings, agency=run.agency, at=now, run=run.id, step=step.id)

    def settle(self, run_id: int, step_id: str, outcome: StepOutcome) -> None:
        """Record how a step ended that waited for people, unless it waits no longer."""
        with self.store.begin() as tx:
            run, step, now = find_run(tx, run_id), tx.runs.step(run_id, step_id), self.clock.now()
            if step.state is not StepState.WAITING:
                return
            state = STEP_LIFE.after(step.state, EVENT_OF[outcome.state])
            done = step.model_copy(update={"state": state, "finished_at": now, "error": outcome.error})
            tx.runs.put_step(run_id, done)
            tx.work_orders.remove(run_id, step_id)
            happenings = [_finished(done)]
            self.consequences[run.purpose].end_step(tx, run, done, happenings)
            tx.events.add(happenings, agency=run.agency, at=now, run=run_id, step=step_id)

    def go_on(self, run_id: int) -> bool:
        """Queue a run that waited for people, if a worker has something to do in it again. Returns whether it is
        queued. Raises CONFLICT while another run of the agency is open."""
        with self.store.begin() as tx:
            run = find_run(tx, run_id)
            event, _ = conclusion(steps := tx.runs.steps(run_id))
            if run.state is not RunState.WAITING or (event is RunEvent.WAIT and not ready(steps)):
                return False
            self._go_on(tx, run)
            return True

    def conclude(self, run_id: int, attempt: int) -> Run:
        """Close a run in which nothing more can start, unless it has ended or been resumed meanwhile. If people work on
        it, it waits for them."""
        with self.store.begin() as tx:
            run = find_run(tx, run_id)
            if _is_over(run, attempt):
                return run
            self._stop_steps(tx, run_id, StepEvent.CANCEL, "stopped when its worker died, and not to be started again")
            steps, stopping = tx.runs.steps(run_id), run.cancel_requested
            event, reason = conclusion(steps, stopping=stopping)
            if ready(steps, stopping=stopping):  # people have finished while the worker was about to leave
                return self._go_on(tx, self._wait(tx, run))
            return self._wait(tx, run) if event is RunEvent.WAIT else self._end(tx, run, event, reason)

    def give_up(self, run_id: int, attempt: int, reason: str) -> Run:
        """Close a run that could not be driven because of a bug of our own."""
        with self.store.begin() as tx:
            run = find_run(tx, run_id)
            if _is_over(run, attempt):
                return run
            self._stop_steps(tx, run_id, StepEvent.BREAK, reason)
            return self._end(tx, run, RunEvent.FAIL, reason)

    # Inside

    def _stop_steps(self, tx: Transaction, run_id: int, event: StepEvent, reason: str) -> None:
        """Leave no step running in a run that ends, whatever happened to its worker."""
        for step in tx.runs.steps(run_id):
            if step.state is StepState.RUNNING:
                ended = {"state": STEP_LIFE.after(step.state, event), "finished_at": self.clock.now(), "error": reason}
                tx.runs.put_step(run_id, step.model_copy(update=ended))

    def _wait(self, tx: Transaction, run: Run) -> Run:
        return self._put(tx, run, RunEvent.WAIT, {"worker": None})

    def _go_on(self, tx: Transaction, run: Run) -> Run:
        return self._put(tx, run, RunEvent.GO_ON, {"attempt": run.attempt + 1})

    def _put(self, tx: Transaction, run: Run, event: RunEvent, changes: Mapping[str, Any]) -> Run:
        """Move an open run to another state in which it is not over."""
        moved = run.model_copy(update={"state": RUN_LIFE.after(run.state, event), **changes})
        tx.runs.put(moved)
        tx.events.add([_moved(moved)], agency=run.agency, at=self.clock.now(), run=run.id)
        return moved

    def _withdraw_work(self, tx: Transaction, run: Run) -> None:
        """A run that ends waits for nobody. The desk is told afterwards."""
        for order in tx.work_orders.of(run.id):
            step, ended = tx.runs.step(run.id, order.step), {"finished_at": self.clock.now(), "error": "its run ended"}
            cancelled = STEP_LIFE.after(step.state, StepEvent.CANCEL)
            tx.runs.put_step(run.id, step.model_copy(update={"state": cancelled, **ended}))
            tx.work_orders.put(order.model_copy(update={"withdrawn": True}))

    def _end(self, tx: Transaction, run: Run, event: RunEvent, reason: str | None) -> Run:
        now = self.clock.now()
        state = RUN_LIFE.after(run.state, event)
        ended = run.model_copy(update={"state": state, "finished_at": now, "error": reason})
        tx.runs.put(ended)
        self._withdraw_work(tx, run)
        happenings: list[Happening] = [_moved(ended)]
        self.consequences[run.purpose].end_run(tx, ended, happenings)
        tx.events.add(happenings, agency=run.agency, at=now, run=run.id)
        return ended


def _is_over(run: Run, attempt: int) -> bool:
    """Whether an attempt no longer counts: the run has ended or has been resumed since."""
    return run.state not in OPEN_RUN or run.attempt != attempt


def queue_run(tx: Transaction, plan: StoredPlan, options: RunOptions = USUAL, *, at: datetime) -> Run:
    """Open the run of a plan, and record the event."""
    run = tx.runs.open(plan, options, at=at)
    tx.events.add([_moved(run)], agency=run.agency, at=at, run=run.id)
    return run


def _finished(step: StepRecord) -> Happening:
    return StepFinished(state=step.state, attempt=step.attempt, counts=step.counts, error=step.error)


def _ordered(order: WorkOrder) -> Happening:
    return WorkOrdered(ticket=order.ticket, address=order.address, due_at=order.due_at)


def _moved(run: Run) -> RunMoved:
    """The event of a run that entered its state."""
    return RunMoved(state=run.state, attempt=run.attempt, reason=run.error)
