"""The command line on the small world of tests/world: real processes, real Ansible, and separate state directories."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator.entrypoints.cli import output
from orchestrator.entrypoints.cli.app import run
from tests.commands import run_command
from tests.conftest import ROOT, WORLD


def hear_ctrl_c() -> None:
    """Handle Ctrl-C like a terminal's programs. A shell's background jobs, and so tests run as one, ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass
class CommandLine:
    """Runs the orchestrator against one state directory."""

    folder: Path
    running: list["subprocess.Popen[str]"] = field(default_factory=list)
    database: str | None = None
    """A database other than the one in the state directory."""
    files: dict[str, str] = field(default_factory=dict)
    """Catalog, playbooks and inventories other than those of the small world, as environment variables."""

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith("ORCHESTRATOR_")},
            "ORCHESTRATOR_HOME": str(self.folder / "home"),
            "ORCHESTRATOR_CATALOG": str(WORLD / "catalog"),
            "ORCHESTRATOR_PLAYBOOKS": str(WORLD / "playbooks"),
            "ORCHESTRATOR_INVENTORIES": str(WORLD / "inventories"),
            "COLUMNS": "200",
            **({"ORCHESTRATOR_DATABASE__URL": self.database} if self.database else {}),
            **self.files,
        }

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def begin(self, installed: Path) -> None:
        """Have a state directory as `init` makes it: a copy of one."""
        shutil.copytree(installed, self.home)

    def __call__(self, *words: object, expect: int = 0, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run one command, which must exit with the expected code."""
        done = run_command(words, self.environment | environment, patience=PATIENCE)
        assert done.returncode == expect, f"{words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *words: object, expect: int = 0) -> Any:
        """The document that a command prints with --json."""
        return json.loads(self(*words, "--json", expect=expect).stdout)

    def start(self, *words: object, **environment: str) -> "subprocess.Popen[str]":
        """Start a command in the background."""
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator", *map(str, words)],
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=hear_ctrl_c,
        )
        self.running.append(process)
        return process

    def end(self) -> None:
        """Kill what was started and is still running."""
        for process in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()

    def order(self, agency: str = "test-agency", *, services: dict[str, Any] | None = None, **parameters: Any) -> Path:
        """A call-off file for the small world; `parameters` go to every service."""
        chosen = services or {"alpha": {}, "beta": {}, "gamma": {}, "delta": {}}
        document = {
            "framework": "trial",
            "agency": {
                "id": agency,
                "name": agency.title(),
                "class": "agency",
                "seats": 10,
                "contacts": [{"role": "manager", "name": "M", "email": "m@a.example"}],
            },
            "site": "bench",
            "term": {"start": "2026-12-01", "months": 12},
            "services": {
                name: {
                    "tier": "standard",
                    **{k: v for k, v in given.items() if k in ("tier", "quantity")},
                    "parameters": {"journal": str(self.journal_file), **parameters}
                    | {k: v for k, v in given.items() if k not in ("tier", "quantity")},
                }
                for name, given in chosen.items()
            },
        }
        path = self.folder / f"{agency}.yml"
        path.write_text(json.dumps(document))
        return path

    @property
    def journal_file(self) -> Path:
        return self.folder / "journal"

    def journal(self) -> list[str]:
        """What the steps actually did, line by line."""
        return self.journal_file.read_text().splitlines() if self.journal_file.exists() else []


@dataclass
class InProcess(CommandLine):
    """Runs commands in this process, a hundred times faster: for commands that start nothing."""

    capture: Any = None

    def __call__(self, *words: object, expect: int = 0, **environment: str) -> "subprocess.CompletedProcess[str]":
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (self.environment | environment).items():
                patch.setenv(name, value)
            for voice in (output.console, output.progress):  # it asks for its width once
                voice.__dict__.pop("console", None)
            self.capture.readouterr()
            code = run([str(word) for word in words])
            said = self.capture.readouterr()
        assert code == expect, f"{words} ended with {code}:\n{said.out}\n{said.err}"
        return subprocess.CompletedProcess(list(words), code, said.out, said.err)


@pytest.fixture
def ours(swift: InProcess) -> InProcess:
    """The same on the project's own playbooks and inventories, and on a copy of its catalog in `catalog`."""
    shutil.copytree(ROOT / "catalog", swift.folder / "catalog")
    swift.files = {f"ORCHESTRATOR_{name.upper()}": str(ROOT / name) for name in ("playbooks", "inventories")}
    swift.files["ORCHESTRATOR_CATALOG"] = str(swift.folder / "catalog")
    return swift


PATIENCE = 180
"""Seconds after which a test gives up waiting, however busy the machine is."""


def eventually(condition: Callable[[], Any]) -> Any:
    """Return the first true value of the condition. Fails if there is none in time."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.05)
    pytest.fail("it did not happen in time")


def processes_mentioning(text: str) -> list[str]:
    """Command lines of live processes that contain a text, except our own."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if text in line:
                found.append(line)
    return found
