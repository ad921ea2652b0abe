"""Scheduled drills: recorded ahead and only once, started within their window, and reported when missed."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestrator.domain.recovery.drill_calendar import delay_of
from orchestrator.domain.recovery.drills import Drill, DrillState
from orchestrator.domain.recovery.verdict import Moment, Verdict
from orchestrator.domain.runs.run import Run, StepOutcome, StepState
from orchestrator.ports.recovery import TakenBackup
from orchestrator.usecases.recovery.scheduling import LEAD, PLANNED_AHEAD, Scheduling
from tests.usecases.conftest import order
from tests.usecases.recovery.test_drilling import AGENCY, RecoveryHouse, ready, recovery

__all__ = ["ready", "recovery"]  # fixtures


@pytest.fixture
def scheduling(ready: RecoveryHouse) -> Iterator[Scheduling]:
    house = ready.house
    source, store = house.planning.source, house.store
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
        assert drill.scheduled_at - drill.created_at <= PLANNED_AHEAD

    def test_matches_the_calendar(self, ready: RecoveryHouse, scheduling: Scheduling) -> None:
        foreseen = scheduling.calendar(AGENCY)
        assert len(foreseen) == 20
        drill = at_the_next(ready, scheduling)
        assert drill.scheduled_at in {slot.starts_at for slot in foreseen}
        recorded = scheduling.calendar(AGENCY)[0]
        assert (recorded.drill, recorded.state) == (drill.id, DrillState.APPROVED)

    def test_has_no_other_drill_in_a_period_whose_drill_has_been_held(
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
        ready.drive(house.provisioning.open_run(house.planning.plan_offboarding(AGENCY).id))
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
        busy = ready.house.provisioning.open_run(ready.house.planning.plan(change).id)
        assert scheduling.start_due() == []
        ready.drive(busy)
        assert len(scheduling.start_due()) == 1

    def test_is_missed_when_it_could_not_end_within_its_window(
        self, ready: RecoveryHouse, scheduling: Scheduling, caplog: pytest.LogCaptureFixture
    ) -> None:
        drill = at_the_next(ready, scheduling)
        assert drill.window_end is not None
        ready.turn(seconds=(drill.window_end - ready.house.clock.now()).total_seconds() - 60)
        assert scheduling.start_due() == []
        assert ready.stored(drill).state is DrillState.MISFIRED
        assert "was missed" in caplog.text


INTERVAL = timedelta(hours=12)
"""Alpha's backups: a day's work may be lost."""
LASTS = timedelta(minutes=20)
"""As long as a backup takes here."""


@pytest.mark.slow
class TestTheWorstMoment:
    @pytest.fixture
    def drill(self, ready: RecoveryHouse, scheduling: Scheduling) -> Drill:
        """One that is to be at the worst moment in two days; its window is open for eight hours."""
        at_the_next(ready, scheduling)
        [drill] = planned(ready)
        ready.turn(days=-2)
        return self.put(ready, drill, moment=Moment.WORST, window_end=drill.scheduled_at + timedelta(hours=8))

    def put(self, ready: RecoveryHouse, drill: Drill, **changes: Any) -> Drill:
        with ready.house.store.begin() as tx:
            tx.drills.put(drill.model_copy(update=changes))
        return ready.stored(drill)

    def back_up(self, ready: RecoveryHouse, run: Run) -> None:
        """It takes its time."""
        ready.house.admit()
        assert ready.driving.begin(run.id, run.attempt)
        step = ready.driving.next_steps(run.id).ready[0]
        started = ready.driving.start(run.id, step.id, worker="w")
        assert started
        ready.turn(seconds=LASTS.total_seconds())
        ready.host.back_up()
        ready.driving.finish(started, StepOutcome(state=StepState.SUCCEEDED))
        ready.driving.conclude(run.id, run.attempt)

    def serve(self, ready: RecoveryHouse, scheduling: Scheduling, *, until: Callable[[], object]) -> list[Run]:
        """What is done by the minute, or every ten where nothing is near, until something is so; canaries are written,
        backups taken. The drills' runs."""
        for _ in range(4 * 24 * 60):
            if runs := scheduling.start_due():
                return runs
            for run in ready.protecting.open_due():
                self.back_up(ready, run)
            ready.witnessing.write(AGENCY)
            if until():
                return []
            near = any(
                abs(drill.scheduled_at - ready.house.clock.now()) < timedelta(hours=1) for drill in planned(ready)
            )
            ready.turn(minutes=1 if near else 10)
        raise AssertionError("it never came to pass")

    def of_backups(self, ready: RecoveryHouse) -> list[TakenBackup]:
        with ready.house.store.read() as tx:
            return tx.backups.newest(AGENCY, "alpha")

    @pytest.mark.parametrize("hours", range(0, 12, 3))
    def test_is_just_before_the_next_backup_would_be_complete(
        self, ready: RecoveryHouse, scheduling: Scheduling, drill: Drill, hours: int
    ) -> None:
        """Whenever earlier backups were taken: the last one before the drill is timed to make the next due in time."""
        ready.turn(hours=hours)
        self.back_up(ready, ready.protecting.open_run(AGENCY))
        [run] = self.serve(ready, scheduling, until=lambda: False)
        last = self.of_backups(ready)[-1]
        assert last.finished_at - last.started_at == LASTS
        ready.drive(run)
        held = ready.stored(drill)
        assert (held.moment, held.meant, held.state) == (Moment.WORST, None, DrillState.REPORTED), held.reason
        evidence = ready.evidence(drill)
        would_end = last.started_at + INTERVAL + LASTS
        assert timedelta(0) < would_end - evidence.t0 <= timedelta(seconds=1)
        assert evidence.t0 >= drill.scheduled_at
        assert self.of_backups(ready)[-1] == last, "the next is held back until the drill is over"
        assert evidence.rpo.seconds is not None
        assert evidence.rpo.seconds >= (INTERVAL + LASTS).total_seconds() - 1
        assert len(ready.protecting.open_due()) == 1

    def test_does_not_hold_up_the_agency_beforehand(
        self, ready: RecoveryHouse, scheduling: Scheduling, drill: Drill
    ) -> None:
        self.back_up(ready, ready.protecting.open_run(AGENCY))
        [_] = self.serve(ready, scheduling, until=lambda: False)
        begun = ready.house.clock.now()
        disaster = ready.stored(drill).disaster_at
        assert disaster is not None
        assert disaster - begun <= LEAD

    def test_that_does_not_come_is_made_up_for_by_the_next_drill(
        self, ready: RecoveryHouse, scheduling: Scheduling, drill: Drill, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The agency was busy when the backup before it was due, so that the next one does not fall into its window."""
        ready.turn(seconds=(drill.scheduled_at - timedelta(minutes=5) - ready.house.clock.now()).total_seconds())
        self.back_up(ready, ready.protecting.open_run(AGENCY))
        [run] = self.serve(ready, scheduling, until=lambda: False)
        ready.drive(run)
        held = ready.stored(drill)
        assert (held.moment, held.meant) == (Moment.RANDOM, Moment.WORST)
        assert "no backup is due in its window" in caplog.text
        said = (
            "it was planned for the worst moment, but no backup was due in its window: the next drill makes up for it"
        )
        assert said in [finding.what for finding in ready.evidence(drill).findings]
        assert self.next_one(ready, scheduling).moment is Moment.WORST

    def next_one(self, ready: RecoveryHouse, scheduling: Scheduling) -> Drill:
        """The next drill of the calendar, which by itself would be at a random moment."""
        while not planned(ready):
            ready.turn(days=1)
            scheduling.plan_ahead()
        [drill] = planned(ready)
        return drill

    @pytest.mark.parametrize(
        "ended",
        [
            {"state": DrillState.MISFIRED},
            {"state": DrillState.PREEMPTED},
            {"state": DrillState.REPORTED, "verdict": Verdict.INCONCLUSIVE},
        ],
    )
    def test_that_came_to_nothing_is_made_up_for(
        self, ready: RecoveryHouse, scheduling: Scheduling, drill: Drill, ended: dict[str, Any]
    ) -> None:
        ready.turn(days=3)
        self.put(ready, drill, **ended)
        scheduling.plan_ahead()
        assert self.next_one(ready, scheduling).moment is Moment.WORST

    def test_that_was_held_is_not_held_again(self, ready: RecoveryHouse, scheduling: Scheduling, drill: Drill) -> None:
        foreseen = {slot.key: slot.moment for slot in scheduling.calendar(AGENCY)}
        ready.turn(days=3)
        self.put(ready, drill, state=DrillState.REPORTED, verdict=Verdict.FAIL)
        scheduling.plan_ahead()
        after = self.next_one(ready, scheduling)
        assert after.moment is foreseen[after.key]

    def test_brings_no_backup_forward_before_anybody_approved_the_drill(
        self, ready: RecoveryHouse, scheduling: Scheduling, drill: Drill
    ) -> None:
        self.put(ready, drill, state=DrillState.APPROVAL_PENDING)
        self.back_up(ready, ready.protecting.open_run(AGENCY))
        begun = self.of_backups(ready)[-1].started_at
        self.serve(ready, scheduling, until=lambda: self.of_backups(ready)[-1].started_at != begun)
        assert self.of_backups(ready)[-1].started_at - begun >= INTERVAL


class TestARandomMoment:
    def test_is_drawn_to_the_second(self, ready: RecoveryHouse, scheduling: Scheduling) -> None:
        drill = at_the_next(ready, scheduling)
        with ready.house.store.begin() as tx:
            tx.drills.put(drill.model_copy(update={"moment": Moment.RANDOM}))
        started = ready.house.clock.now()
        [run] = scheduling.start_due()
        ready.drive(run)
        delay = delay_of(drill.key, at_most=timedelta(hours=1))
        assert delay > timedelta(seconds=20), "or this shows nothing"
        t0 = ready.evidence(drill).t0
        assert t0 == started + delay
        pin = next(phase for phase in ready.evidence(drill).phases if phase.name == "pin")
        assert pin.started_at == t0, "waiting for it is no part of what came of it"

    def test_can_be_cancelled_while_the_drill_waits_for_it(self, ready: RecoveryHouse) -> None:
        drill = ready.drilling.request(AGENCY, "alpha", by="ann")
        with ready.house.store.begin() as tx:
            far = ready.house.clock.now() + timedelta(days=900)
            tx.drills.put(drill.model_copy(update={"disaster_at": far}))
        run = ready.drilling.start(drill.id)
        ready.house.admit()
        ready.driving.begin(run.id, run.attempt)
        ready.step(run)
        ready.driving.cancel(run.id)
        assert ready.step(run) == "cleanup"


def test_the_agencys_own_policy_is_followed(ready: RecoveryHouse, scheduling: Scheduling) -> None:
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
