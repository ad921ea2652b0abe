"""Finding what a request names, or saying that it is not there."""

from orchestrator.domain.drill import Drill
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.instance import ServiceInstance
from orchestrator.domain.run import Run
from orchestrator.usecases.ports import AgencyRecord, StoredPlan, Transaction

NAMED = 20
"""How many agencies an error lists at most."""


def find_agency(tx: Transaction, agency: str) -> AgencyRecord:
    found = tx.agencies.get(agency)
    if found is None:
        known = ", ".join(a.id for a in tx.agencies.all()[:NAMED])
        raise OrchestratorError(
            Kind.NOT_FOUND, f"there is no agency {agency!r}", hint=f"agencies: {known or 'none yet'}"
        )
    return found


def recorded_of_all(tx: Transaction) -> dict[str, dict[str, ServiceInstance]]:
    """agency -> its instances by component, of every agency in service, in one reading."""
    recorded: dict[str, dict[str, ServiceInstance]] = {a.id: {} for a in tx.agencies.all() if a.offboarded_at is None}
    for instance in tx.instances.all():
        if instance.agency in recorded:
            recorded[instance.agency][instance.component] = instance
    return recorded


def find_plan(tx: Transaction, plan: int) -> StoredPlan:
    found = tx.plans.get(plan)
    if found is None:
        raise OrchestratorError(Kind.NOT_FOUND, f"there is no plan {plan}")
    return found


def find_run(tx: Transaction, run: int) -> Run:
    found = tx.runs.get(run)
    if found is None:
        raise OrchestratorError(Kind.NOT_FOUND, f"there is no run {run}", hint="orchestrator run list shows them")
    return found


def find_drill(tx: Transaction, drill: int) -> Drill:
    found = tx.drills.get(drill)
    if found is None:
        raise OrchestratorError(Kind.NOT_FOUND, f"there is no drill {drill}", hint="orchestrator drill list shows them")
    return found
