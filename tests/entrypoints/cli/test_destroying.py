"""Destruction of data stands out, needs explicit consent, and is preceded by a backup."""

import shutil
from pathlib import Path

import pytest

from tests.entrypoints.cli.conftest import CommandLine
from tests.entrypoints.cli.terminals import CTRL_C, at_terminal

pytestmark = pytest.mark.slow

KEPT = {"alpha": {}, "disaster-recovery": {}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> CommandLine:
    command = CommandLine(tmp_path_factory.mktemp("made"))
    command.begin(installed)
    command("apply", command.order(services=KEPT), "--yes")
    return command


@pytest.fixture
def served(made: CommandLine, tmp_path: Path) -> CommandLine:
    """A copy of a state directory in which alpha and its keeper are in service, with an empty journal."""
    shutil.copytree(made.home, tmp_path / "home")
    return CommandLine(tmp_path)


def without_alpha(command: CommandLine) -> Path:
    return command.order(services={"disaster-recovery": {}})


def test_a_plan_shows_what_would_be_lost(served: CommandLine, made: CommandLine) -> None:
    file = without_alpha(made)
    said = served("plan", file).stdout
    assert "Destroyed for good:\n  - alpha\n      backups on record: 0, none yet; one more is taken first" in said
    plan = served.json("plan", file)
    assert {c["component"]: c["destroys"] for c in plan["changes"] if c["destroys"]} == {
        "alpha": [{"kind": "component", "names": []}]
    }
    assert [(one["component"], one["final_backup"]) for one in plan["losses"]] == [("alpha", True)]


def test_a_general_yes_does_not_allow_destruction(served: CommandLine, made: CommandLine) -> None:
    file = without_alpha(made)
    refused = served("apply", file, "--yes", expect=2).stderr
    assert "destroys data of test-agency in alpha" in refused
    assert "add --yes-destroy alpha, or --yes-destroy test-agency for all of it" in refused
    refused = served("apply", served.json("plan", file)["plan"], expect=2).stderr
    assert "--yes-destroy alpha" in refused
    assert "add --yes-destroy" in served("apply", file, "--yes", "--yes-destroy", "beta", expect=2).stderr
    assert "destroys data of test-agency in alpha" in served("apply", file.parent, "--yes", expect=2).stderr
    assert "--yes-destroy alpha" in served("agency", "offboard", "test-agency", "--yes", expect=2).stderr
    assert served.json("run", "list")["runs"][0]["run"] == 1


def test_with_explicit_consent_data_is_backed_up_and_removed(served: CommandLine, made: CommandLine) -> None:
    before = made.journal()
    run = served.json("apply", without_alpha(made), "--yes", "--yes-destroy", "alpha")
    assert [(s["id"], s["state"]) for s in run["steps"]] == [
        ("alpha.backup", "succeeded"),
        ("alpha.retire", "succeeded"),
    ]
    assert made.journal()[len(before) :] == ["backup test-agency place here", "retire test-agency place here"]


class TestAtATerminal:
    QUESTION = "Type the agency's id to destroy this data (alpha, disaster-recovery)"

    def test_any_answer_but_the_agencys_id_changes_nothing(self, served: CommandLine) -> None:
        offboard = ("agency", "offboard", "test-agency")
        code, seen = at_terminal(served, *offboard, typing=b"yes\n", at=self.QUESTION)
        assert (code, "Destroyed for good" in seen) == (0, True)
        assert len(served.json("run", "list")["runs"]) == 1

    def test_the_agencys_id_allows_the_destruction(self, served: CommandLine) -> None:
        offboard = ("agency", "offboard", "test-agency")
        code, seen = at_terminal(served, *offboard, typing=b"test-agency\n", at=self.QUESTION)
        assert code == 0, seen
        assert served.json("agency", "show", "test-agency")["offboarded_at"]

    def test_ctrl_c_at_a_question_ends_with_130(self, served: CommandLine) -> None:
        code, seen = at_terminal(served, "agency", "offboard", "test-agency", typing=CTRL_C, at=self.QUESTION)
        assert code == 130, seen
        question = "Apply this plan?"
        code, seen = at_terminal(served, "apply", served.order("another", services=KEPT), typing=CTRL_C, at=question)
        assert code == 130, seen
        assert len(served.json("run", "list")["runs"]) == 1
