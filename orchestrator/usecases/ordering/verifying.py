"""Verifying: using each of an agency's services as its users do, to see whether it works."""

from dataclasses import dataclass

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import Happening
from orchestrator.domain.ordering.drift import verification_plan
from orchestrator.domain.runs.run import Run, StepRecord
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.outside import Clock
from orchestrator.ports.runs import Assignment
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import find_agency
from orchestrator.usecases.runs.assigning import Assigning
from orchestrator.usecases.runs.driving import Consequences, queue_run


@dataclass(frozen=True)
class Verifying(Consequences):
    source: CatalogSource
    store: Store
    clock: Clock
    assigning: Assigning

    def open_run(self, agency: str, component: str | None = None) -> Run:
        """A queued run that verifies what the agency has in service, or one component of it."""
        with self.store.begin() as tx:
            now, site = self.clock.now(), self.source.site(find_agency(tx, agency).site)
            plan = verification_plan(agency, component, recorded=tx.instances.of(agency), site=site)
            if plan.empty:
                what = f"no {component}" if component else "nothing"
                raise OrchestratorError(
                    Kind.CONFLICT,
                    f"{agency} has {what} in service to verify",
                    hint=f"see: orchestrator agency show {agency}",
                )
            return queue_run(tx, tx.plans.add(plan, order=None, at=now), at=now)

    # Consequences of the steps

    def begin_step(self, tx: Transaction, run: Run, step: StepRecord, happenings: list[Happening]) -> Assignment:
        del happenings
        return self.assigning.assignment(tx, run, step, tx.instances.of(run.agency)[step.component])
