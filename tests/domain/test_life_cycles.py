"""What must hold for every life cycle."""

from collections.abc import Iterable

import pytest

from tests.life_cycles import LIVES, Life

ENDS = {
    "run": "succeeded failed cancelled",
    "step": "succeeded failed unreachable timed_out cancelled errored",
    "service instance": "retired",
    "drill": ("reported rejected expired blocked skipped_blackout misfired failed aborted preempted cleanup_failed"),
}
"""States in which nothing is done any more, unless somebody asks for it."""
FINAL = {"run": "succeeded", "step": "succeeded", "service instance": "", "drill": ENDS["drill"]}


def reached(life: Life, first: Iterable[str]) -> set[str]:
    """The states that some states lead to, themselves included."""
    found, new = set(first), set(first)
    while new:
        new = {after for (before, _), after in life.cycle.table.items() if before in new} - found
        found |= new
    return found


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.cycle.subject)
class TestEveryLifeCycle:
    def test_reaches_every_state(self, life: Life) -> None:
        assert reached(life, life.begins) == set(life.states)

    def test_can_end_from_every_state(self, life: Life) -> None:
        ends = set(ENDS[life.cycle.subject].split())
        assert [state for state in life.states if not ends & reached(life, [state])] == []

    def test_leaves_every_state_but_those_that_are_final(self, life: Life) -> None:
        assert set(life.final) == set(FINAL[life.cycle.subject].split())
