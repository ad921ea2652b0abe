"""The lifecycles of runs and steps, which steps of a run may start, and how a run ends."""

from datetime import UTC, datetime

import pytest

from orchestrator.domain.runs.run import (
    EVENT_OF,
    RUN_LIFE,
    STEP_LIFE,
    RunEvent,
    RunState,
    StepEvent,
    StepRecord,
    StepState,
    conclusion,
    ready,
)
from orchestrator.domain.selling.catalog import Verb
from tests.domain.moves import check_moves

NOW = datetime(2026, 11, 22, tzinfo=UTC)

MOVES_OF_A_RUN = """
queued: admit admitted, cancel cancelled
admitted: start running, cancel cancelled
running: start running, wait waiting, succeed succeeded, fail failed, cancel cancelled
waiting: go_on queued, cancel cancelled
succeeded:
failed: resume queued
cancelled: resume queued
"""
MOVES_OF_A_STEP = """
pending: start running, cancel cancelled
running: start running, succeed succeeded, fail failed, lose_host unreachable, time_out timed_out, cancel cancelled, break errored, hand_over waiting
waiting: succeed succeeded, fail failed, cancel cancelled
succeeded:
failed: retry pending
unreachable: retry pending
timed_out: retry pending
cancelled: retry pending
errored: retry pending
"""  # noqa: E501 - a state on a line


def test_a_run_moves_exactly_as_listed_here() -> None:
    check_moves(RUN_LIFE, RunState, RunEvent, MOVES_OF_A_RUN)


def test_a_step_moves_exactly_as_listed_here() -> None:
    check_moves(STEP_LIFE, StepState, StepEvent, MOVES_OF_A_STEP)


def test_every_end_of_a_step_has_its_event() -> None:
    assert set(EVENT_OF) == set(StepState) - {StepState.PENDING, StepState.RUNNING}


def step(name: str, state: str = "pending", needs: str = "") -> StepRecord:
    started = None if state == "pending" else NOW
    return StepRecord(
        id=name, component=name, verb=Verb.PROVISION, placement={"main": ("h",)}, needs=tuple(needs.split()),
        because="test", state=StepState(state), started_at=started,
    )  # fmt: skip


class TestTheStepsThatMayStart:
    def test_are_those_whose_needs_have_succeeded(self) -> None:
        steps = [step("a", "succeeded"), step("b", needs="a"), step("c", needs="a"), step("d", needs="b c")]
        assert [s.id for s in ready(steps)] == ["b", "c"]

    def test_include_a_step_whose_worker_died(self) -> None:
        assert [s.id for s in ready([step("a", "running"), step("b", needs="a")])] == ["a"]

    @pytest.mark.parametrize("broken", ["failed", "unreachable", "timed_out", "cancelled", "errored"])
    def test_are_none_once_a_step_went_wrong(self, broken: str) -> None:
        assert ready([step("a", broken), step("b")]) == ()

    def test_include_the_steps_that_always_run_last_and_one_after_another(self) -> None:
        cleanup, report = (step(name).model_copy(update={"always": True}) for name in ("cleanup", "report"))
        assert [s.id for s in ready([step("a"), cleanup, report])] == ["a"]
        assert [s.id for s in ready([step("a", "failed"), cleanup, report])] == ["cleanup"]
        done = cleanup.model_copy(update={"state": StepState.SUCCEEDED})
        assert [s.id for s in ready([step("a", "failed"), done, report])] == ["report"]
        assert [s.id for s in ready([step("a"), cleanup, report], stopping=True)] == ["cleanup"]


class TestARunEnds:
    def test_succeeded_when_every_step_did(self) -> None:
        assert conclusion([step("a", "succeeded"), step("b", "succeeded")]) == (RunEvent.SUCCEED, None)

    @pytest.mark.parametrize("how", ["failed", "unreachable", "timed_out", "errored"])
    def test_failed_by_the_step_that_went_wrong(self, how: str) -> None:
        steps = [step("a", "succeeded"), step("b", how), step("c", needs="b")]
        assert conclusion(steps) == (RunEvent.FAIL, f"b {how.replace('_', ' ')}")

    def test_cancelled_when_it_was_stopped(self) -> None:
        assert conclusion([step("a", "cancelled"), step("b")]) == (RunEvent.CANCEL, "cancelled on request")
        assert conclusion([step("a", "succeeded"), step("b")])[0] is RunEvent.CANCEL

    def test_failed_even_when_it_was_being_cancelled(self) -> None:
        assert conclusion([step("a", "cancelled"), step("b", "failed")])[0] is RunEvent.FAIL
