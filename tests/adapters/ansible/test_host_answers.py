"""The module that checks several things of a host at once: all wrong answers are named, and no check waits for
another."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

MODULE = ROOT / "playbooks/library/host_answers.py"


def told(*questions: tuple[list[str], str], timeout: int = 20) -> dict[str, Any]:
    asked = {"questions": [{"ask": ask, "expect": expect} for ask, expect in questions], "timeout": timeout}
    given = json.dumps({"ANSIBLE_MODULE_ARGS": asked})
    done = subprocess.run([sys.executable, MODULE], input=given, capture_output=True, text=True, check=False)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_right_answers_count_as_no_change() -> None:
    answer = told((["echo", "all is well"], "is well"), (["true"], ""))
    assert (answer["changed"], answer["asked"]) == (False, 2)


def test_every_wrong_answer_is_named_and_no_right_one() -> None:
    wrong = [["echo", "ill"], ["false"], ["/nonexistent"], ["sh", "-c", "echo well >&2"], ["sleep", "5"]]
    answer = told((["echo", "well"], "well"), *((ask, "well" if ask != ["false"] else "") for ask in wrong), timeout=2)
    assert answer["failed"]
    assert answer["msg"] == "wrong answers: " + "; ".join(" ".join(ask) for ask in wrong)


def test_commands_run_side_by_side_without_a_shell(tmp_path: Path) -> None:
    """Each of the two waits until the other has begun."""
    wait = "import os, sys, time\nopen(sys.argv[1], 'w')\nwhile not os.path.exists(sys.argv[2]): time.sleep(0.01)"
    names = [str(tmp_path / "$HOME one"), str(tmp_path / "; two")]
    answer = told(*(([sys.executable, "-c", wait, mine, others], "") for mine, others in (names, names[::-1])))
    assert "failed" not in answer
