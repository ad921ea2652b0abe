"""Provisioning: opening runs that change what an agency has, and updating its service instances as their steps end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from orchestrator.domain.calendars.months import CalendarMonth, months_between
from orchestrator.domain.charging.charges import owed
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.allocation import NUMBER
from orchestrator.domain.events import Happening, InstanceMoved
from orchestrator.domain.ordering.agency import AgencyRecord, StoredPlan
from orchestrator.domain.ordering.instance import InstanceEvent, InstanceState, ServiceInstance, existing
from orchestrator.domain.ordering.plan import Effect, PlanOptions, Purpose
from orchestrator.domain.runs.run import Run, RunState, StepRecord, StepState
from orchestrator.domain.runs.run_options import USUAL, OnFailure, RunOptions
from orchestrator.domain.selling.agreement import CallOff
from orchestrator.domain.selling.catalog import KEEPER, Component, Verb
from orchestrator.ports.outside import Clock
from orchestrator.ports.runs import Work
from orchestrator.ports.store import Store, Transaction
from orchestrator.ports.work_orders import Commission
from orchestrator.usecases.finding import find_agency, find_plan
from orchestrator.usecases.ordering.holding import HOLD, forget_secrets, note_held
from orchestrator.usecases.ordering.planning import TRIES, Known, Planning, changed_meanwhile, check_ceiling
from orchestrator.usecases.runs.assigning import Assigning
from orchestrator.usecases.runs.driving import Consequences, queue_run


@dataclass(frozen=True)
class Provisioning(Consequences):
    store: Store
    clock: Clock
    planning: Planning
    assigning: Assigning

    def open_run(self, plan: int, options: RunOptions = USUAL) -> Run:
        """A queued run of a stored plan. Refuses a plan that is out of date.

        Others may write while that is computed. The run is opened only if the records it was computed from are
        unchanged.
        """
        for _ in range(TRIES):
            with self.store.read() as tx:
                stored = find_plan(tx, plan)
                _refuse_while_waiting(tx, stored.plan.agency)
                if stored.plan.empty:
                    raise OrchestratorError(Kind.CONFLICT, f"plan {plan} has nothing to do")
                before = None if tx.runs.open_of(stored.plan.agency) else self.planning.known(tx, stored)
            if before:
                self._refuse_stale(before, stored)
            with self.store.begin() as tx:
                if self._is_still_so(tx, stored, before):
                    self._record_order(tx, stored)
                    return queue_run(tx, stored, options, at=self.clock.now())
        raise changed_meanwhile(stored.plan.agency)

    # Consequences of the steps

    def begin_step(self, tx: Transaction, run: Run, step: StepRecord, happenings: list[Happening]) -> Work:
        recorded, desired = tx.instances.of(run.agency), tx.plans.desired(run.plan)
        if step.verb is Verb.BACKUP:  # of what still exists
            return self.assigning.recovery_assignment(tx, run, step, recorded[step.component])
        instance, leaving = _intended(step, recorded, desired)
        again = step.attempt > 1 or instance.state is InstanceState.FAILED
        if step.verb is Verb.PROVISION or (step.verb is Verb.RETIRE and leaving):
            event = InstanceEvent.RETIRE if leaving else InstanceEvent.PROVISION
            instance = self._move(tx, instance, event, happenings)
        component = self.planning.source.catalog().components[step.component]
        if component.by_people:
            return _commission(find_agency(tx, run.agency), run, step, instance, component)
        services = _afterwards(recorded, desired)
        held = {HOLD: tx.backups.taken(run.agency)} if step.component == KEEPER and step.verb is Verb.RETIRE else None
        assignment = self.assigning.assignment(tx, run, step, instance, services=services, besides=held)
        return replace(assignment, again=again)

    def end_step(self, tx: Transaction, run: Run, step: StepRecord, happenings: list[Happening]) -> None:
        instance, leaving = _intended(step, tx.instances.of(run.agency), tx.plans.desired(run.plan))
        if step.component == KEEPER and step.state is StepState.SUCCEEDED:
            self._note_held(tx, run, step)
        if step.verb is Verb.VERIFY and step.state is StepState.SUCCEEDED:
            tx.secrets.accept(run.agency, step.component, at=self.clock.now())
        if event := _on_finish(step, leaving=leaving):
            self._move(tx, instance, event, happenings, error=step.error)

    def end_run(self, tx: Transaction, run: Run, happenings: list[Happening]) -> None:
        if run.state is RunState.SUCCEEDED:
            self._settle(tx, run)
            return
        for instance in tx.instances.of(run.agency).values():
            self._move(tx, instance, InstanceEvent.FAIL, happenings, error=instance.error or run.error)
        if run.state is RunState.FAILED and run.purpose is Purpose.ONBOARD and run.on_failure is OnFailure.ROLL_BACK:
            self._roll_back(tx, run)

    # Inside

    def _refuse_stale(self, known: Known, stored: StoredPlan) -> None:
        if not self.planning.still_true(known, stored):
            raise OrchestratorError(
                Kind.CONFLICT,
                f"plan {stored.id} is stale: what it was computed from has changed since",
                hint="plan again and apply the new plan",
            )

    def _is_still_so(self, tx: Transaction, stored: StoredPlan, before: Known | None) -> bool:
        """Whether nothing has changed since. `before` is None if another run was open then."""
        if before is None:
            return tx.runs.open_of(stored.plan.agency) is not None  # opening the run names it
        if self.planning.known(tx, stored) != before:
            return False
        self._check_ceiling(tx, stored)
        return True

    def _check_ceiling(self, tx: Transaction, stored: StoredPlan) -> None:
        if stored.order:
            check_ceiling(tx, stored.plan, self.planning.agreement(stored.order.framework))

    def _record_order(self, tx: Transaction, stored: StoredPlan) -> None:
        """Record the agency, its desired instances and its allocations for the run."""
        now, plan = self.clock.now(), stored.plan
        if stored.order:
            before = tx.agencies.get(plan.agency)
            record = _agency_record(stored.order, before, stored, at=now)
            tx.agencies.put(record.model_copy(update={"owed": self._still_owed(tx, before, stored.order)}))
            tx.allocations.hold(plan.agency)
        created = (plan.desired.get(c.component) for c in plan.changes if c.effect is Effect.CREATE)
        pending = {"state": InstanceState.PENDING, "changed_at": now}
        tx.instances.put_all([wish.model_copy(update=pending) for wish in created if wish])

    def _move(
        self,
        tx: Transaction,
        instance: ServiceInstance,
        event: InstanceEvent,
        happenings: list[Happening],
        *,
        error: str | None = None,
    ) -> ServiceInstance:
        """Move an instance to its next state, if the event applies in its present state."""
        moved = instance.after(event, at=self.clock.now(), error=error)
        if moved is None:
            return instance
        state = moved.state
        if state is InstanceState.RETIRED:
            moved = moved.model_copy(update={"elsewhere": {}})
        tx.instances.put(moved)
        if state is InstanceState.IN_SERVICE:
            tx.service_periods.begin(moved.agency, moved.component, at=moved.changed_at)
        if state is InstanceState.RETIRED:
            forget_secrets(tx, moved.agency, moved.component)
            tx.canaries.forget(moved.agency, moved.component)
            tx.service_periods.end(moved.agency, moved.component, at=moved.changed_at)
        happenings.append(InstanceMoved(component=moved.component, state=state))
        return moved

    def _note_held(self, tx: Transaction, run: Run, step: StepRecord) -> None:
        now, agreement = self.clock.now(), self.planning.agreement(find_agency(tx, run.agency).framework)
        note_held(tx, run, step, now=now, until=now + agreement.backups_held)

    def _roll_back(self, tx: Transaction, failed: Run) -> None:
        """Open the run that removes what a failed onboarding built."""
        plan = self.planning.keep_offboarding(tx, failed.agency, PlanOptions(final_backup=False))
        queue_run(tx, plan, RunOptions(priority=failed.priority, cause=failed.id), at=self.clock.now())

    def _settle(self, tx: Transaction, run: Run) -> None:
        """Release to the pools what the agency no longer uses."""
        stored = find_plan(tx, run.plan)
        held = tx.allocations.of(run.agency, site=run.site)
        kept = stored.plan.allocations if stored.order else _kept_for_backups(tx, run.agency)
        tx.allocations.release(run.agency, [name for name in held if name not in kept])
        if run.purpose is Purpose.OFFBOARD and (record := tx.agencies.get(run.agency)):
            left = record.model_copy(update={"offboarded_at": self.clock.now()})
            served = self._served(tx, left)
            tx.agencies.put(left.model_copy(update={"owed": left.owed + owed(left.rates, served)}))

    def _still_owed(self, tx: Transaction, before: AgencyRecord | None, order: CallOff) -> Decimal:
        """What the agency still owes, without the months that the new term charges again."""
        if before is None or before.offboarded_at is None:
            return before.owed if before else Decimal(0)
        first = CalendarMonth.of(order.term.start).first
        again = [month for month in self._served(tx, before) if month.first >= first]
        return max(before.owed - owed(before.rates, again), Decimal(0))

    def _served(self, tx: Transaction, left: AgencyRecord) -> set[CalendarMonth]:
        """The months in which an agency that left had anything in service, in the time zone of its agreement."""
        zone = self.planning.agreement(left.framework).service_levels.hours.zone
        assert left.offboarded_at is not None
        months = set[CalendarMonth]()
        for period in tx.service_periods.within(left.created_at, left.offboarded_at, agency=left.id):
            first, last = (
                at.astimezone(zone).date() for at in (period.began_at, period.ended_at or left.offboarded_at)
            )
            months.update(months_between(first, last))
        return months


def _refuse_while_waiting(tx: Transaction, agency: str) -> None:
    """What people work on must not change meanwhile."""
    for run in tx.runs.waiting(agency):
        raise OrchestratorError(
            Kind.CONFLICT,
            f"run {run.id} of {agency} waits for people, and nothing else may be changed until they have finished",
            hint=f"see: orchestrator work list --agency {agency}; to give it up: orchestrator run cancel {run.id}",
            ids={"run": str(run.id)},
        )


def _commission(
    record: AgencyRecord, run: Run, step: StepRecord, instance: ServiceInstance, component: Component
) -> Commission:
    """What people are asked to do, and what they must know."""
    contact = record.call_off.agency.contacts[0]
    chosen = {
        name: ", ".join(map(str, v)) if isinstance(v, list) else str(v) for name, v in instance.parameters.items()
    }
    return Commission(
        run=run.id,
        step=step.id,
        agency=run.agency,
        component=component.component,
        terms=component.work[step.verb],
        within=component.tiers[instance.tier].within[step.verb],
        facts={
            "Agency": record.name,
            "Contact": f"{contact.name}, {contact.role}, {contact.email}",
            "Service": f"{component.title}, {instance.tier}",
            **({"Quantity": str(instance.quantity)} if component.sold_by_unit else {}),
            **chosen,
        },
    )


def _kept_for_backups(tx: Transaction, agency: str) -> tuple[str, ...]:
    """What stays allocated while backups are held: the port of their repository depends on the number."""
    return (NUMBER,) if tx.backups.held(agency) else ()


def _intended(
    step: StepRecord, recorded: Mapping[str, ServiceInstance], desired: Mapping[str, ServiceInstance | None]
) -> tuple[ServiceInstance, bool]:
    """The instance as the plan wants it, and whether the plan removes it."""
    before, wish = recorded[step.component], desired[step.component]
    if wish is None:
        return before, True
    return wish.model_copy(update={"state": before.state, "changed_at": before.changed_at}), False


def _afterwards(
    recorded: Mapping[str, ServiceInstance], desired: Mapping[str, ServiceInstance | None]
) -> dict[str, ServiceInstance]:
    """What the agency will have when the run is done."""
    after = {**existing(recorded), **desired}
    return {name: instance for name, instance in after.items() if instance is not None}


def _on_finish(step: StepRecord, *, leaving: bool) -> InstanceEvent | None:
    """The event that the end of a step is for its instance."""
    if step.state is not StepState.SUCCEEDED:
        return InstanceEvent.FAIL
    if step.verb is Verb.VERIFY:
        return InstanceEvent.ACCEPT
    return InstanceEvent.REMOVE if step.verb is Verb.RETIRE and leaving else None


def _agency_record(order: CallOff, before: AgencyRecord | None, stored: StoredPlan, *, at: Any) -> AgencyRecord:
    return AgencyRecord(
        id=order.agency.id,
        name=order.agency.name,
        framework=order.framework,
        site=order.site,
        call_off=order,
        committed=stored.plan.cost.term_total,
        rates=stored.plan.cost.rates,
        created_at=before.created_at if before else at,
    )
