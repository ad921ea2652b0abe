"""The command line on the practice site of the tests."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
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

    def states(self, agency: str) -> dict[str, str]:
        """Of the steps of the agency's newest run."""
        runs = self.json("run", "list", "--agency", agency)["runs"]
        return {s["id"]: s["state"] for s in self.json("run", "show", runs[0]["run"])["steps"]} if runs else {}

    def wait_for(self, process: "subprocess.Popen[str]", agency: str, step: str, state: str) -> None:
        """Wait until a step of the agency's run is in a state, or the command that works on it has ended."""
        query = "select 1 from step join run on run.id = step.run and run.state = 'running'"
        query += " where run.agency = ? and step.id = ? and step.state = ?"
        deadline = time.monotonic() + 600
        with closing(sqlite3.connect(self.practice.home / "orchestrator.db")) as records:
            while process.poll() is None and not records.execute(query, [agency, step, state]).fetchone():
                assert time.monotonic() < deadline, f"{step} is not {state}"
                time.sleep(0.1)

    def kill(self, doomed: "subprocess.Popen[str]", agency: str, step: str) -> None:
        """Kill a command once it has begun with a step."""
        self.wait_for(doomed, agency, step, "running")
        doomed.kill()
        said, errors = doomed.communicate()
        assert doomed.returncode == -signal.SIGKILL, said + errors

    def hand_out(self, agency: str, component: str, person: str) -> str:
        """The password of a person now."""
        file = self.practice.home / "handed-out"
        self("secret", "hand-out", agency, component, person, file)
        password = file.read_text().splitlines()[1].removeprefix("password: ")
        file.unlink()
        return password
