"""Comparing the hosts with the records, by provisioning in check mode."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import Event, Happening, TaskFinished
from orchestrator.domain.ordering.drift import comparable, drift_plan
from orchestrator.domain.runs.run import Run, StepRecord, StepState
from orchestrator.domain.runs.run_options import Priority, RunOptions
from orchestrator.domain.selling.catalog import Verb
from orchestrator.domain.value import Value
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.outside import Clock
from orchestrator.ports.runs import Assignment
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import events_of, find_agency, find_run, in_service
from orchestrator.usecases.runs.assigning import Assigning
from orchestrator.usecases.runs.driving import Consequences, queue_run


class WouldChange(Value):
    """`difference` has lines that begin with - (what is) and + (what would be); None if the task hides them."""

    host: str
    task: str
    difference: str | None = None


class DriftView(Value):
    """What provisioning a component again would change; `changed` is None if that is unknown."""

    agency: str
    component: str
    run: int
    changed: int | None
    tasks: tuple[WouldChange, ...]


@dataclass(frozen=True)
class Comparing(Consequences):
    source: CatalogSource
    store: Store
    clock: Clock
    assigning: Assigning

    def open_run(self, agency: str) -> Run:
        """A queued run that compares everything the agency has in service."""
        with self.store.begin() as tx:
            run = self._open(tx, agency)
        if run is None:
            raise OrchestratorError(
                Kind.CONFLICT,
                f"{agency} has nothing in service to compare",
                hint=f"see: orchestrator agency show {agency}",
            )
        return run

    def open_for_all(self) -> list[Run]:
        """Such a run for every agency without an open run."""
        with self.store.read() as tx:
            agencies = [record.id for record, recorded in in_service(tx) if comparable(recorded)]
        return [run for agency in agencies if (run := self._open_if_free(agency)) is not None]

    def found(self, run_id: int) -> list[DriftView]:
        """What a run has found so far."""
        with self.store.read() as tx:
            run, steps = find_run(tx, run_id), tx.runs.steps(run_id)
        told = list(events_of(self.store, run_id))
        return [_view(run, step, told) for step in steps]

    # Consequences of the steps

    def begin_step(self, tx: Transaction, run: Run, step: StepRecord, happenings: list[Happening]) -> Assignment:
        del happenings
        assignment = self.assigning.assignment(tx, run, step, tx.instances.of(run.agency)[step.component])
        return replace(assignment, verb=Verb.PROVISION, check=True)

    # Inside

    def _open(self, tx: Transaction, agency: str) -> Run | None:
        """None if there is nothing to compare."""
        now, site = self.clock.now(), self.source.site(find_agency(tx, agency).site)
        plan = drift_plan(agency, recorded=tx.instances.of(agency), site=site)
        if plan.empty:
            return None
        return queue_run(tx, tx.plans.add(plan, order=None, at=now), RunOptions(priority=Priority.DRIFT), at=now)

    def _open_if_free(self, agency: str) -> Run | None:
        with self.store.begin() as tx:
            return self._open(tx, agency) if tx.runs.open_of(agency) is None else None


def _view(run: Run, step: StepRecord, told: Sequence[Event]) -> DriftView:
    changing = [e.what for e in told if e.step == step.id and isinstance(e.what, TaskFinished)]
    return DriftView(
        agency=run.agency,
        component=step.component,
        run=run.id,
        changed=step.counts.changed if step.state is StepState.SUCCEEDED else None,
        tasks=tuple(
            WouldChange(host=t.host, task=t.task, difference=t.difference) for t in changing if t.outcome == "changed"
        ),
    )
