"""The output of steps, and the current task of a running one."""

import json
from pathlib import Path

import pytest

from tests.entrypoints.cli.conftest import PATIENCE, CommandLine, eventually, processes_mentioning

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> CommandLine:
    """Run 1 failed, printing a secret."""
    command = CommandLine(tmp_path_factory.mktemp("failed"))
    command.begin(installed)
    command("apply", command.order(services={"alpha": {"tell": True}}), "--yes", expect=1)
    return command


def test_logs_show_what_ansible_printed_without_secrets(failed: CommandLine) -> None:
    said = failed("run", "logs", 1).stdout
    assert "== alpha.precheck, " in said
    assert "TASK [journal : Note that precheck began] ***" in said
    assert "== alpha.precheck succeeded" in said
    assert "token [redacted] in base64 [redacted]" in said
    assert said.rstrip().endswith("== alpha.provision failed")
    assert said.index("PLAY [Precheck]") < said.index("PLAY RECAP") < said.index("PLAY [Provision]")


def test_logs_of_one_step_show_no_other(failed: CommandLine) -> None:
    said = failed("run", "logs", 1, "alpha.precheck").stdout
    assert "Provision the component" not in said
    lines = [json.loads(line) for line in failed("run", "logs", 1, "alpha.precheck", "--json").stdout.splitlines()]
    assert {(line["step"], line["what"]["kind"]) for line in lines} == {("alpha.precheck", "step_printed")}
    assert "steps: alpha.precheck, alpha.provision" in failed("run", "logs", 1, "alpha.nothing", expect=4).stderr


def test_logs_can_be_followed_to_the_end_of_the_run(tmp_path: Path, installed: Path) -> None:
    command = CommandLine(tmp_path)
    command.begin(installed)
    applying = command.start("apply", command.order(services={"alpha": {"sleep": 331.5}}), "--yes")
    try:
        eventually(lambda: processes_mentioning("sleep 331.5"))
        eventually(lambda: command.json("run", "show", 1)["steps"][1]["task"] == "Take the time asked for")
        assert "Take the time asked for" in command("run", "show", 1).stdout
        following = command.start("run", "logs", 1, "--follow")
        command("run", "cancel", 1)
        said, _ = following.communicate(timeout=PATIENCE)
        assert following.returncode == 1
        assert "== alpha.provision cancelled" in said
        assert applying.wait(PATIENCE) == 1
        assert command.json("run", "show", 1)["steps"][1]["task"] is None
    finally:
        command.end()
