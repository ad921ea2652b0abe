"""A worker (or a server with one) as tests start it: the real application and engine, steps that are shell scripts.

Real Ansible is shown to work elsewhere. Here every step is a real process tree behind the real guard, which writes a
line to a journal when it starts and when it ends, and says so if it ever meets itself. A worker can be told to kill or
stop itself at one point of its life.
"""

import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from orchestrator.adapters.ansible import guard, runner
from orchestrator.adapters.ansible.guarded import Guards
from orchestrator.adapters.engine import queueing
from orchestrator.bootstrap import build
from orchestrator.domain.events import Happening, TaskFinished
from orchestrator.domain.runs.run import Counts, RunState, StepOutcome, StepState
from orchestrator.domain.selling.catalog import Verb
from orchestrator.entrypoints.cli.operating import stop_on_signals
from orchestrator.entrypoints.http.server import serve_forever
from orchestrator.ports.outside import SiteAccess
from orchestrator.ports.runs import Assignment, Interrupted
from orchestrator.settings import Settings
from orchestrator.usecases.runs.admitting import Admitting
from orchestrator.usecases.runs.driving import Driving

SCRIPT = """
journal=$1 what=$2 seconds=$3
say() { echo "$(date +%s.%N) $1 $what" >> "$journal"; }
exec 9> "$journal.$(echo $what | tr ' ' '-').lock"
flock --nonblock 9 || say overlaps
say starts
trap '' TERM
setsid sleep "$seconds"
say ends
"""
"""Everything that the step started holds the lock. If it is taken, something still runs that should be dead."""


@dataclass
class ScriptRunner:
    """A substitute for the Ansible runner."""

    playbooks: Path
    guards: Guards
    access_of: Callable[[str], SiteAccess]
    warm: object = None

    def run(
        self,
        assignment: Assignment,
        *,
        on_events: Callable[[Sequence[Happening]], None],
        cancelled: Callable[[], bool],
    ) -> StepOutcome:
        [given] = assignment.variables.values()
        what = f"{given['journal_agency']['id']} {assignment.run} {assignment.step}"
        seconds = str(given["journal_sleep"] if assignment.verb is Verb.PROVISION else 0)
        script = ["/bin/bash", "-c", SCRIPT, "step", given["journal_journal"], what, seconds]
        verdict = None
        with (
            tempfile.TemporaryDirectory(prefix="step-") as place,
            self.guards.expecting(socket := Path(place) / "guard.sock", b"-") as line,
        ):
            process = subprocess.Popen([sys.executable, "-I", "-S", guard.__file__, str(socket), place, *script])
            on_events([TaskFinished(host="here", task="script", outcome="changed", seconds=0.0)])
            while process.poll() is None:
                if verdict is None and cancelled():
                    verdict = StepOutcome(state=StepState.CANCELLED, error="cancelled on request")
                    line.stop()
                time.sleep(0.03)
        if verdict is None and (self.guards.stopping or process.returncode == guard.STOPPED):
            raise Interrupted
        state = StepState.SUCCEEDED if process.returncode == 0 else StepState.FAILED
        return verdict or StepOutcome(state=state, counts=Counts(ok=1, changed=1))


@dataclass(frozen=True)
class Mishap:
    """What happens to the worker in the `count`-th call of a use-case: a signal to itself, on entering it, before it
    commits or after it has."""

    call: str
    when: str
    count: int = 1
    sign: signal.Signals = signal.SIGKILL

    def __str__(self) -> str:
        return f"{self.when}-{self.call}"

    def befall(self) -> None:
        os.kill(os.getpid(), self.sign)
        time.sleep(0.2)

    def arm(self) -> None:
        """Wrap the use-case."""
        family: type = Admitting if self.call == "admit" else Driving
        plain, calls, armed = getattr(family, self.call), itertools.count(1), threading.local()

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if self.call == "admit" and not _anything_queued(args[0]):
                return plain(*args, **kwargs)
            mine = next(calls) == self.count
            if mine and self.when == "entering":
                self.befall()
            armed.now = mine and self.when == "before"
            result = plain(*args, **kwargs)
            if mine and self.when == "after":
                self.befall()
            return result

        def before_commit(_session: Session) -> None:
            if getattr(armed, "now", False):
                self.befall()

        sa.event.listen(Session, "before_commit", before_commit)
        setattr(family, self.call, wrapped)


def _anything_queued(admitting: Admitting) -> bool:
    with admitting.store.read() as tx:
        return tx.runs.count(RunState.QUEUED) > 0


def main(settings: Settings, port: int | None, mishap: Mishap | None, version: str | None) -> None:
    """Run as a worker, or as a server if there is a port, until SIGTERM. `version` overrides the engine's version."""
    queueing.VERSION = version or queueing.VERSION
    runner.AnsibleRunner = ScriptRunner  # type: ignore[assignment, misc]
    if mishap:
        mishap.arm()
    with build(settings) as app:
        if port is None:
            app.engine.work(stop_on_signals().is_set)
        else:
            serve_forever(app, host="127.0.0.1", port=port, with_worker=True)
