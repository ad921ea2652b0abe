"""Provisioning: opening runs, carrying out their steps, and recording what came of them.

The step table is the checkpoint: a step's outcome, the instance it moved and the events that tell of it are committed
together, so a run that is driven again after a crash goes on from exactly what was finished.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.domain.agreement import CallOff
from orchestrator.domain.assignment import host_variables, secrets_variable
from orchestrator.domain.catalog import Component, Verb
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import Happening, InstanceMoved, RunMoved, StepFinished, StepPostponed, StepStarted
from orchestrator.domain.instance import INSTANCE_LIFE, InstanceEvent, InstanceState, ServiceInstance
from orchestrator.domain.plan import Effect, Purpose
from orchestrator.domain.run import (
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
    tried_again,
)
from orchestrator.domain.run_options import OnFailure, Priority
from orchestrator.usecases.admitting import next_steps
from orchestrator.usecases.finding import find_agency, find_plan, find_run
from orchestrator.usecases.ordering import Ordering, check_ceiling
from orchestrator.usecases.ports import (
    AgencyRecord,
    Assignment,
    CatalogSource,
    Clock,
    Interrupted,
    NextSteps,
    Secrets,
    StartedStep,
    Store,
    StoredPlan,
    Transaction,
)


@dataclass(frozen=True)
class Provisioning:
    source: CatalogSource
    store: Store
    clock: Clock
    secrets: Secrets
    ordering: Ordering

    # Opening, stopping and resuming runs

    def open_run(
        self, plan: int, *, priority: Priority = Priority.CHANGE, on_failure: OnFailure = OnFailure.KEEP
    ) -> Run:
        """A queued run of a stored plan. Refuses a plan that no longer describes the difference."""
        with self.store.begin() as tx:
            stored = find_plan(tx, plan)
            if stored.plan.empty:
                raise OrchestratorError(Kind.CONFLICT, f"plan {plan} has nothing to do")
            if tx.runs.open_of(stored.plan.agency) is None:  # else opening says which run is in the way
                self._refuse_stale(tx, stored)
            self._record_order(tx, stored)
            run = tx.runs.open(stored, at=self.clock.now(), priority=priority, on_failure=on_failure)
            tx.events.add([_moved(run)], agency=run.agency, at=run.created_at, run=run.id)
            return run

    def cancel(self, run_id: int) -> Run:
        """Ask for a run to stop. What nobody works on is cancelled at once; a running step is stopped by its worker."""
        with self.store.begin() as tx:
            run = find_run(tx, run_id)
            if not RUN_LIFE.allows(run.state, RunEvent.CANCEL):
                raise OrchestratorError(Kind.CONFLICT, f"run {run_id} is already {run.state.value}")
            run = run.model_copy(update={"cancel_requested": True})
            tx.runs.put(run)
            if run.state is not RunState.QUEUED:
                return run
            return self._end(tx, run, RunEvent.CANCEL, "cancelled on request")

    def resume(self, run_id: int) -> Run:
        """Queue a failed or cancelled run again; finished steps stay finished."""
        with self.store.begin() as tx:
            run = find_run(tx, run_id)
            state = RUN_LIFE.after(run.state, RunEvent.RESUME)
            if newer := [r.id for r in tx.runs.newest(agency=run.agency, limit=1) if r.id != run.id]:
                raise OrchestratorError(
                    Kind.CONFLICT,
                    f"run {run_id} is not the agency's last: run {newer[0]} came after it",
                    hint="plan again",
                )
            for step in tx.runs.steps(run_id):
                if STEP_LIFE.allows(step.state, StepEvent.RETRY):
                    again = {"state": StepState.PENDING, "tries": 0, "not_before": None, "error": None}
                    tx.runs.put_step(run_id, step.model_copy(update=again))
            reopened = {"state": state, "attempt": run.attempt + 1, "cancel_requested": False}
            run = run.model_copy(update={**reopened, "finished_at": None, "error": None})
            tx.runs.put(run)
            tx.events.add([_moved(run)], agency=run.agency, at=self.clock.now(), run=run.id)
            return run

    # Driving a run: called by the engine

    def begin(self, run_id: int, attempt: int) -> bool:
        """The run is being worked on, for the first time or again after its worker died.

        False when there is nothing left to drive: this attempt has ended, though its worker died before the queue knew.
        """
        with self.store.begin() as tx:
            run = find_run(tx, run_id)
            if run.attempt != attempt or not RUN_LIFE.allows(run.state, RunEvent.START):
                return False
            if run.state is RunState.RUNNING:
                return True
            now = self.clock.now()
            run = run.model_copy(
                update={"state": RUN_LIFE.after(run.state, RunEvent.START), "started_at": run.started_at or now}
            )
            tx.runs.put(run)
            tx.events.add([_moved(run)], agency=run.agency, at=now, run=run_id)
            return True

    def next_steps(self, run_id: int) -> NextSteps:
        """What may start now or later; nothing when the run is finished, has failed, or is to be cancelled."""
        with self.store.read() as tx:
            return next_steps(tx, find_run(tx, run_id), now=self.clock.now())

    def cancel_requested(self, run_id: int) -> bool:
        with self.store.read() as tx:
            return find_run(tx, run_id).cancel_requested

    def start(self, run_id: int, step_id: str, *, worker: str) -> StartedStep | None:
        """Record that a step is being worked on, and say what it is to do. None when it has to wait after all. Nothing
        a worker declared dead may start."""
        with self.store.begin() as tx:
            run, now = find_run(tx, run_id), self.clock.now()
            if run.state is not RunState.RUNNING or not tx.workers.beat(worker):
                raise Interrupted  # the worker slept: the run is over, or another may be in this very step
            found = tx.runs.step(run_id, step_id)
            if obstacle(found, tx.runs.changing_elsewhere(run), now=now):
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
            instance, leaving = self._intended(tx, run, step)
            if step.verb is Verb.PROVISION or (step.verb is Verb.RETIRE and leaving):
                event = InstanceEvent.RETIRE if leaving else InstanceEvent.PROVISION
                instance = self._move(tx, instance, event, happenings)
            tx.events.add(happenings, agency=run.agency, at=now, run=run_id, step=step_id)
            return StartedStep(run=run, step=step, assignment=self._assignment(tx, run, step, instance))

    def note(self, started: StartedStep, happenings: Sequence[Happening]) -> None:
        """Keep what a running step tells."""
        run, step = started.run, started.step
        with self.store.begin() as tx:
            tx.events.add(happenings, agency=run.agency, at=self.clock.now(), run=run.id, step=step.id)

    def finish(self, started: StartedStep, outcome: StepOutcome) -> None:
        """Record how the attempt ended, and what that means for the instance."""
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
                }
            )
            happenings: list[Happening] = [
                StepFinished(state=done.state, attempt=done.attempt, counts=done.counts, error=done.error)
            ]
            again = tried_again(done, self.source.catalog().components[step.component].retry(step.verb), now=now)
            tx.runs.put_step(run.id, again or done)
            if again and again.not_before:
                happenings.append(StepPostponed(until=again.not_before, tries=again.tries))
            else:
                instance, leaving = self._intended(tx, run, done)
                if event := _on_finish(done, leaving=leaving):
                    self._move(tx, instance, event, happenings, error=done.error)
            tx.events.add(happenings, agency=run.agency, at=now, run=run.id, step=step.id)

    def conclude(self, run_id: int, attempt: int) -> Run:
        """Close a run in which nothing more may start, unless it has ended or been resumed meanwhile."""
        with self.store.begin() as tx:
            run = find_run(tx, run_id)
            if _is_over(run, attempt):
                return run
            self._stop_steps(tx, run_id, StepEvent.CANCEL, "stopped when its worker died, and not to be started again")
            event, reason = conclusion(tx.runs.steps(run_id))
            return self._end(tx, run, event, reason)

    def give_up(self, run_id: int, attempt: int, reason: str) -> Run:
        """Close a run that could not be driven: our own bug, said plainly."""
        with self.store.begin() as tx:
            run = find_run(tx, run_id)
            if _is_over(run, attempt):
                return run
            self._stop_steps(tx, run_id, StepEvent.BREAK, reason)
            return self._end(tx, run, RunEvent.FAIL, reason)

    # Inside

    def _stop_steps(self, tx: Transaction, run_id: int, event: StepEvent, reason: str) -> None:
        """No step is left running in a run that ends, whatever became of the worker it ran on."""
        for step in tx.runs.steps(run_id):
            if step.state is StepState.RUNNING:
                ended = {"state": STEP_LIFE.after(step.state, event), "finished_at": self.clock.now(), "error": reason}
                tx.runs.put_step(run_id, step.model_copy(update=ended))

    def _refuse_stale(self, tx: Transaction, stored: StoredPlan) -> None:
        if not self.ordering.still_true(tx, stored):
            raise OrchestratorError(
                Kind.CONFLICT,
                f"plan {stored.id} is stale: what it was computed from has changed since",
                hint="plan again and apply the new plan",
            )
        if stored.order:
            check_ceiling(tx, stored.plan, self.ordering.agreement(stored.order.framework))

    def _record_order(self, tx: Transaction, stored: StoredPlan) -> None:
        """The agency, its wanted instances, and its holdings, as the run will find them."""
        now, plan = self.clock.now(), stored.plan
        if stored.order:
            tx.agencies.put(_agency_record(stored.order, tx.agencies.get(plan.agency), stored, at=now))
            tx.allocations.hold(plan.agency)
        created = (plan.desired.get(c.component) for c in plan.changes if c.effect is Effect.CREATE)
        pending = {"state": InstanceState.PENDING, "changed_at": now}
        tx.instances.put_all([wish.model_copy(update=pending) for wish in created if wish])

    def _intended(self, tx: Transaction, run: Run, step: StepRecord) -> tuple[ServiceInstance, bool]:
        """The instance as the plan wants it, and whether it is to leave altogether."""
        recorded = tx.instances.of(run.agency)[step.component]
        wish = tx.plans.desired(run.plan, step.component)
        if wish is None:
            return recorded, True
        return wish.model_copy(update={"state": recorded.state, "changed_at": recorded.changed_at}), False

    def _assignment(self, tx: Transaction, run: Run, step: StepRecord, instance: ServiceInstance) -> Assignment:
        record = find_agency(tx, run.agency)
        component, site = self.source.catalog().components[step.component], self.source.site(run.site)
        needed = {n: i.hosts for n, i in tx.instances.of(run.agency).items() if n in component.needs}
        return Assignment(
            run=run.id,
            step=step.id,
            role=component.role,
            verb=step.verb,
            site=site,
            variables=host_variables(
                component,
                instance,
                placement=step.placement,
                agency=record.call_off.agency,
                allocations=tx.allocations.of(run.agency, site=run.site),
                needed=needed,
                site=site,
            ),
            secrets=self._secrets(tx, run.agency, component),
            secrets_variable=secrets_variable(component),
            timeout=component.timeout(step.verb),
        )

    def _secrets(self, tx: Transaction, agency: str, component: Component) -> dict[str, str]:
        """The component's secrets for the agency, in the clear; those that do not exist yet are made."""
        sealed = tx.secrets.of(agency, component.component)
        clear = {name: self.secrets.open(token) for name, token in sealed.items() if name in component.secrets}
        for name, kind in component.secrets.items():
            if name not in clear:
                clear[name] = self.secrets.generate(kind)
                token = self.secrets.seal(clear[name])
                tx.secrets.add(agency, component.component, name, token, at=self.clock.now())
        return clear

    def _move(
        self,
        tx: Transaction,
        instance: ServiceInstance,
        event: InstanceEvent,
        happenings: list[Happening],
        *,
        error: str | None = None,
    ) -> ServiceInstance:
        """Move an instance along its life, when the event means anything from where it is."""
        if not INSTANCE_LIFE.allows(instance.state, event):
            return instance
        state = INSTANCE_LIFE.after(instance.state, event)
        moved = instance.model_copy(update={"state": state, "changed_at": self.clock.now(), "error": error})
        tx.instances.put(moved)
        if state is InstanceState.RETIRED:
            tx.secrets.forget(moved.agency, moved.component)
        happenings.append(InstanceMoved(component=moved.component, state=state))
        return moved

    def _end(self, tx: Transaction, run: Run, event: RunEvent, reason: str | None) -> Run:
        now = self.clock.now()
        state = RUN_LIFE.after(run.state, event)
        ended = run.model_copy(update={"state": state, "finished_at": now, "error": reason})
        tx.runs.put(ended)
        happenings: list[Happening] = [_moved(ended)]
        if state is RunState.SUCCEEDED:
            self._settle(tx, ended)
        else:
            for instance in tx.instances.of(run.agency).values():
                self._move(tx, instance, InstanceEvent.FAIL, happenings, error=instance.error or reason)
        tx.events.add(happenings, agency=run.agency, at=now, run=run.id)
        if state is RunState.FAILED and run.purpose is Purpose.ONBOARD and run.on_failure is OnFailure.ROLL_BACK:
            self._roll_back(tx, ended)
        return ended

    def _roll_back(self, tx: Transaction, failed: Run) -> None:
        """Open the run that removes what a failed onboarding has built."""
        now = self.clock.now()
        plan = self.ordering.keep_offboarding(tx, failed.agency)
        run = tx.runs.open(plan, at=now, priority=failed.priority, cause=failed.id)
        tx.events.add([_moved(run)], agency=run.agency, at=now, run=run.id)

    def _settle(self, tx: Transaction, run: Run) -> None:
        """Give back to the pools what the agency no longer has."""
        stored = find_plan(tx, run.plan)
        held = tx.allocations.of(run.agency, site=run.site)
        kept = stored.plan.allocations if stored.order else {}
        tx.allocations.release(run.agency, [name for name in held if name not in kept])
        if run.purpose is Purpose.OFFBOARD and (record := tx.agencies.get(run.agency)):
            tx.agencies.put(record.model_copy(update={"offboarded_at": self.clock.now()}))


def _is_over(run: Run, attempt: int) -> bool:
    """Whether an attempt no longer counts: the run has ended, or has been resumed since."""
    return run.state not in OPEN_RUN or run.attempt != attempt


def _on_finish(step: StepRecord, *, leaving: bool) -> InstanceEvent | None:
    """What the end of a step means for its instance."""
    if step.state is not StepState.SUCCEEDED:
        return InstanceEvent.FAIL
    if step.verb is Verb.VERIFY:
        return InstanceEvent.ACCEPT
    return InstanceEvent.REMOVE if step.verb is Verb.RETIRE and leaving else None


def _moved(run: Run) -> RunMoved:
    return RunMoved(state=run.state, attempt=run.attempt, reason=run.error)


def _agency_record(order: CallOff, before: AgencyRecord | None, stored: StoredPlan, *, at: Any) -> AgencyRecord:
    return AgencyRecord(
        id=order.agency.id,
        name=order.agency.name,
        framework=order.framework,
        site=order.site,
        call_off=order,
        committed=stored.plan.cost.term_total,
        created_at=before.created_at if before else at,
    )
