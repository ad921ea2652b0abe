"""Failing over: moving a lost service to hosts that stand by, and returning it; and what that took and lost."""

from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.domain.calendars.local_time import stated_instant
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.site import Placement, hosts_in, joined, without
from orchestrator.domain.events import Happening, InstanceMoved
from orchestrator.domain.ordering.agency import StoredPlan
from orchestrator.domain.ordering.instance import InstanceEvent, InstanceState, ServiceInstance, existing
from orchestrator.domain.ordering.plan import MOVES, Move, Plan, Purpose
from orchestrator.domain.recovery.failover import SHUT, Moved, Situation, Surveyed, failback_plan, failover_plan
from orchestrator.domain.runs.run import Run, RunState, StepRecord, StepState
from orchestrator.domain.runs.run_options import Priority, RunOptions
from orchestrator.domain.selling.catalog import KEEPER, Verb
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.drilling import Survey
from orchestrator.ports.outside import Clock
from orchestrator.ports.runs import Work
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import find_agency, find_plan
from orchestrator.usecases.recovery.measuring import measured_move
from orchestrator.usecases.recovery.protecting import unprotected
from orchestrator.usecases.runs.assigning import Assigning
from orchestrator.usecases.runs.driving import Consequences, queue_run

_UNBUILT = (InstanceState.PENDING, InstanceState.RETIRED)


class MoveView(Moved):
    """A failover, or the return from one, with the hosts from which and to which it moved the service."""

    run: int
    agency: str
    kind: Purpose
    state: RunState
    moved_from: tuple[str, ...]
    moved_to: tuple[str, ...]


