"""Observing: what people, scripts and dashboards are shown. Reads only."""

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from orchestrator.domain.charging.cost import Cost
from orchestrator.domain.difference import FieldChange
from orchestrator.domain.estate.allocation import Allocation
from orchestrator.domain.estate.site import Site, hosts_in
from orchestrator.domain.events import Event
from orchestrator.domain.ordering.agency import StoredPlan
from orchestrator.domain.ordering.instance import InstanceState, ServiceInstance, display_status
from orchestrator.domain.ordering.loss import Loss
from orchestrator.domain.ordering.plan import Effect, Purpose
from orchestrator.domain.recovery.held_backups import HeldBackups
from orchestrator.domain.runs.assignment import by_host, endpoint_facts
from orchestrator.domain.runs.run import OPEN_RUN, Run, RunState, StepRecord, StepState
from orchestrator.domain.runs.run_options import OnFailure, Priority
from orchestrator.domain.selling.catalog import Component, Verb
from orchestrator.domain.service_levels.record import State
from orchestrator.domain.value import Value
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.figures import ProbeCounts, Snapshot
from orchestrator.ports.outside import Clock
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import events_of, find_agency, find_run
from orchestrator.usecases.probing.diagnosing import UNPROBED, Health, diagnose, first_reading
from orchestrator.usecases.recovery.measuring import probing_figures, recovery_figures
from orchestrator.usecases.runs.admitting import Admitting, next_steps
from orchestrator.usecases.service_levels.metering import Metering

NOBODY_PROBES = "nobody probes"
RECENTLY = timedelta(minutes=1)
"""A prober that has come so far is at work."""

NOTHING: Mapping[str, str] = MappingProxyType({})


class ChangeView(Value):
    component: str
    effect: Effect
    tier: str
    fields: tuple[FieldChange, ...]
    destroys: tuple[Loss, ...]


class StepLine(Value):
    id: str
    component: str
    verb: Verb
    hosts: tuple[str, ...]
    needs: tuple[str, ...]
    because: str


class CommitmentView(Value):
    """Pounds, as text."""

    per_year: str
    term_total: str


class CostView(CommitmentView):
    """Pounds, as text: money is not a floating-point number. `per_year` and `lines` are today's prices,
    `charged_per_year` is charged from the day `since` on, and `before` is what the agency was committed to."""

    currency: str = "GBP"
    charged_per_year: str
    since: date | None
    before: CommitmentView | None
    lines: tuple[dict[str, Any], ...]


class PlanView(Value):
    plan: int
    digest: str
    agency: str
    purpose: Purpose
    site: str
    contract: tuple[FieldChange, ...]
    changes: tuple[ChangeView, ...]
    steps: tuple[StepLine, ...]
    cost: CostView
    allocations: dict[str, str]

    @property
    def empty(self) -> bool:
        return not self.steps and not self.contract


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
    """What a running step is at."""


class Crew(NamedTuple):
    """Workers that live, and those of them that take anybody's runs."""

    alive: Set[str] = frozenset()
    serving: Set[str] = frozenset()


class RunView(Value):
    """`worker_gone` says that the worker of an open run lives no more, `next` what happens to it where that is not
    plain."""

    run: int
    agency: str
    kind: Purpose
    state: RunState
    priority: Priority
    on_failure: OnFailure
    cause: int | None
    waits_for: str | None
    attempt: int
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    worker: str | None = None
    worker_gone: bool = False
    next: str | None = None
    steps: tuple[StepView, ...] = ()


class EndpointView(Value):
    name: str
    address: str


class ServiceView(Value):
    component: str
    title: str
    tier: str
    lifecycle: InstanceState
    health: State
    health_since: datetime | None
    health_note: str | None
    """Why nobody knows yet."""
    status: str
    hosts: tuple[str, ...]
    endpoints: tuple[EndpointView, ...]
    error: str | None


class AgencyView(Value):
    agency: str
    name: str
    framework: str
    site: str
    offboarded_at: datetime | None
    allocations: dict[str, str]
    open_run: int | None
    held_backups: tuple[HeldBackups, ...]
    services: tuple[ServiceView, ...]


