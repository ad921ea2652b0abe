"""The contract of the store, continued: the records of service levels."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.ordering.agency import StoredPlan
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.runs.run import RunState, StepState
from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.selling.catalog import Verb
from orchestrator.domain.service_levels.closed_month import ClosedMonth
from orchestrator.domain.service_levels.declaration import Declaration
from orchestrator.domain.service_levels.figures import Figures
from orchestrator.domain.service_levels.incidents import Incident
from orchestrator.domain.service_levels.month_record import MonthRecord, Onboarding
from orchestrator.domain.service_levels.record import Acceptance, Exclusion, Maintenance, Outage
from orchestrator.ports.store import Store
from tests.adapters.database.test_store_contract import NOW, agreement, catalog, order, plan, site, store

__all__ = ["agreement", "catalog", "order", "plan", "site", "store"]

HOUR = timedelta(hours=1)
APRIL = CalendarMonth.named("2026-04")

pytestmark = pytest.mark.usefixtures("plan")


class TestPeriodsOfService:
    def test_begin_once_and_end(self, store: Store) -> None:
        with store.begin() as tx:
            tx.service_periods.begin("a1", "desk", at=NOW)
            tx.service_periods.begin("a1", "desk", at=NOW + HOUR)
            tx.service_periods.end("a1", "desk", at=NOW + 2 * HOUR)
            tx.service_periods.begin("a1", "desk", at=NOW + 3 * HOUR)
        with store.read() as tx:
            found = tx.service_periods.within(NOW, NOW + 9 * HOUR)
        assert found == [("a1", "desk", NOW, NOW + 2 * HOUR), ("a1", "desk", NOW + 3 * HOUR, None)]

    @pytest.mark.parametrize(("start", "end", "there"), [(-2, 0, False), (-1, 1, True), (1, 9, True), (2, 9, False)])
    def test_are_found_when_any_part_lies_within(self, store: Store, start: int, end: int, there: bool) -> None:
        with store.begin() as tx:
            tx.service_periods.begin("a1", "desk", at=NOW)
            tx.service_periods.end("a1", "desk", at=NOW + 2 * HOUR)
            assert bool(tx.service_periods.within(NOW + start * HOUR, NOW + end * HOUR, agency="a1")) == there
            assert not tx.service_periods.within(NOW + start * HOUR, NOW + end * HOUR, agency="a2")


class TestDeclarations:
    @pytest.mark.parametrize(
        "what",
        [
            Maintenance(start=NOW, end=NOW + HOUR, announced_at=NOW - HOUR, ended_at=NOW + 2 * HOUR),
            Exclusion(start=NOW, end=NOW + HOUR, why="theirs", acceptance=Acceptance(by="Jo", at=NOW)),
            Outage(start=NOW, end=NOW + HOUR, reference="ticket 7"),
        ],
    )
    def test_come_back_as_they_were(self, store: Store, what: Any) -> None:
        with store.begin() as tx:
            kept = tx.declarations.add(Declaration(id=0, agency="a1", component=None, why="so", what=what))
        with store.read() as tx:
            assert tx.declarations.get(kept.id) == kept
            assert tx.declarations.newest(agency="a1") == [kept]
            assert kept.what == what

    def test_are_found_for_as_long_as_they_actually_lasted(self, store: Store) -> None:
        planned = Maintenance(start=NOW, end=NOW + HOUR, announced_at=NOW - HOUR)
        with store.begin() as tx:
            kept = tx.declarations.add(Declaration(id=0, agency="a1", component="desk", why="so", what=planned))
            assert tx.declarations.within(NOW + 2 * HOUR, NOW + 3 * HOUR) == []
            ended = kept.ended(NOW + 3 * HOUR)
            tx.declarations.put(ended)
            assert tx.declarations.within(NOW + 2 * HOUR, NOW + 3 * HOUR, agency="a1") == [ended]
            assert tx.declarations.within(NOW + 2 * HOUR, NOW + 3 * HOUR, agency="a2") == []


class TestIncidents:
    def test_are_replaced_by_later_reports(self, store: Store) -> None:
        told = Incident.model_validate({"priority": "p2", "reported_at": NOW, "holds": [{"start": NOW + HOUR}]})
        fixed = told.model_copy(update={"fixed_at": (NOW + 2 * HOUR).replace(microsecond=0)})
        with store.begin() as tx:
            tx.incidents.put("a1", "7", told)
            assert tx.incidents.within("a1", NOW + 5 * HOUR, NOW + 9 * HOUR) == {"7": told}
            tx.incidents.put("a1", "7", fixed)
            assert tx.incidents.within("a1", NOW, NOW + HOUR) == {"7": fixed}
            assert tx.incidents.within("a1", NOW + 5 * HOUR, NOW + 9 * HOUR) == {}
            assert tx.incidents.within("a1", NOW - 5 * HOUR, NOW - HOUR) == {}
            assert tx.incidents.within("a2", NOW, NOW + HOUR) == {}


class TestClosedMonths:
    def test_keep_every_version(self, store: Store, agreement: FrameworkAgreement) -> None:
        figures = Figures(results={}, charges=Decimal("10.00"), credit=Decimal("0.00"))
        record = MonthRecord(agency="a1", month=APRIL, terms=agreement.service_levels, until=NOW)
        first = ClosedMonth.close("a1", APRIL, figures, record={}, at=NOW, zone=ZoneInfo("Europe/London"))
        dearer = figures.model_copy(update={"credit": Decimal("1.50")})
        second = first.restated(dearer, record={"late": 1}, at=NOW + HOUR, why="late evidence")
        with store.begin() as tx:
            assert tx.months.get("a1", APRIL) is None
            tx.months.add_version(first, record)
            tx.months.add_version(second, record.model_copy(update={"backups": 9}))
        with store.read() as tx:
            assert tx.months.get("a1", APRIL) == second
            assert tx.months.of("a1") == [second]
            assert tx.months.record("a1", APRIL).backups == 9


class TestFacts:
    def test_list_onboardings_that_succeeded(self, store: Store, plan: StoredPlan) -> None:
        with store.begin() as tx:
            run = tx.runs.open(plan, at=NOW)
            finished_at = (NOW + HOUR).replace(microsecond=0)
            tx.runs.put(run.model_copy(update={"state": RunState.SUCCEEDED, "finished_at": finished_at}))
            found = tx.facts.onboardings("a1", NOW, NOW + 2 * HOUR)
            assert found == [Onboarding(ordered_at=plan.created_at, in_service_at=finished_at)]
            assert tx.facts.onboardings("a1", NOW + HOUR, NOW + 2 * HOUR) == []

    def test_count_backups_that_succeeded_and_failed(self, store: Store, plan: StoredPlan) -> None:
        verbs = {"network.precheck": Verb.BACKUP, "network.provision": Verb.BACKUP, "network.verify": Verb.VERIFY}
        ends = dict(zip(verbs, (StepState.SUCCEEDED, StepState.FAILED, StepState.SUCCEEDED), strict=True))
        steps = [step.model_copy(update={"verb": verbs[step.id]}) for step in plan.plan.steps]
        backup = plan.model_copy(
            update={"plan": plan.plan.model_copy(update={"purpose": Purpose.BACKUP, "steps": tuple(steps)})}
        )
        with store.begin() as tx:
            run = tx.runs.open(backup, at=NOW)
            for step in tx.runs.steps(run.id):
                tx.runs.put_step(run.id, step.model_copy(update={"state": ends[step.id], "finished_at": NOW}))
            assert tx.facts.backups("a1", NOW - HOUR, NOW + HOUR) == (1, 1)
            assert tx.facts.backups("a1", NOW + HOUR, NOW + 2 * HOUR) == (0, 0)


class TestForgettingBackups:
    def counters(self, store: Store) -> tuple[Any, ...]:
        with store.read() as tx:
            return tx.figures.runs(), tx.figures.run_durations(), tx.figures.step_durations()

    def back_up(self, store: Store, plan: StoredPlan, *, ended_at: datetime, seconds: float) -> None:
        with store.begin() as tx:
            stored = tx.plans.add(plan.plan.model_copy(update={"purpose": Purpose.BACKUP}), order=None, at=NOW)
            run = tx.runs.open(stored, at=ended_at - timedelta(seconds=seconds))
            times = {"started_at": ended_at - timedelta(seconds=seconds), "finished_at": ended_at}
            for step in tx.runs.steps(run.id):
                tx.runs.put_step(run.id, step.model_copy(update={"state": StepState.SUCCEEDED, **times}))
            tx.runs.put(run.model_copy(update={"state": RunState.SUCCEEDED, **times}))

    def test_leaves_the_counters_unchanged(self, store: Store, plan: StoredPlan) -> None:
        for day in range(4):
            self.back_up(store, plan, ended_at=NOW + timedelta(days=day), seconds=3.0 + 40 * day)
        before = self.counters(store)
        assert ("backup", "succeeded", 4) in before[0]
        for days in (1.5, 2.5):  # what was forgotten before is kept too
            with store.begin() as tx:
                assert tx.backups.forget(before=NOW + timedelta(days=days), limit=10)
            assert self.counters(store) == before
        self.back_up(store, plan, ended_at=NOW + timedelta(days=9), seconds=1.0)
        assert ("backup", "succeeded", 5) in self.counters(store)[0]
