"""Changes of the contract on the command line: shown, priced, recorded without touching a host, and refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.entrypoints.cli.conftest import CommandLine

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> CommandLine:
    """An agency with alpha in service."""
    command = CommandLine(tmp_path_factory.mktemp("served"))
    command.begin(installed)
    command("apply", command.order(services={"alpha": {}}), "--yes")
    return command


@pytest.fixture
def rewritten(served: CommandLine, tmp_path: Path) -> Callable[..., Path]:
    """Its call-off with changes in the agency's section."""

    def rewrite(**agency: Any) -> Path:
        document = json.loads(served.order(services={"alpha": {}}).read_text())
        document["agency"] |= agency
        file = tmp_path / "call-off.yml"
        file.write_text(json.dumps(document))
        return file

    return rewrite


def test_seats_are_priced_and_recorded_without_a_step(served: CommandLine, rewritten: Callable[..., Path]) -> None:
    file, before = rewritten(seats=90), served.journal()
    shown = served("plan", file, "--detailed-exitcode", expect=6).stdout
    assert "agency.seats: 10 → 90" in shown
    assert "£200.00 → £1,000.00" in shown
    plan = served.json("plan", file)
    assert plan["contract"] == [{"path": "agency.seats", "before": 10, "after": 90}]
    assert (plan["cost"]["before"]["per_year"], plan["cost"]["per_year"]) == ("200.00", "1000.00")
    run = served.json("apply", file, "--yes")
    assert (run["state"], run["steps"]) == ("succeeded", [])
    assert served.journal() == before
    assert "Nothing to change" in served("plan", file, "--detailed-exitcode").stdout


def test_another_name_is_refused_until_it_is_confirmed(served: CommandLine, rewritten: Callable[..., Path]) -> None:
    file = rewritten(name="Somebody Else")
    refused = served("plan", file, expect=5).stderr
    assert "the id test-agency belongs to Test-Agency, but this order is for Somebody Else" in refused
    assert "--renamed" in refused
    assert served.json("plan", file, "--renamed")["steps"]


def test_another_class_is_refused_with_its_line(served: CommandLine, rewritten: Callable[..., Path]) -> None:
    file = rewritten(**{"class": "central-government"})
    refused = served("apply", file, "--yes", expect=5).stderr
    assert f"{file}:1: agency.class: test-agency is recorded as 'agency'" in refused
    assert "orchestrator agency offboard test-agency" in refused
