"""The command line on the practice site of the tests."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.commands import run_command
from tests.conftest import ROOT
from tests.playbooks.grounds import PracticeHome


class Command:
    """The command line on the tests' practice site."""

    def __init__(self, practice: PracticeHome) -> None:
        self.practice = practice

    def start(self, *words: object) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "orchestrator", *map(str, words)],
            cwd=ROOT,
            env=self.practice.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: object, expect: int = 0) -> str:
        done = run_command(words, self.practice.environment, patience=1800)
        assert done.returncode == expect, f"{words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def refused(self, *words: object) -> str:
        """Why a command is not possible in the present state."""
        done = run_command(words, self.practice.environment, patience=1800)
        assert done.returncode == 5, f"{words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stderr

    def json(self, *words: object) -> Any:
        return json.loads(self(*words, "--json"))

    def onboard(self, call_offs: Sequence[Path]) -> None:
        """Apply these at the same time."""
        started = [(path, self.start("apply", path, "--yes")) for path in call_offs]
        for path, process in started:
            out, err = process.communicate(timeout=2400)
            assert process.returncode == 0, f"{path.name}: {self.broken(path.stem)}\n{out}\n{err}"

    def broken(self, agency: str) -> dict[str, str]:
        """What went wrong in the agency's last run, step by step."""
        run = self.json("run", "list", "--agency", agency)["runs"][0]["run"]
        return {step["id"]: step["error"] for step in self.json("run", "show", run)["steps"] if step["error"]}