def plan_view(stored: StoredPlan) -> PlanView:
    plan = stored.plan
    return PlanView(
        plan=stored.id,
        digest=plan.digest,
        agency=plan.agency,
        purpose=plan.purpose,
        site=plan.site,
        contract=plan.contract,
        changes=tuple(ChangeView(**c.model_dump()) for c in plan.changes),
        steps=tuple(
            StepLine(id=s.id, component=s.component, verb=s.verb, hosts=s.hosts, needs=s.needs, because=s.because)
            for s in plan.steps
        ),
        cost=_cost_view(plan.cost),
        allocations=dict(plan.allocations),
    )


def _cost_view(cost: Cost) -> CostView:
    before = cost.before and CommitmentView(
        per_year=f"{cost.before.per_year:.2f}", term_total=f"{cost.before.term_total:.2f}"
    )
    return CostView(
        per_year=f"{cost.per_year:.2f}",
        term_total=f"{cost.term_total:.2f}",
        charged_per_year=f"{cost.charged_per_year:.2f}",
        since=cost.rates[-1].since if cost.rates else None,
        before=before,
        lines=tuple(line.model_dump(mode="json") for line in cost.lines),
    )


def run_view(
    run: Run,
    steps: list[StepRecord],
    *,
    waits_for: str | None = None,
    steps_wait_for: Mapping[str, str] = NOTHING,
    tasks: Mapping[str, str] = NOTHING,
) -> RunView:
    same = run.model_dump(exclude={"id", "purpose", "plan", "site", "hosts"})
    views = tuple(_step_view(s, steps_wait_for.get(s.id), tasks.get(s.id)) for s in steps)
    return RunView(**same, run=run.id, kind=run.purpose, waits_for=waits_for, steps=views)


def _step_view(step: StepRecord, waits_for: str | None, task: str | None) -> StepView:
    same = step.model_dump(exclude={"placement", "because", "counts", "tries", "not_before", "always", "result"})
    return StepView(**same, **step.counts.model_dump(), hosts=step.hosts, waits_for=waits_for, task=task)


