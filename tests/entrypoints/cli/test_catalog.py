"""What is sold, as the command line shows it."""

from tests.entrypoints.cli.conftest import CommandLine

TURNS = "for one agency at a time"


def test_show_says_whether_agencies_take_turns(orchestrator: CommandLine) -> None:
    assert TURNS in orchestrator("catalog", "show", "alpha").stdout
    assert orchestrator.json("catalog", "show", "alpha")["exclusive"] is True
    assert TURNS not in orchestrator("catalog", "show", "epsilon").stdout
    assert "exclusive" not in orchestrator.json("catalog", "show", "epsilon")
