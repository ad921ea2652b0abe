"""The contract of the store, continued: contradictory records are refused even if the code forgets to check."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.allocation import Holding
from orchestrator.domain.ordering.agency import StoredPlan
from orchestrator.domain.recovery.drills import Drill, DrillState
from orchestrator.domain.recovery.held_backups import HeldBackups
from orchestrator.domain.recovery.verdict import Moment
from orchestrator.domain.selling.agreement import CallOff, FrameworkAgreement
from orchestrator.domain.service_levels.closed_month import ClosedMonth
from orchestrator.domain.service_levels.declaration import Declaration
from orchestrator.domain.service_levels.figures import Figures
from orchestrator.domain.service_levels.incidents import Incident, IncidentPriority
from orchestrator.domain.service_levels.month_record import MonthRecord
from orchestrator.domain.service_levels.record import Outage
from orchestrator.ports.store import Store, Transaction
from tests.adapters.database.test_store_contract import (
    NOW,
    REFUSED,
    agreement,
    catalog,
    given,
    order,
    plan,
    record,
    site,
    store,
)

__all__ = ["agreement", "catalog", "order", "plan", "site", "store"]

HOUR = timedelta(hours=1)
APRIL = CalendarMonth.named("2026-04")
OUTAGE = Outage(start=NOW, end=NOW + HOUR, reference="7")
HELD = HeldBackups(agency="a2", site="here", function="keep", host="h", since=NOW, until=NOW + HOUR)
DRILL = Drill(
    id=0,
    key="k",
    agency="a2",
    component="network",
    site="here",
    moment=Moment.NOW,
    state=DrillState.APPROVED,
    scheduled_at=NOW,
    requested_by="ann",
    created_at=NOW,
)

OF_NOBODY: dict[str, Callable[[Transaction], object]] = {
    "a period": lambda tx: tx.service_periods.begin("a2", "desk", at=NOW),
    "a declaration": lambda tx: tx.declarations.add(
        Declaration(id=0, agency="a2", component=None, why="so", what=OUTAGE)
    ),
    "an incident": lambda tx: tx.incidents.put("a2", "7", Incident(priority=IncidentPriority.P1, reported_at=NOW)),
    "held backups": lambda tx: tx.backups.hold(HELD),
    "a drill": lambda tx: tx.drills.add(DRILL),
}


def refused(store: Store, write: Callable[[Transaction], object]) -> None:
    with pytest.raises((*REFUSED, OrchestratorError)), store.begin() as tx:
        write(tx)


@pytest.mark.usefixtures("plan")
@pytest.mark.parametrize("what", OF_NOBODY)
def test_a_record_of_an_unknown_agency_is_refused(store: Store, what: str) -> None:
    refused(store, OF_NOBODY[what])


def test_a_run_needs_a_recorded_plan_and_agency(store: Store, plan: StoredPlan) -> None:
    refused(store, lambda tx: tx.runs.open(plan.model_copy(update={"id": 99}), at=NOW))
    other = plan.plan.model_copy(update={"agency": "a2"})
    refused(store, lambda tx: tx.runs.open(tx.plans.add(other, order=None, at=NOW), at=NOW))


def test_an_instance_needs_a_recorded_agency(store: Store, plan: StoredPlan) -> None:
    wish = plan.plan.desired["network"]
    assert wish is not None
    refused(store, lambda tx: tx.instances.put(wish.model_copy(update={"agency": "a2"})))


def test_an_agency_has_one_block_of_each_name_at_a_site(store: Store) -> None:
    with store.begin() as tx:
        tx.allocations.add(given("10.64.1.0/24"), at=NOW)
    with pytest.raises(OrchestratorError, match="taken by somebody else") as conflict, store.begin() as tx:
        tx.allocations.add(given("10.64.2.0/24"), at=NOW)
    assert (conflict.value.kind, conflict.value.hint) == (Kind.CONFLICT, "plan again")


def test_a_secret_is_added_only_once(store: Store) -> None:
    with store.begin() as tx:
        tx.secrets.add("a1", "network", "key", b"one", at=NOW)
    refused(store, lambda tx: tx.secrets.add("a1", "network", "key", b"two", at=NOW))
    with store.read() as tx:
        assert tx.secrets.of("a1", "network") == {"key": b"one"}


@pytest.mark.usefixtures("plan")
def test_a_version_of_a_month_is_closed_once(store: Store, agreement: FrameworkAgreement) -> None:
    found = Figures(results={}, charges=Decimal("10.00"), credit=Decimal("0.00"))
    kept = MonthRecord(agency="a1", month=APRIL, terms=agreement.service_levels, until=NOW)
    closed = ClosedMonth.close("a1", APRIL, found, record={}, at=NOW, zone=ZoneInfo("Europe/London"))
    with store.begin() as tx:
        tx.months.add_version(closed, kept)
    refused(store, lambda tx: tx.months.add_version(closed, kept))


def test_a_reading_transaction_writes_nothing(store: Store, order: CallOff) -> None:
    """PostgreSQL and memory refuse it, SQLite drops it."""
    with suppress(Exception), store.read() as tx:
        tx.agencies.put(record(order))
    with store.read() as tx:
        assert tx.agencies.all() == []


def test_a_refused_transaction_is_undone_whole(store: Store) -> None:
    with store.begin() as tx:
        tx.allocations.add(given("10.64.1.0/24"), at=NOW)

    def too_much(tx: Transaction) -> None:
        tx.allocations.hold("a1")
        tx.workers.join("w", host="h", runs=1)
        tx.prober.take("w", lease=HOUR)
        tx.secrets.add("a1", "network", "key", b"one", at=NOW)
        tx.allocations.add(given("10.64.1.0/24", agency="a2"), at=NOW)

    refused(store, too_much)
    with store.begin() as tx:
        assert tx.allocations.of("a1", site="here")["subnet"].holding is Holding.RESERVED
        assert tx.workers.unburied() == set()
        assert tx.secrets.made() == []
        assert tx.prober.take("v", lease=HOUR)


def test_forgetting_deletes_no_more_than_its_limit(store: Store, plan: StoredPlan) -> None:
    with store.begin() as tx:
        for _ in range(4):
            tx.plans.add(plan.plan, order=None, at=NOW)
        assert tx.plans.forget_unapplied(before=NOW + HOUR, limit=3) == 3
        assert tx.plans.forget_unapplied(before=NOW + HOUR, limit=3) == 2