@dataclass(frozen=True)
class Observing:
    source: CatalogSource
    store: Store
    clock: Clock
    admitting: Admitting
    metering: Metering
    probe_counts: ProbeCounts = field(default_factory=ProbeCounts)
    crew: Callable[[], Crew] = Crew

    def agencies(self, *, offboarded: bool = False) -> list[AgencyView]:
        """Those that are served, and those that left, if they are asked for."""
        with self.store.read() as tx:
            records = [r for r in tx.agencies.all() if offboarded or r.offboarded_at is None]
            return [self._agency(tx, record.id) for record in records]

    def agency(self, agency: str) -> AgencyView:
        with self.store.read() as tx:
            return self._agency(tx, agency)

    def runs(self, *, agency: str | None = None, limit: int = 50) -> list[RunView]:
        """Newest first, without their steps."""
        with self.store.read() as tx:
            return [run_view(run, []) for run in tx.runs.newest(agency=agency, limit=limit)]

    def run(self, run_id: int) -> RunView:
        with self.store.read() as tx:
            run = find_run(tx, run_id)
            waits = self.admitting.waits_for(tx, run)
            steps = tx.runs.steps(run_id)
            running = [step.id for step in steps if step.state is StepState.RUNNING]
            tasks, waiting = tx.events.current_tasks(run_id, running), self._steps_wait(tx, run)
            view = run_view(run, steps, waits_for=waits, steps_wait_for=waiting, tasks=tasks)
        return view.model_copy(update=_prospects(run, self.crew())) if run.state in OPEN_RUN else view

    def _steps_wait(self, tx: Transaction, run: Run) -> Mapping[str, str]:
        """What steps of a running run wait for."""
        if run.state is not RunState.RUNNING:
            return {}
        return next_steps(tx, run, exclusive=self.source.catalog().exclusive, now=self.clock.now()).waiting

    def rolling_back(self, run_id: int) -> RunView | None:
        """The run that removes what a failed one has built."""
        with self.store.read() as tx:
            undoing = tx.runs.caused_by(run_id)
            return run_view(undoing, []) if undoing else None

    def events(self, *, run: int, after: int = 0) -> Iterator[Event]:
        """Every event of a run from one id on that is there now, without gap or repeat."""
        return events_of(self.store, run, after=after)

    def snapshot(self) -> Snapshot:
        """What meters had to be read anew for it are kept."""
        with self.store.read() as tx:
            snapshot = self._snapshot(tx)
        self.metering.keep(self.store)
        return snapshot

    def _snapshot(self, tx: Transaction) -> Snapshot:
        services = tx.figures.services()
        return Snapshot(
            agencies=tuple(tx.figures.agencies()),
            services=tuple((agency, component, state) for agency, component, _, state in services),
            runs=tx.figures.runs(),
            run_durations=tx.figures.run_durations(),
            step_durations=tx.figures.step_durations(),
            onboarding_durations=tx.figures.onboarding_durations(),
            drift=tx.figures.drift(),
            recovery=recovery_figures(tx.figures, self.source.catalog(), services),
            service_levels=self.metering.figures(tx),
            probing=probing_figures(tx, self.source.catalog(), self.probe_counts, now=self.clock.now()),
        )

    def _agency(self, tx: Transaction, agency: str) -> AgencyView:
        record = find_agency(tx, agency)
        site, run = self.source.site(record.site), tx.runs.open_of(agency)
        allocations = tx.allocations.of(agency, site=site.name)
        health = diagnose(tx, self.source.catalog(), now=self.clock.now(), agency=agency)
        read_until = tx.prober.read_until()
        is_probed = read_until is not None and self.clock.now() - read_until < RECENTLY
        return AgencyView(
            agency=record.id,
            name=record.name,
            framework=record.framework,
            site=record.site,
            offboarded_at=record.offboarded_at,
            allocations={name: a.block for name, a in sorted(allocations.items())},
            open_run=run.id if run else None,
            held_backups=tuple(tx.backups.held(agency)),
            services=tuple(
                self._service(
                    i,
                    site=site,
                    allocations=allocations,
                    run_open=run is not None,
                    health=health.get((agency, i.component), UNPROBED),
                    is_probed=is_probed,
                )
                for i in tx.instances.of(agency).values()
            ),
        )

    def _service(
        self,
        instance: ServiceInstance,
        *,
        site: Site,
        allocations: dict[str, Allocation],
        run_open: bool,
        health: Health,
        is_probed: bool,
    ) -> ServiceView:
        component = self.source.catalog().components[instance.component]
        note = None
        if health.since is None and instance.exists:
            note = _unprobed(component, is_probed=is_probed)
            health = first_reading(component, instance, now=self.clock.now())
        facts = endpoint_facts(instance, agency=instance.agency, site=site, allocations=allocations)
        endpoints = component.endpoints if instance.exists else ()
        return ServiceView(
            component=instance.component,
            title=component.title,
            tier=instance.tier,
            lifecycle=instance.state,
            health=health.state,
            health_since=health.since,
            health_note=note,
            status=display_status(instance.state, run_open=run_open),
            hosts=hosts_in(instance.hosts),
            endpoints=tuple(
                EndpointView(name=e.name, address=e.address.format_map(known))
                for e in endpoints
                for _, known in by_host(e.address, component, instance, facts, site=site)
            ),
            error=instance.error,
        )


def _unprobed(component: Component, *, is_probed: bool) -> str:
    if not component.probes:
        return "has no probes"
    return "first probe due" if is_probed else NOBODY_PROBES


def _prospects(run: Run, crew: Crew) -> dict[str, Any]:
    """Whether an open run has lost its worker, and what happens to it."""
    gone = run.state is RunState.RUNNING and run.worker is not None and run.worker not in crew.alive
    if gone and crew.serving:
        return {"worker_gone": True, "next": "another worker takes it over by itself"}
    resume = f"orchestrator run resume {run.id}"
    if gone:
        return {
            "worker_gone": True,
            "next": f"no worker is running: {resume} goes on with it, orchestrator run cancel {run.id} ends it",
        }
    if run.state is not RunState.RUNNING and not crew.alive:
        return {"next": f"no worker is running: it starts with one (orchestrator worker), or with {resume}"}
    return {}


def is_open(view: RunView) -> bool:
    return view.state in OPEN_RUN
