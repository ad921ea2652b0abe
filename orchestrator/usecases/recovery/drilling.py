"""Drilling: requesting and approving drills, opening their runs, and updating the drill as the steps end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any, cast

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.site import Site, hosts_in
from orchestrator.domain.events import DrillMoved, Happening
from orchestrator.domain.ordering.agency import StoredPlan
from orchestrator.domain.ordering.instance import ServiceInstance, existing
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.ordering.protection import protected
from orchestrator.domain.ordering.reachability import Admission, Reachability
from orchestrator.domain.recovery.drills import (
    DRILL_LIFE,
    ON_BEGIN,
    ON_SUCCESS,
    UNDER_WAY,
    Drill,
    DrillEvent,
    DrillState,
)
from orchestrator.domain.recovery.evidence import Approval, Witness
from orchestrator.domain.recovery.phase_results import PhaseResults
from orchestrator.domain.recovery.recovery_plan import drill_plan
from orchestrator.domain.recovery.verdict import Moment
from orchestrator.domain.runs.run import Run, RunState, StepRecord, StepState
from orchestrator.domain.runs.run_options import Priority, RunOptions
from orchestrator.domain.selling.catalog import KEEPER, Verb
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.drilling import Rehearsal, rehearsed_host
from orchestrator.ports.outside import Clock
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import find_agency, find_drill
from orchestrator.usecases.recovery.phases import results_of
from orchestrator.usecases.runs.assigning import Assigning
from orchestrator.usecases.runs.driving import Consequences, Driving, queue_run

APPROVAL_LASTS = timedelta(days=14)
"""How long an approval, and a request for one, is valid."""


@dataclass(frozen=True)
class Drilling(Consequences):
    """`limit` bounds how long a drill waits for the service to come back, if it is less than the promised time."""

    source: CatalogSource
    store: Store
    clock: Clock
    assigning: Assigning
    limit: timedelta | None

    # Asking and approving

    def request(self, agency: str, component: str | None, *, by: str, witnesses: Sequence[str] = ()) -> Drill:
        """A drill that can start once it is approved, or at once if the site requires no approval."""
        with self.store.begin() as tx:
            now = self.clock.now()
            key = f"{agency}/{component or 'any'}/asked/{now.isoformat()}"
            return self.keep(
                tx,
                agency,
                component,
                by=by,
                key=key,
                moment=Moment.NOW,
                at=now,
                window_end=None,
                witnesses=witnesses,
            )

    def keep(
        self,
        tx: Transaction,
        agency: str,
        component: str | None,
        *,
        by: str,
        key: str,
        moment: Moment,
        at: datetime,
        window_end: datetime | None,
        witnesses: Sequence[str] = (),
    ) -> Drill:
        """Record a planned drill."""
        record = find_agency(tx, agency)
        site, component, now = self.source.site(record.site), self._component(tx, agency, component), self.clock.now()
        stored = self._plan(tx, agency, component, site)
        pending = DrillState.APPROVAL_PENDING if _needs_approval(site) else DrillState.APPROVED
        drill = tx.drills.add(
            Drill(
                id=0,
                key=key,
                agency=agency,
                component=component,
                site=site.name,
                moment=moment,
                state=pending,
                scheduled_at=at,
                window_end=window_end,
                requested_by=by,
                witnesses=tuple(_witness(who, by, now) for who in dict.fromkeys(witnesses)),
                plan=stored.id,
                plan_digest=stored.plan.digest,
                created_at=now,
            )
        )
        tx.events.add([_told(drill)], agency=agency, at=drill.created_at)
        return drill

    def approve(self, drill_id: int, *, by: str, live_data: bool) -> Drill:
        """Somebody other than the requester agrees to the plan and, explicitly, to the use of live data."""
        with self.store.begin() as tx:
            drill, now = find_drill(tx, drill_id), self.clock.now()
            DRILL_LIFE.after(drill.state, DrillEvent.APPROVE)
            if by == drill.requested_by:
                raise OrchestratorError(
                    Kind.NOT_COVERED, f"{by} requested drill {drill_id} and cannot approve it", hint="ask somebody else"
                )
            if not live_data:
                raise OrchestratorError(
                    Kind.INVALID,
                    f"drill {drill_id} restores live data of {drill.agency}",
                    hint="to agree to this, add --live-data",
                )
            assert drill.plan_digest is not None
            approval = Approval(
                who=by, at=now, plan_digest=drill.plan_digest, live_data=live_data, expires_at=now + APPROVAL_LASTS
            )
            return self._move(tx, drill, DrillEvent.APPROVE, approval=approval)

    def reject(self, drill_id: int, *, by: str, reason: str) -> Drill:
        with self.store.begin() as tx:
            drill = find_drill(tx, drill_id)
            return self._move(tx, drill, DrillEvent.REJECT, reason=f"{by}: {reason}", finished_at=self.clock.now())

    def witness(self, drill_id: int, *, by: str) -> Drill:
        """Somebody other than the requester witnesses the drill. Possible until the drill is reported."""
        with self.store.begin() as tx:
            drill = find_drill(tx, drill_id)
            if drill.finished_at is not None:
                raise OrchestratorError(
                    Kind.CONFLICT,
                    f"drill {drill_id} is over, and its evidence cannot change",
                    hint="name witnesses before a drill or while it runs",
                )
            if by not in {witness.who for witness in drill.witnesses}:
                found = _witness(by, drill.requested_by, self.clock.now())
                drill = drill.model_copy(update={"witnesses": (*drill.witnesses, found)})
                tx.drills.put(drill)
            return drill

    # Starting and stopping

    def start(self, drill_id: int) -> Run:
        """Open the run of an approved drill. An approval counts only for the present plan."""
        with self.store.begin() as tx:
            return self.open_run(tx, find_drill(tx, drill_id))

    def start_if_due(self, drill_id: int) -> Run | None:
        """The same if the drill is due. None while it waits for an approval or for its time."""
        with self.store.begin() as tx:
            drill = find_drill(tx, drill_id)
            due = drill.state is DrillState.APPROVED and drill.scheduled_at <= self.clock.now()
            return self.open_run(tx, drill) if due else None

    def open_run(self, tx: Transaction, drill: Drill) -> Run:
        now = self.clock.now()
        DRILL_LIFE.after(drill.state, DrillEvent.SCHEDULE)
        if drill.approval and drill.approval.expires_at < now:
            raise OrchestratorError(Kind.CONFLICT, f"the approval of drill {drill.id} has expired", hint="ask again")
        stored = self._plan(tx, drill.agency, drill.component, self.source.site(drill.site))
        if stored.plan.digest != drill.plan_digest:
            raise OrchestratorError(
                Kind.CONFLICT,
                f"drill {drill.id} was approved for another plan: {drill.agency} has changed since",
                hint="ask for a new drill",
            )
        run = queue_run(tx, stored, RunOptions(priority=Priority.DRILL), at=now)
        self._move(tx, drill, DrillEvent.SCHEDULE, run=run.id, plan=stored.id)
        return run

    def end(self, tx: Transaction, drill: Drill, event: DrillEvent, *, reason: str) -> None:
        """End a drill that never began."""
        self._move(tx, drill, event, reason=reason, finished_at=self.clock.now())

    def preempt(self, run_id: int, driving: Driving) -> None:
        """Stop the drill and clean up, because a real incident needs the agency."""
        with self.store.begin() as tx:
            drill = tx.drills.of_run(run_id)
            if drill is None:
                raise OrchestratorError(Kind.CONFLICT, f"run {run_id} is not a drill")
            tx.drills.put(drill.model_copy(update={"reason": PREEMPTED}))
        driving.cancel(run_id)

    def make_way(self, agency: str, priority: Priority, driving: Driving) -> Run | None:
        """The open run of an agency, which must end before another begins. An incident stops a drill."""
        with self.store.read() as tx:
            run = tx.runs.open_of(agency)
        if run and run.purpose is Purpose.DRILL and priority is Priority.INCIDENT:
            self.preempt(run.id, driving)
        return run

    # Consequences of the steps

    def refuse_resuming(self, run: Run) -> None:
        raise OrchestratorError(
            Kind.CONFLICT,
            f"run {run.id} is a drill and cannot be resumed: its measurements would be wrong",
            hint=f"start another: orchestrator drill start {run.agency}",
        )

    def begin_step(self, tx: Transaction, run: Run, step: StepRecord, happenings: list[Happening]) -> Rehearsal:
        drill = self._drill_of(tx, run)
        if event := ON_BEGIN.get(step.verb):
            drill = self._move(tx, drill, event, happenings=happenings)
        return self._rehearsal(tx, run, step, drill, tx.instances.of(run.agency)[drill.component])

    def end_step(self, tx: Transaction, run: Run, step: StepRecord, happenings: list[Happening]) -> None:
        event = ON_SUCCESS.get(step.verb)
        if event and step.state is StepState.SUCCEEDED:
            self._move(tx, self._drill_of(tx, run), event, happenings=happenings)

    def end_run(self, tx: Transaction, run: Run, happenings: list[Happening]) -> None:
        drill = self._drill_of(tx, run)
        if drill.state not in UNDER_WAY:
            return
        ends = {s.verb: s.state for s in tx.runs.steps(run.id)}
        event = _end_of(drill, run, ends)
        # The instant of the conclusion must not change: it orders the chain of evidence.
        ended = {"reason": drill.reason or run.error, "finished_at": drill.finished_at or self.clock.now()}
        self._move(tx, drill, event, happenings=happenings, **ended)

    # Inside

    def _component(self, tx: Transaction, agency: str, component: str | None) -> str:
        """The component to rehearse: the requested one, or the one that was rehearsed longest ago."""
        components = protected(tx.instances.of(agency), self.source.catalog())
        if component is not None and component in components:
            return component
        if component is not None or not components:
            raise OrchestratorError(
                Kind.CONFLICT,
                f"{component or 'everything'} of {agency} has no backup, so there is nothing to rehearse",
                hint=f"backed up are: {', '.join(components) or 'none'}; backups need {KEEPER!r} in service",
            )
        before = {d.component: d.id for d in reversed(tx.drills.newest(agency=agency)) if d.verdict}
        return min(components, key=lambda c: (before.get(c, 0), c))

    def _plan(self, tx: Transaction, agency: str, component: str, site: Site) -> StoredPlan:
        plan = drill_plan(agency, component, recorded=tx.instances.of(agency), site=site)
        return tx.plans.add(plan, order=None, at=self.clock.now())

    def _drill_of(self, tx: Transaction, run: Run) -> Drill:
        drill = tx.drills.of_run(run.id)
        assert drill is not None
        return drill

    def _move(
        self,
        tx: Transaction,
        drill: Drill,
        event: DrillEvent,
        *,
        happenings: list[Happening] | None = None,
        **changes: Any,
    ) -> Drill:
        state = DRILL_LIFE.after(drill.state, event)
        after = drill.model_copy(update={"state": state, **changes})
        tx.drills.put(after)
        if happenings is not None:
            happenings.append(_told(after))
        else:
            tx.events.add([_told(after)], agency=drill.agency, at=self.clock.now())
        return after

    def _admitted(self, tx: Transaction, run: Run, instance: ServiceInstance, host: str) -> list[tuple[str, Admission]]:
        """(component, port) of the agency's live services, on an instance's hosts, that admit the recovery host. An
        attempt at any other port proves nothing about the bubble: it fails because of the other side."""
        site, catalog = self.source.site(run.site), self.source.catalog()
        services = existing(tx.instances.of(run.agency))
        allocations = tx.allocations.of(run.agency, site=site.name)
        reachability = Reachability(services, catalog=catalog, allocations=allocations, site=site)
        address, hosts = ip_address(site.hosts[host].address), hosts_in(instance.hosts)
        return [
            (name, one)
            for name in sorted(services)
            for one in reachability.admissions(catalog.components[name])
            if one.host in hosts
            and one.protocol == "tcp"
            and any(address in ip_network(source) for source in one.sources)
        ]

    def _rehearsal(
        self, tx: Transaction, run: Run, step: StepRecord, drill: Drill, instance: ServiceInstance
    ) -> Rehearsal:
        component, site = self.source.catalog().components[drill.component], self.source.site(run.site)
        promised, host = component.tiers[instance.tier].objectives.rto, hosts_in(step.placement)[0]
        earlier, user = results_of(tx.runs.steps(run.id)), self.assigning.introduction(tx, instance)
        return Rehearsal(
            assignment=self.assigning.recovery_assignment(
                tx, run, step, instance, sources={host: rehearsed_host(user)}, bubble=_bubble(drill, earlier)
            ),
            drill=drill,
            host=host,
            earlier=earlier,
            user=user,
            trust=component.recovery.trust.file_of(drill.agency) if component.recovery.trust else None,
            limit=min(promised, self.limit) if self.limit else promised,
            targets=_targets(instance, site, self._admitted(tx, run, instance, host)),
        )


PREEMPTED = "made way for an incident"

DRILLS = "/var/lib/recovery/drills"
"""Where a recovery host keeps the files of drills."""

OUTSIDE: Sequence[Mapping[str, Any]] = ({"address": "1.1.1.1", "port": 443},)
"""What stands for the rest of the world if the site names nothing else."""


def _needs_approval(site: Site) -> bool:
    return bool(site.facts.get("site_drills_need_approval", True))


def _bubble(drill: Drill, earlier: PhaseResults) -> dict[str, Any] | None:
    """Where to restore to, once it exists."""
    if not (earlier.pin and earlier.prepare):
        return None
    directory = f"{DRILLS}/{drill.id}"
    return {
        "directory": directory,
        "repository": f"{directory}/repository",
        "snapshot": earlier.pin.chosen,
        "name": f"drill-{drill.id}",
        "address": earlier.prepare.address,
    }


def _targets(
    instance: ServiceInstance, site: Site, admitted: Sequence[tuple[str, Admission]]
) -> tuple[dict[str, Any], ...]:
    """What a restored copy must not reach: the hosts that it was copied from, at ports that admit the recovery host,
    and the outside world. Each has a unique name, and its place."""
    name, hosts = instance.component, [site.hosts[h] for h in hosts_in(instance.hosts) if h in site.hosts]
    found = [
        *((f"production host {h.name} of {name}", h.name, h.address, 22) for h in hosts),
        *((f"production database {h.name} of {name}", h.name, h.address, 5432) for h in hosts),
        *((f"production service {one.host} of {of}", one.host, one.address, one.port) for of, one in admitted),
        *(("the outside", "the outside", one["address"], one["port"]) for one in _outside(site)),
    ]
    return tuple(
        {"name": f"{what}, {address}:{port}", "place": place, "address": address, "port": port}
        for what, place, address, port in dict.fromkeys(found)
    )


def _outside(site: Site) -> Sequence[Mapping[str, Any]]:
    return cast("Sequence[Mapping[str, Any]]", site.facts.get("site_outside", OUTSIDE))


def _witness(who: str, requested_by: str, at: datetime) -> Witness:
    if who == requested_by:
        raise OrchestratorError(Kind.NOT_COVERED, f"{who} requested the drill and cannot witness it", hint="ask others")
    return Witness(who=who, at=at)


def _end_of(drill: Drill, run: Run, ends: Mapping[Verb, StepState]) -> DrillEvent:
    """How a drill ends when its run has ended. A drill that was stopped after everything was measured still counts."""
    measured = ends.get(Verb.CHECK) is StepState.SUCCEEDED
    if (run.cancel_requested and not measured) or run.state is RunState.CANCELLED:
        return DrillEvent.PREEMPT if drill.reason == PREEMPTED else DrillEvent.ABORT
    if ends.get(Verb.CLEANUP) is not StepState.SUCCEEDED:
        return DrillEvent.LEAVE_DIRTY if drill.state is DrillState.CLEANUP else DrillEvent.FAIL
    if ends.get(Verb.EXAMINE) is not StepState.SUCCEEDED:
        return DrillEvent.BLOCK
    return DrillEvent.REPORT if ends.get(Verb.REPORT) is StepState.SUCCEEDED else DrillEvent.FAIL


def _told(drill: Drill) -> DrillMoved:
    return DrillMoved(drill=drill.id, component=drill.component, state=drill.state, reason=drill.reason)