@dataclass(frozen=True)
class FailingOver(Consequences):
    """`changing` is what the steps of the agency's other services mean: those of any change."""

    source: CatalogSource
    store: Store
    clock: Clock
    assigning: Assigning
    changing: Consequences

    def plan(self, agency: str, component: str, purpose: Purpose, *, since: datetime | None = None) -> StoredPlan:
        """The stored plan of a failover, which is measured from now or from when the service was lost, or of the return
        from one."""
        now = self.clock.now()
        with self.store.begin() as tx:
            lost_at = now if since is None else self._stated(tx, agency, since)
            if lost_at > now:
                raise OrchestratorError(Kind.INVALID, f"{lost_at:%Y-%m-%d %H:%M:%S}Z is in the future")
            plan = self._plan(tx, agency, purpose, Move(component=component, declared_at=lost_at))
            return tx.plans.add(plan, order=None, at=now)

    def open_run(self, plan: int) -> Run:
        """A queued run of a stored plan. Refuses a plan that is out of date."""
        with self.store.begin() as tx:
            stored = find_plan(tx, plan)
            before = stored.plan
            assert before.move is not None
            if self._plan(tx, before.agency, before.purpose, before.move).digest != before.digest:
                raise OrchestratorError(
                    Kind.CONFLICT,
                    f"plan {plan} is stale: what it was computed from has changed since",
                    hint=f"plan again: orchestrator recovery {before.purpose} {before.agency} {before.move.component}",
                )
            return queue_run(tx, stored, RunOptions(priority=Priority.INCIDENT), at=self.clock.now())

    def moves(self, agency: str | None = None, *, limit: int = 50) -> list[MoveView]:
        """Failovers and returns, newest first."""
        with self.store.read() as tx:
            if agency is not None:
                find_agency(tx, agency)
            return [self._view(tx, run) for run in tx.runs.newest(agency=agency, purposes=MOVES, limit=limit)]

    # Consequences of the steps

    def begin_step(self, tx: Transaction, run: Run, step: StepRecord, happenings: list[Happening]) -> Work:
        plan, recorded = find_plan(tx, run.plan).plan, tx.instances.of(run.agency)
        before, after = recorded[step.component], plan.desired[step.component]
        assert plan.move is not None
        assert after is not None
        if step.component != plan.move.component:
            work = self.changing.begin_step(tx, run, step, happenings)
            if not step.id.endswith(f".{SHUT}"):
                return work
            others = {name: one for name, one in existing(recorded).items() if name != plan.move.component}
            return self.assigning.assignment(tx, run, step, before, services=others)
        afterwards = {**existing(recorded), step.component: after}
        match step.verb:
            case Verb.BACKUP:
                return self.assigning.recovery_assignment(tx, run, step, before)
            case Verb.RESTORE:
                copies = without(joined(before.elsewhere, step.placement), before.hosts)
                self._put(tx, _placed(before, elsewhere=copies), InstanceEvent.PROVISION, happenings)
                return self.assigning.recovery_assignment(
                    tx, run, step, after, sources=plan.move.sources, services=afterwards
                )
            case Verb.CHECK:
                return self._survey(tx, run, step, before, plan.move)
            case Verb.RETIRE:
                assignment = self.assigning.assignment(tx, run, step, before)
            case _:
                assignment = self.assigning.assignment(tx, run, step, after, services=afterwards)
        return replace(assignment, again=step.attempt > 1)

    def end_step(self, tx: Transaction, run: Run, step: StepRecord, happenings: list[Happening]) -> None:
        plan = find_plan(tx, run.plan).plan
        assert plan.move is not None
        if step.component != plan.move.component:
            self.changing.end_step(tx, run, step, happenings)
            return
        before, after = tx.instances.of(run.agency)[step.component], plan.desired[step.component]
        assert after is not None
        if step.state is not StepState.SUCCEEDED:
            self._put(tx, before, InstanceEvent.FAIL, happenings, error=step.error)
        elif step.verb is Verb.VERIFY:
            tx.secrets.accept(run.agency, step.component, at=self.clock.now())
            left = without(before.everywhere, after.hosts)
            self._put(tx, _placed(before, hosts=after.hosts, elsewhere=left), InstanceEvent.ACCEPT, happenings)
        elif step.verb is Verb.RETIRE:
            tx.instances.put(_placed(before, elsewhere=without(before.elsewhere, step.placement)))
        elif step.verb is Verb.CHECK and step.result is not None:
            surveyed = Surveyed.model_validate(step.result)
            if surveyed.newest is not None:  # what was lost is written again, by these numbers
                tx.canaries.forget(run.agency, step.component, after=surveyed.newest)

    def end_run(self, tx: Transaction, run: Run, happenings: list[Happening]) -> None:
        if run.state is not RunState.SUCCEEDED:
            self.changing.end_run(tx, run, happenings)

    # Inside

    def _stated(self, tx: Transaction, agency: str, stated: datetime) -> datetime:
        """An instant, with an offset or in the time zone of the agency's agreement."""
        agreement = self.source.agreements()[find_agency(tx, agency).framework]
        return stated_instant(stated, agreement.service_levels.hours.zone)

    def _plan(self, tx: Transaction, agency: str, purpose: Purpose, move: Move) -> Plan:
        record, recorded = find_agency(tx, agency), tx.instances.of(agency)
        catalog, site, component = self.source.catalog(), self.source.site(record.site), move.component
        needed = (recorded.get(name) for name in (component, KEEPER))
        if any(one is None or one.state in _UNBUILT for one in needed):
            raise unprotected(agency, component)
        situation = Situation(
            agency=agency,
            component=catalog.components[component],
            recorded=recorded,
            catalog=catalog,
            allocations=tx.allocations.of(agency, site=site.name),
            site=site,
        )
        if purpose is Purpose.FAILBACK:
            return failback_plan(situation, declared_at=move.declared_at)
        backup_at = tx.backups.last_of_all().get((agency, component))
        if backup_at is None:
            raise OrchestratorError(
                Kind.CONFLICT,
                f"{component} of {agency} was never backed up, so nothing of it can be recovered",
                hint="see: orchestrator backup list",
            )
        return failover_plan(situation, declared_at=move.declared_at, backup_at=backup_at)

    def _survey(self, tx: Transaction, run: Run, step: StepRecord, instance: ServiceInstance, move: Move) -> Survey:
        scope = self.source.catalog().components[step.component].recovery
        return Survey(
            site=self.source.site(run.site),
            host=hosts_in(step.placement)[0],
            agency=run.agency,
            component=step.component,
            user=self.assigning.introduction(tx, instance),
            trust=scope.trusted(run.agency, instance.hosts),
            declared_at=move.declared_at,
        )

    def _put(
        self,
        tx: Transaction,
        instance: ServiceInstance,
        event: InstanceEvent,
        happenings: list[Happening],
        *,
        error: str | None = None,
    ) -> None:
        """Record an instance, in its next state if the event applies in its present one."""
        now = self.clock.now()
        if (moved := instance.after(event, at=now, error=error)) is not None:
            instance = moved
            happenings.append(InstanceMoved(component=moved.component, state=moved.state))
        tx.instances.put(instance)
        if instance.state is InstanceState.IN_SERVICE:
            tx.service_periods.begin(instance.agency, instance.component, at=now)

    def _view(self, tx: Transaction, run: Run) -> MoveView:
        sources, measured = find_plan(tx, run.plan).plan.move, measured_move(tx, run, self.source.catalog())
        assert sources is not None
        return MoveView(
            **measured.model_dump(),
            run=run.id,
            agency=run.agency,
            kind=run.purpose,
            state=run.state,
            moved_from=tuple(sorted(set(sources.sources.values()))),
            moved_to=tuple(sorted(sources.sources)),
        )


def _placed(instance: ServiceInstance, *, elsewhere: Placement, hosts: Placement | None = None) -> ServiceInstance:
    """The instance on other hosts, or as it is, and with copies elsewhere."""
    return instance.model_copy(update={"hosts": hosts or instance.hosts, "elsewhere": elsewhere})
