"""Scheduled drills: recorded ahead, there once, started within their window, and missed loudly."""

from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from orchestrator.domain.drill import Drill, DrillState
from orchestrator.domain.run import Run
from orchestrator.domain.verdict import Moment, Verdict
from orchestrator.usecases.scheduling import AHEAD, Scheduling
from tests.usecases.conftest import order
from tests.usecases.test_drilling import AGENCY, RecoveryHouse, databases, ready, recovery

__all__ = ["databases", "ready", "recovery"]  # fixtures


@pytest.fixture
def scheduling(ready: RecoveryHouse) -> Iterator[Scheduling]:
    house = ready.house
    source, store = house.ordering.source, house.store
    yield Scheduling(source=source, store=store, clock=house.clock, drilling=ready.drilling, lanes=2)


def planned(ready: RecoveryHouse) -> list[Drill]:
    with ready.house.store.read() as tx:
        return tx.drills.in_state(DrillState.APPROVED)


def at_the_next(ready: RecoveryHouse, scheduling: Scheduling) -> Drill:
    """It is recorded, and due now."""
    while not planned(ready):
        ready.turn(days=1)
        scheduling.plan_ahead()
    [drill] = planned(ready)
    ready.turn(seconds=(drill.scheduled_at - ready.house.clock.now()).total_seconds())
    return drill


class TestThePlanAhead:
    def test_records_each_drill_once_within_four_weeks_of_it(
        self, ready: RecoveryHouse, scheduling: Scheduling
    ) -> None:
        drill = at_the_next(ready, scheduling)
        for _ in range(3):
            scheduling.plan_ahead()
        assert planned(ready) == [drill]
        assert drill.requested_by == "the schedule"
        assert drill.scheduled_at - drill.created_at <= AHEAD

    def test_is_what_the_calendar_says(self, ready: RecoveryHouse, scheduling: Scheduling) -> None:
        foreseen = scheduling.calendar(AGENCY)
        assert len(foreseen) == 20
        drill = at_the_next(ready, scheduling)
        assert drill.scheduled_at in {slot.starts_at for slot in foreseen}
        recorded = scheduling.calendar(AGENCY)[0]
        assert (recorded.drill, recorded.state) == (drill.id, DrillState.APPROVED)

    def test_has_one_drill_a_period_also_when_it_has_been_held(
        self, ready: RecoveryHouse, scheduling: Scheduling
    ) -> None:
        drill = at_the_next(ready, scheduling)
        with ready.house.store.begin() as tx:
            earlier = {"scheduled_at": drill.scheduled_at - timedelta(hours=1), "state": DrillState.REPORTED}
            tx.drills.put(drill.model_copy(update={**earlier, "key": "held"}))
        scheduling.plan_ahead()
        assert planned(ready) == []

    def test_withdraws_drills_of_an_agency_that_left(self, ready: RecoveryHouse, scheduling: Scheduling) -> None:
        at_the_next(ready, scheduling)
        ready.turn(minutes=-10)
        house = ready.house
        ready.drive(house.provisioning.open_run(house.ordering.plan_offboarding(AGENCY).id))
        scheduling.plan_ahead()
        assert planned(ready) == []


class TestADrillThatIsDue:
    def test_is_started_once(self, ready: RecoveryHouse, scheduling: Scheduling) -> None:
        drill = at_the_next(ready, scheduling)
        self._not_at_the_worst_moment(ready, drill)
        ready.canaries(1)
        ready.back_up()
        [run] = scheduling.start_due()
        assert scheduling.start_due() == []
        ready.drive(run)
        assert ready.stored(drill).verdict is Verdict.PASS_WITH_FINDINGS, "for weeks there was no backup"

    def _not_at_the_worst_moment(self, ready: RecoveryHouse, drill: Drill) -> None:
        with ready.house.store.begin() as tx:
            tx.drills.put(drill.model_copy(update={"moment": Moment.RANDOM}))

    def test_waits_for_another_run_of_the_agency_within_its_window(
        self, ready: RecoveryHouse, scheduling: Scheduling
    ) -> None:
        drill = at_the_next(ready, scheduling)
        self._not_at_the_worst_moment(ready, drill)
        change = order(AGENCY, **{"alpha": {}, "disaster-recovery": {}, "gamma": {}})
        busy = ready.house.provisioning.open_run(ready.house.ordering.plan(change).id)
        assert scheduling.start_due() == []
        ready.drive(busy)
        assert len(scheduling.start_due()) == 1

    def test_at_the_worst_moment_waits_until_the_next_backup_would_begin(
        self, ready: RecoveryHouse, scheduling: Scheduling
    ) -> None:
        drill = at_the_next(ready, scheduling)
        ready.turn(hours=-1)
        self._back_up_so_that_the_next_is_due_in(ready, hours=2)
        with ready.house.store.begin() as tx:
            window = {"moment": Moment.WORST, "window_end": ready.house.clock.now() + timedelta(hours=8)}
            tx.drills.put(drill.model_copy(update={**window, "scheduled_at": ready.house.clock.now()}))
        assert scheduling.start_due() == []
        ready.turn(hours=2)
        assert len(scheduling.start_due()) == 1

    def _back_up_so_that_the_next_is_due_in(self, ready: RecoveryHouse, *, hours: int) -> Run:
        ready.turn(hours=-12 + hours)
        run = ready.back_up()
        ready.turn(hours=12 - hours)
        return run

    def test_does_not_claim_the_worst_moment_when_no_backup_is_due_in_time(
        self, ready: RecoveryHouse, scheduling: Scheduling
    ) -> None:
        drill = at_the_next(ready, scheduling)
        ready.back_up()
        with ready.house.store.begin() as tx:
            tx.drills.put(drill.model_copy(update={"moment": Moment.WORST}))
        [_] = scheduling.start_due()
        assert ready.stored(drill).moment is Moment.RANDOM

    def test_is_missed_when_it_could_not_end_within_its_window(
        self, ready: RecoveryHouse, scheduling: Scheduling, caplog: pytest.LogCaptureFixture
    ) -> None:
        drill = at_the_next(ready, scheduling)
        assert drill.window_end is not None
        ready.turn(seconds=(drill.window_end - ready.house.clock.now()).total_seconds() - 60)
        assert scheduling.start_due() == []
        assert ready.stored(drill).state is DrillState.MISFIRED
        assert "was missed" in caplog.text


def test_the_policy_of_the_agency_is_followed(ready: RecoveryHouse, scheduling: Scheduling) -> None:
    """Its windows, in its time zone, as its call-off says."""
    terms = {"time_zone": "Europe/London", "windows": [{"days": ["tue"], "start": "22:00", "end": "02:00"}]}
    wanted = order(AGENCY, **{"alpha": {}, "disaster-recovery": {}}).document() | {"recovery": terms}
    changed = type(order()).model_validate(wanted)
    with ready.house.store.begin() as tx:
        record = tx.agencies.get(AGENCY)
        assert record is not None
        tx.agencies.put(record.model_copy(update={"call_off": changed}))
    for slot in scheduling.calendar(AGENCY):
        assert slot.starts_at is not None
        london = slot.starts_at.astimezone(ZoneInfo("Europe/London"))
        assert (london.weekday() == 1 and london.hour >= 22) or (london.weekday() == 2 and london.hour < 2)
