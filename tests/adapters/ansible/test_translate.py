"""Translation of raw runner events to domain events."""

from typing import Any, ClassVar

import pytest

from orchestrator.adapters.ansible.hidden import HiddenResults
from orchestrator.adapters.ansible.redaction import Redactor
from orchestrator.adapters.ansible.translate import counts, outcome, task_finished
from orchestrator.domain.runs.run import Counts, StepState

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
        happening = task_finished(raw, PLAIN, HiddenResults())
        assert happening is not None
        assert (happening.host, happening.task, happening.outcome, happening.seconds) == ("h", "t", expected, 1.235)

    @pytest.mark.parametrize("kind", ["playbook_on_start", "runner_on_start", "verbose", "runner_item_on_ok"])
    def test_of_no_interest_to_people_is_dropped(self, kind: str) -> None:
        assert task_finished(event(kind), PLAIN, HiddenResults()) is None

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
        happening = task_finished(event("runner_on_failed", res=result), PLAIN, HiddenResults())
        assert happening is not None
        assert happening.message == message

    def test_does_not_reveal_a_secret(self) -> None:
        raw = event("runner_on_failed", task="use hunter2hunter2", res={"msg": "hunter2hunter2 is wrong"})
        happening = task_finished(raw, Redactor(["hunter2hunter2"]), HiddenResults())
        assert "hunter2" not in str(happening)


class TestAPredictedDifference:
    DIFF: ClassVar[list[dict[str, Any]]] = [
        {
            "before_header": "/etc/a",
            "after_header": "/etc/a",
            "before": "one\nhunter2hunter2\n",
            "after": "one\nthree\n",
        },
        {"before": {"mode": "0755", "path": "/b"}, "after": {"mode": "0700", "path": "/b"}},
        {"prepared": "as told"},
    ]
    LINES = '/etc/a\n-[redacted]\n+three\n-mode: "0755"\n+mode: "0700"\nas told'

    def told(self, *, check: bool = True, **result: Any) -> str | None:
        raw = event("runner_on_ok", res={"changed": True, **result})
        happening = task_finished(raw, Redactor(["hunter2hunter2"]), HiddenResults(), check=check)
        assert happening is not None
        return happening.difference

    def test_is_shown_line_by_line_without_secrets(self) -> None:
        assert self.told(diff=self.DIFF) == self.LINES

    def test_is_shown_for_each_item_of_a_loop(self) -> None:
        assert self.told(results=[{"diff": one} for one in self.DIFF]) == self.LINES

    def test_is_not_shown_for_a_real_change(self) -> None:
        assert self.told(check=False, diff=self.DIFF) is None

    def test_is_cut_when_it_is_too_long(self) -> None:
        told = self.told(diff={"before": "", "after": "x" * 9_000})
        assert told is not None
        assert len(told) < 4_100
        assert told.endswith("characters more")

    def test_is_cut_only_after_its_secrets_are_removed(self) -> None:
        told = self.told(diff={"before": "", "after": "x" * 3_993 + "hunter2hunter2" + "y" * 100})
        assert told is not None
        assert "hunt" not in told


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
    def test_distinguishes_the_kinds_of_failure(self, status: int, recap: Counts | None, state: StepState) -> None:
        assert outcome(status=status, recap=recap, failures=[], output="x").state is state

    def test_adds_up_the_counts_of_all_hosts(self) -> None:
        stats = {"ok": {"a": 2, "b": 3}, "changed": {"a": 1}, "failures": {}, "dark": {"b": 1}}
        assert counts(stats) == Counts(ok=5, changed=1, failed=0, unreachable=1)
