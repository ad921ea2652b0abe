"""Small obstacles of daily work."""

import re
import sqlite3
from pathlib import Path

import pytest

from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.runs.run import RunState
from orchestrator.domain.runs.run_options import OnFailure, Priority
from orchestrator.entrypoints.cli.following import failure
from orchestrator.entrypoints.cli.output import Voice
from orchestrator.usecases.runs.views import RunView
from tests.entrypoints.cli.conftest import InProcess


def test_the_version_is_shown(swift: InProcess, root: Path) -> None:
    [version] = re.findall(r'^version = "(.*)"$', (root / "pyproject.toml").read_text(), re.MULTILINE)
    assert swift("--version").stdout == f"orchestrator {version}\n"


def test_agencies_that_left_are_listed_on_request(swift: InProcess) -> None:
    for agency in ("here-still", "long-gone"):
        swift("apply", swift.order(agency, services={"alpha": {}}), "--yes", "--no-follow")
    with sqlite3.connect(swift.home / "orchestrator.db") as database:
        database.execute("update agency set offboarded_at = '2026-11-01 00:00:00' where id = 'long-gone'")
    assert [a["agency"] for a in swift.json("agency", "list")["agencies"]] == ["here-still"]
    assert "long-gone" not in swift("agency", "list").stdout
    assert [a["agency"] for a in swift.json("agency", "list", "--all")["agencies"]] == ["here-still", "long-gone"]


def test_a_name_is_shown_as_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    """Rich has pictures for words between colons."""
    Voice(stderr=False).print("Office :bell: at 10:00:00")
    assert capsys.readouterr().out == "Office :bell: at 10:00:00\n"


@pytest.mark.parametrize(("kind", "told"), [(Purpose.DRILL, "drill start an-agency"), (Purpose.CHANGE, "run resume 7")])
def test_a_failed_run_can_be_resumed_and_a_failed_drill_is_started_again(kind: Purpose, told: str) -> None:
    run = RunView.model_validate(
        {
            "run": 7, "agency": "an-agency", "kind": kind, "state": RunState.FAILED, "priority": Priority.DRILL,
            "on_failure": OnFailure.KEEP, "cause": None, "waits_for": None, "attempt": 1, "cancel_requested": False,
            "created_at": "2026-11-01T00:00:00Z", "started_at": None, "finished_at": None, "error": "no",
        }
    )  # fmt: skip
    error = failure(run)
    assert error
    assert told in (error.hint or "")
    assert ("run resume" in (error.hint or "")) == (kind is not Purpose.DRILL)


def test_practice_commands_are_refused_without_root(swift: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    for words in (("up",), ("down",), ("snapshot", "now"), ("restore", "now")):
        assert "only root may do" in swift("practice", *words, expect=2).stderr
