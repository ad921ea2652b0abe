"""The module that writes and removes small files, used by two steps at once."""

import importlib.util
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.conftest import ROOT

MODULE = ROOT / "playbooks/library/text_files.py"


@pytest.fixture(scope="module")
def text_files() -> ModuleType:
    spec = importlib.util.spec_from_file_location("text_files", MODULE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_two_steps_can_remove_the_same_file_at_once(text_files: ModuleType, tmp_path: Path) -> None:
    files = [tmp_path / str(number) for number in range(2_000)]
    for file in files:
        file.write_text("default")
    step = SimpleNamespace(check_mode=False)

    def remove_all(_: int) -> list[str]:
        return [file.name for file in files if text_files.remove(step, file)]

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(remove_all, range(4)))
    assert set().union(*told) == {file.name for file in files}
    assert list(tmp_path.iterdir()) == []


def settled(**arguments: Any) -> tuple[bool, list[str]]:
    """Whether the module says that it changed something, and what."""
    asked = json.dumps({"ANSIBLE_MODULE_ARGS": arguments})
    done = subprocess.run([sys.executable, MODULE], input=asked, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    return told["changed"], told["paths"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to root")
def test_files_that_are_already_right_count_as_changed_when_the_step_was_begun_before(tmp_path: Path) -> None:
    wanted, gone = str(tmp_path / "wanted"), str(tmp_path / "gone")
    asked: dict[str, Any] = {"files": [{"path": wanted, "content": "text\n"}], "absent": [gone]}
    assert settled(**asked) == (True, [wanted])
    assert settled(**asked) == (False, [])
    assert settled(**asked, again=True) == (True, [wanted, gone])
    assert settled(**asked, again=True, _ansible_check_mode=True) == (False, [])
