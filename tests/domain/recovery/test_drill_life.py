"""The life of a drill, from the request to the report."""

from orchestrator.domain.recovery.drills import DRILL_LIFE, ON_BEGIN, ON_SUCCESS, UNDER_WAY, DrillEvent, DrillState
from orchestrator.domain.recovery.recovery_plan import PHASES
from tests.domain.moves import check_moves

MOVES = """
approval_pending: approve approved, reject rejected, expire expired
approved: schedule scheduled, reject rejected, expire expired, misfire misfired
scheduled: examine precheck, clean cleanup, fail failed, abort aborted, preempt preempted
precheck: examine precheck, pin pinned, block blocked, clean cleanup, fail failed, abort aborted, preempt preempted
pinned: pin pinned, prepare preparing, clean cleanup, fail failed, abort aborted, preempt preempted
preparing: prepare preparing, restore restoring, clean cleanup, fail failed, abort aborted, preempt preempted
restoring: restore restoring, start starting, clean cleanup, fail failed, abort aborted, preempt preempted
starting: start starting, probe probing, clean cleanup, fail failed, abort aborted, preempt preempted
probing: probe probing, verify verifying, clean cleanup, fail failed, abort aborted, preempt preempted
verifying: verify verifying, seal sealed, clean cleanup, fail failed, abort aborted, preempt preempted
sealed: seal sealed, clean cleanup, fail failed, abort aborted, preempt preempted
cleanup: clean cleanup, report reported, block blocked, leave_dirty cleanup_failed, fail failed, abort aborted, preempt preempted
reported:
rejected:
expired:
blocked:
skipped_blackout:
misfired:
failed:
aborted:
preempted:
cleanup_failed:
"""  # noqa: E501 - a state on a line


def test_a_drill_moves_exactly_as_listed_here() -> None:
    check_moves(DRILL_LIFE, DrillState, DrillEvent, MOVES)


def test_the_steps_of_its_run_take_a_drill_through_every_state_under_way() -> None:
    state, seen = DrillState.SCHEDULED, [DrillState.SCHEDULED]
    for verb, _ in PHASES:
        for event in (ON_BEGIN.get(verb), ON_SUCCESS.get(verb)):
            if event:
                state = DRILL_LIFE.after(state, event)
                seen.append(state)
    assert seen == list(UNDER_WAY)
    assert DRILL_LIFE.after(state, DrillEvent.REPORT) is DrillState.REPORTED


def test_each_step_of_a_drill_may_begin_and_succeed_again_when_a_worker_dies() -> None:
    state = DrillState.SCHEDULED
    for verb, _ in PHASES:
        for event in (ON_BEGIN.get(verb), ON_SUCCESS.get(verb)):
            if event:
                state = DRILL_LIFE.after(state, event)
                assert DRILL_LIFE.after(state, event) is state
