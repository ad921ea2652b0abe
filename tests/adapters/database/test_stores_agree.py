"""The databases and the store in memory, side by side: they give the same answers after any operations.

What memory counts from the records one by one is compared with the sums that the databases keep beside their rows,
including the sums of what was forgotten.
"""

import random
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import pytest

from orchestrator.domain.errors import OrchestratorError
from orchestrator.domain.ordering.agency import StoredPlan
from orchestrator.domain.ordering.plan import CHANGES
from orchestrator.domain.recovery.drills import DrillState
from orchestrator.domain.runs.run import RunState
from orchestrator.ports.figures import FigureRecords, Histogram
from orchestrator.ports.store import Store, Transaction
from tests.adapters.database.test_store_contract import NOW, REFUSED, agreement, catalog, order, plan, record, site
from tests.adapters.database.world import AGENCIES, COMPONENTS, FRAMEWORKS, LEASE, POOL, SITE, TURN, Operation, World
from tests.memory.store import MemoryStore
from tests.stores import REAL, open_store

__all__ = ["agreement", "catalog", "order", "plan", "site"]

TURNS, LOOK = 301, 10


@pytest.fixture(params=REAL)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with open_store(request.param, request, tmp_path) as made:
        yield made


def outcome(store: Store, operation: Operation) -> object:
    try:
        with store.begin() as tx:
            return operation(tx)
    except OrchestratorError as error:
        return error.kind, error.message, error.hint, error.ids
    except REFUSED:
        return "refused"


def everything(tx: Transaction, now: datetime) -> Iterator[object]:
    """All that a transaction tells, subject by subject."""
    runs = tx.runs.newest(limit=1000)
    yield tx.agencies.all(), [tx.agencies.committed(f, without=w) for f in FRAMEWORKS for w in ("a1", "nobody")]
    yield tx.instances.all()
    yield tx.allocations.taken(SITE, POOL), tx.allocations.first_gap(SITE, POOL)
    yield runs, tx.runs.queue(), tx.runs.active(), [tx.runs.count(state) for state in RunState]
    yield [(tx.runs.steps(r.id), tx.runs.caused_by(r.id), tx.runs.changing_elsewhere(r)) for r in runs]
    yield [(tx.plans.get(run.plan), tx.plans.desired(run.plan)) for run in runs]
    yield tx.events.after(0), tx.events.after(3, run=1, limit=5), tx.events.current_tasks(1, ["desk.a", "desk.b"])
    yield tx.secrets.made(), tx.secrets.made("a1"), tx.secrets.after(("a1", "network", "key"), limit=3)
    yield tx.secrets.after(None, limit=100)
    yield tx.ticks.last("hourly"), tx.ticks.last("daily")
    yield tx.workers.alive(lease=LEASE), tx.workers.serving(lease=LEASE), tx.workers.capacity(lease=LEASE)
    yield tx.workers.unburied(), tx.prober.read_until()
    yield tx.backups.last_of_all(), tx.backups.held()
    yield tx.drills.newest(), tx.drills.in_state(*DrillState), tx.drills.scheduled_since(now), tx.drills.durations()
    yield tx.drills.last_evidence(), tx.drills.count_evidence(), [tx.drills.evidence(d.id) for d in tx.drills.newest()]
    yield sorted(tx.transitions.standings()), sorted(tx.transitions.probed())
    yield tx.transitions.of(AGENCIES[:2]), sorted(tx.transitions.changes(3)), tx.transitions.last_change()
    yield tx.service_periods.within(now - 9 * LEASE, now), tx.declarations.within(now - 9 * LEASE, now)
    yield tx.declarations.of(AGENCIES[:2]), sorted(tx.declarations.changes(2)), tx.declarations.last_change()
    yield sorted(tx.meters.all(), key=str)
    yield from (of_agency(tx, agency, now) for agency in AGENCIES)
    yield figures(tx.figures, now)


def of_agency(tx: Transaction, agency: str, now: datetime) -> tuple[object, ...]:
    span = (now - 9 * LEASE, now)
    services = [
        (
            sorted(tx.backups.newest(agency, component, limit=3), key=lambda backup: backup.run),
            tx.canaries.of(agency, component),
            tx.canaries.last(agency, component),
            tx.secrets.of(agency, component),
            tx.transitions.between(agency, component, *span),
        )
        for component in COMPONENTS
    ]
    return (
        services,
        tx.agencies.get(agency),
        tx.instances.of(agency),
        tx.allocations.of(agency, site=SITE),
        tx.runs.open_of(agency),
        tx.runs.newest(agency=agency, limit=2),
        (tx.runs.newest(agency=agency, purposes=CHANGES, limit=2), tx.runs.waiting(agency)),
        (tx.runs.waiting(), tx.work_orders.all(), [tx.work_orders.of(run) for run in (1, 2, 3)]),
        tx.runs.drifted(agency),
        tx.secrets.proposed(agency),
        (tx.backups.held(agency), tx.backups.taken(agency)),
        (tx.drills.newest(agency=agency), tx.drills.scheduled_since(now, agency=agency), tx.drills.durations(agency)),
        (tx.service_periods.within(*span, agency=agency), tx.declarations.within(*span, agency=agency)),
        (tx.incidents.within(agency, *span), tx.declarations.newest(agency=agency)),
        (tx.facts.onboardings(agency, *span), tx.facts.backups(agency, *span)),
    )


def figures(told: FigureRecords, now: datetime) -> Mapping[str, object]:
    names = [name for name in vars(FigureRecords) if not name.startswith("_")]
    found = {name: getattr(told, name)(*((now,) if name == "served" else ())) for name in names}
    found["onboarding_durations"] = [_rounded(histogram) for histogram in found["onboarding_durations"]]
    return found


def _rounded(histogram: Histogram) -> Histogram:
    """SQLite counts in days."""
    return histogram.model_copy(update={"total_seconds": round(histogram.total_seconds, 2)})


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_all_stores_give_the_same_answers_after_any_operations(store: Store, plan: StoredPlan, seed: int) -> None:
    world, memory = World(random.Random(seed), plan.plan, plan.order), MemoryStore()
    with memory.begin() as tx:
        tx.agencies.put(record(world.order))
        tx.plans.add(plan.plan, order=world.order, at=NOW)
    for both in (store, memory):
        with both.begin() as tx:
            for agency in AGENCIES:
                tx.agencies.put(record(world.order, id=agency))
    for turn in range(TURNS):
        if turn % 6 == 0:
            world.now += TURN
        operation = world.draw()
        assert outcome(store, operation) == outcome(memory, operation)
        if turn % LOOK == 0:
            with store.read() as one, memory.read() as other:
                for real, told in zip(everything(one, world.now), everything(other, world.now), strict=True):
                    assert real == told
    assert world.done == {name for name in vars(World) if name.startswith("do_")}
    with store.read() as tx:
        assert sum(count for *_, count in tx.figures.runs()) > len(tx.runs.newest(limit=1000)), "some are forgotten"
