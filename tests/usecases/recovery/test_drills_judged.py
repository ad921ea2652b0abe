"""How a drill counts in its month, even when nothing came back."""

from decimal import Decimal

import pytest

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.recovery.drills import Drill
from orchestrator.domain.recovery.verdict import Moment
from orchestrator.usecases.service_levels.judging import Judging
from tests.domain.service_levels.vectors import LONDON, is_bank_holiday
from tests.usecases.recovery.memory_host import no_answer, refusal
from tests.usecases.recovery.test_drilling import AGENCY, RecoveryHouse, ready, recovery

__all__ = ["ready", "recovery"]


def judged(house: RecoveryHouse, drill: Drill) -> dict[str, Decimal | None]:
    """The measures of drills in the drill's month, as if the calendar had asked for it."""
    clock, source = house.house.clock, house.house.planning.source
    with house.house.store.begin() as tx:
        tx.drills.put(drill.model_copy(update={"moment": Moment.RANDOM}))
        month = CalendarMonth.of(drill.scheduled_at.astimezone(LONDON).date())
        judging, agency = Judging(source, clock, is_bank_holiday), tx.agencies.get(AGENCY)
        assert agency is not None
        results = judging.judged(tx, agency, judging.records(tx, agency, month)).figures.results
    return {measure: results[measure].achieved.percent for measure in ("drills", "recovery-time", "recovery-point")}


def test_a_drill_that_passed_kept_every_promise(ready: RecoveryHouse) -> None:
    drill = ready.drill()
    ready.turn(minutes=1)
    assert judged(ready, drill) == {"drills": 100, "recovery-time": 100, "recovery-point": 100}


@pytest.mark.parametrize("phase", ["pin", "prepare", "restore", "start"])
def test_a_service_that_never_came_back_misses_every_objective(ready: RecoveryHouse, phase: str) -> None:
    ready.host.broken[phase] = refusal("disk full")
    drill = ready.drill()
    ready.turn(minutes=1)
    assert judged(ready, drill) == {"drills": 0, "recovery-time": 0, "recovery-point": 0}


def test_a_censored_recovery_time_misses_its_objective(ready: RecoveryHouse) -> None:
    ready.host.broken["user"] = no_answer()
    drill = ready.drill()
    ready.turn(minutes=1)
    assert judged(ready, drill)["recovery-time"] == 0


def test_a_total_loss_misses_its_objective(recovery: RecoveryHouse) -> None:
    """Users could work, but without anything they had written."""
    recovery.back_up()
    recovery.canaries(3)
    drill = recovery.drill()
    recovery.turn(minutes=1)
    assert judged(recovery, drill) == {"drills": 0, "recovery-time": 100, "recovery-point": 0}


def test_without_any_record_nothing_is_lost_and_nothing_is_shown(recovery: RecoveryHouse) -> None:
    recovery.back_up()
    drill = recovery.drill()
    recovery.turn(minutes=1)
    assert judged(recovery, drill) == {"drills": 0, "recovery-time": 100, "recovery-point": None}


def test_backups_that_were_not_taken_miss_their_objective(recovery: RecoveryHouse) -> None:
    """A day's work may be lost; a day and an hour without a backup put more than that at risk."""
    clock, source = recovery.house.clock, recovery.house.planning.source

    def backups() -> Decimal | None:
        with recovery.house.store.read() as tx:
            agency = tx.agencies.get(AGENCY)
            assert agency is not None
            judging = Judging(source, clock, is_bank_holiday)
            found = judging.judged(tx, agency, judging.records(tx, agency, judging.this_month(agency)))
        return found.figures.results["backups"].achieved.percent

    recovery.turn(hours=23)
    assert backups() is None
    recovery.turn(hours=2)
    assert backups() == 0
    recovery.back_up()
    recovery.turn(minutes=1)
    assert backups() == 100
