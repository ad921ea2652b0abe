"""Observing: what people, scripts and dashboards are shown. Reads only."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestrator.domain.estate.allocation import Allocation
from orchestrator.domain.estate.site import Site, hosts_in
from orchestrator.domain.events import Event
from orchestrator.domain.ordering.instance import InstanceState, ServiceInstance, display_status
from orchestrator.domain.ordering.plan import MOVES
from orchestrator.domain.recovery.held_backups import HeldBackups
from orchestrator.domain.runs.assignment import by_host, endpoint_facts
from orchestrator.domain.runs.run import OPEN_RUN, Run, RunState, StepState
from orchestrator.domain.runs.waits import ForPeople, Wait
from orchestrator.domain.selling.catalog import Component
from orchestrator.domain.service_levels.record import State
from orchestrator.domain.value import Value
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.figures import ProbeCounts, Snapshot
from orchestrator.ports.outside import Clock
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import events_of, find_agency, find_run
from orchestrator.usecases.probing.diagnosing import UNPROBED, Health, diagnose, first_reading
from orchestrator.usecases.recovery.measuring import measured_move, probing_figures, recovery_figures
from orchestrator.usecases.runs.admitting import Admitting, next_steps
from orchestrator.usecases.runs.views import Crew, RunView, prospects, run_view
from orchestrator.usecases.service_levels.metering import Metering

NOBODY_PROBES = "nobody probes"
RECENTLY = timedelta(minutes=1)
"""A prober whose readings reach this far is at work."""


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
    """Why the health is not known yet."""
    status: str
    hosts: tuple[str, ...]
    elsewhere: tuple[str, ...]
    """Hosts with another copy of it, which does not serve."""
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
        """Agencies in service, and those that left if `offboarded`."""
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
            waiting = self._steps_wait(tx, run)
            waits = self.admitting.waits_for(tx, run) or _for_people(run, waiting)
            steps = tx.runs.steps(run_id)
            running = [step.id for step in steps if step.state is StepState.RUNNING]
            tasks = tx.events.current_tasks(run_id, running)
            view = run_view(run, steps, waits_for=waits, steps_wait_for=waiting, tasks=tasks)
            if run.purpose in MOVES:
                view = view.model_copy(update={"recovery": measured_move(tx, run, self.source.catalog())})
        return view.model_copy(update=prospects(run, self.crew())) if run.state in OPEN_RUN else view

    def _steps_wait(self, tx: Transaction, run: Run) -> Mapping[str, Wait]:
        """What the steps of a run under way wait for."""
        now = self.clock.now()
        people = {one.step: ForPeople(order=one, jeopardy=one.jeopardy(now)) for one in tx.work_orders.of(run.id)}
        if run.state is not RunState.RUNNING:
            return people
        return {**next_steps(tx, run, exclusive=self.source.catalog().exclusive, now=now).waiting, **people}

    def rolling_back(self, run_id: int) -> RunView | None:
        """The run that removes what a failed run built."""
        with self.store.read() as tx:
            undoing = tx.runs.caused_by(run_id)
            return run_view(undoing, []) if undoing else None

    def events(self, *, run: int, after: int = 0) -> Iterator[Event]:
        """All recorded events of a run after an id, without gap or repeat."""
        return events_of(self.store, run, after=after)

    def snapshot(self) -> Snapshot:
        """The figures of this moment. Meters that had to be read again for it are kept."""
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
            work_orders=self._work_orders(tx),
            recovery=recovery_figures(tx.figures, self.source.catalog(), services),
            service_levels=self.metering.figures(tx),
            probing=probing_figures(tx, self.source.catalog(), self.probe_counts, now=self.clock.now()),
        )

    def _work_orders(self, tx: Transaction) -> tuple[tuple[str, str, str, int], ...]:
        """How many each service has, by how they stand."""
        now = self.clock.now()
        found = Counter((o.agency, o.component, o.jeopardy(now).value) for o in tx.work_orders.all() if not o.withdrawn)
        return tuple((*labels, count) for labels, count in sorted(found.items()))

    def _agency(self, tx: Transaction, agency: str) -> AgencyView:
        record = find_agency(tx, agency)
        site, run = self.source.site(record.site), tx.runs.open_of(agency) or next(iter(tx.runs.waiting(agency)), None)
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
            elsewhere=hosts_in(site.present(instance.elsewhere)),
            endpoints=tuple(
                EndpointView(name=e.name, address=e.address.format_map(known))
                for e in endpoints
                for _, known in by_host(e.address, component, instance, facts, site=site)
            ),
            error=instance.error,
        )


def _for_people(run: Run, waiting: Mapping[str, Wait]) -> Wait | None:
    """What a run waits for that waits for people: what is due first."""
    return next(iter(waiting.values()), None) if run.state is RunState.WAITING else None


def _unprobed(component: Component, *, is_probed: bool) -> str:
    if not component.probes:
        return "has no probes"
    return "first probe due" if is_probed else NOBODY_PROBES
