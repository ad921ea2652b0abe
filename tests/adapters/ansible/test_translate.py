"""From raw runner events to domain events: facts in, values out."""

from typing import Any

import pytest

from orchestrator.adapters.ansible.redaction import Redactor
from orchestrator.adapters.ansible.translate import counts, outcome, task_finished
from orchestrator.domain.run import Counts, StepState

PLAIN = Redactor(())


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {"event": kind, "event_data": {"host": "h", "task": "t", "duration": 1.23456, **data}}


class TestARunnerEvent:
    @pytest.mark.parametrize(
        ("raw", "expected"),
        [
            (event("runner_on_ok", res={"changed": False}), "ok"),
            (event("runner_on_ok", res={"changed": True}), "changed"),
            (event("runner_on_skipped"), "skipped"),
            (event("runner_on_failed", res={"msg": "no"}), "failed"),
            (event("runner_on_failed", ignore_errors=True, res={"msg": "no"}), "ignored"),
            (event("runner_on_unreachable", res={"msg": "gone"}), "unreachable"),
        ],
    )
    def test_becomes_a_finished_task(self, raw: dict[str, Any], expected: str) -> None:
        happening = task_finished(raw, PLAIN)
        assert happening is not None
        assert (happening.host, happening.task, happening.outcome, happening.seconds) == ("h", "t", expected, 1.235)

    @pytest.mark.parametrize("kind", ["playbook_on_start", "runner_on_start", "verbose", "runner_item_on_ok"])
    def test_that_says_nothing_to_people_is_dropped(self, kind: str) -> None:
        assert task_finished(event(kind), PLAIN) is None

    @pytest.mark.parametrize(
        ("result", "message"),
        [
            ({"msg": "broken"}, "broken"),
            ({"msg": "non-zero return code", "stderr": "no space"}, "non-zero return code\nno space"),
            ({"results": [{"failed": True, "msg": "item 2"}, {"failed": False, "msg": "fine"}]}, "item 2"),
            ({"msg": "All items completed", "results": [{"unreachable": True, "msg": "no route"}]}, "no route"),
            ({}, "no message"),
        ],
    )
    def test_says_why_it_failed(self, result: dict[str, Any], message: str) -> None:
        happening = task_finished(event("runner_on_failed", res=result), PLAIN)
        assert happening is not None
        assert happening.message == message

    def test_does_not_tell_a_secret(self) -> None:
        raw = event("runner_on_failed", task="use hunter2hunter2", res={"msg": "hunter2hunter2 is wrong"})
        happening = task_finished(raw, Redactor(["hunter2hunter2"]))
        assert "hunter2" not in str(happening)


class TestTheOutcome:
    @pytest.mark.parametrize(
        ("status", "recap", "state"),
        [
            (0, Counts(ok=3), StepState.SUCCEEDED),
            (2, Counts(ok=1, failed=1), StepState.FAILED),
            (4, Counts(unreachable=1), StepState.UNREACHABLE),
            (2, Counts(failed=1, unreachable=1), StepState.FAILED),
            (250, Counts(ok=1), StepState.ERRORED),
            (4, None, StepState.ERRORED),
        ],
    )
    def test_tells_failures_apart(self, status: int, recap: Counts | None, state: StepState) -> None:
        assert outcome(status=status, recap=recap, failures=[], output="x").state is state

    def test_counts_over_all_hosts(self) -> None:
        stats = {"ok": {"a": 2, "b": 3}, "changed": {"a": 1}, "failures": {}, "dark": {"b": 1}}
        assert counts(stats) == Counts(ok=5, changed=1, failed=0, unreachable=1)
