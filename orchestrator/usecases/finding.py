"""Finding what a request names, or raising NOT_FOUND."""

from collections.abc import Iterator

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import Event
from orchestrator.domain.ordering.agency import AgencyRecord, StoredPlan
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.recovery.drills import Drill
from orchestrator.domain.runs.run import Run
from orchestrator.ports.store import Store, Transaction

NAMED = 20
"""The most agencies that an error lists."""


def find_agency(tx: Transaction, agency: str) -> AgencyRecord:
    found = tx.agencies.get(agency)
    if found is None:
        known = ", ".join(a.id for a in tx.agencies.all()[:NAMED])
        raise OrchestratorError(
            Kind.NOT_FOUND, f"there is no agency {agency!r}", hint=f"agencies: {known or 'none yet'}"
        )
    return found


def in_service(tx: Transaction, agency: str | None = None) -> list[tuple[AgencyRecord, dict[str, ServiceInstance]]]:
    """Agencies in service, or one of them, each with its instances by component. Always two queries."""
    if agency is not None:
        one = find_agency(tx, agency)
        return [] if one.offboarded_at else [(one, tx.instances.of(agency))]
    recorded: dict[str, dict[str, ServiceInstance]] = {}
    for instance in tx.instances.all():
        recorded.setdefault(instance.agency, {})[instance.component] = instance
    return [(record, recorded.get(record.id, {})) for record in tx.agencies.all() if record.offboarded_at is None]


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


def events_of(store: Store, run: int, *, after: int = 0) -> Iterator[Event]:
    """All recorded events of a run after an id, without gap or repeat."""
    while True:
        with store.read() as tx:
            batch = tx.events.after(after, run=run)
        yield from batch
        if not batch:
            return
        after = batch[-1].id
