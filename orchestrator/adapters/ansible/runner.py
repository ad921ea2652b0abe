"""Runs one step with ansible-runner, under a guard, with events in batches and secrets redacted."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_runner.interface import init_runner

from orchestrator.adapters.ansible import guard, translate
from orchestrator.adapters.ansible.guarded import GuardLine, Guards
from orchestrator.adapters.ansible.hidden import HiddenResults
from orchestrator.adapters.ansible.redaction import Redactor
from orchestrator.adapters.ansible.warm import WarmStart
from orchestrator.adapters.ansible.workspace import Workspace, workspace
from orchestrator.domain.events import Happening, StepPrinted, TaskFinished
from orchestrator.domain.runs.run import Counts, StepOutcome, StepState
from orchestrator.ports.outside import SiteAccess
from orchestrator.ports.runs import Assignment, Interrupted

BATCH = 100
BATCH_SECONDS = 0.25
OUTPUT_TAIL = 2_000


@dataclass
class AnsibleRunner:
    """The playbook runner. `access_of` returns the access to a site; `check` mode never changes anything.

    With `warm`, a step starts as a fork of a process that has imported Ansible.
    """

    playbooks: Path
    guards: Guards
    access_of: Callable[[str], SiteAccess]
    warm: WarmStart | None = None

    def run(
        self,
        assignment: Assignment,
        *,
        on_events: Callable[[Sequence[Happening]], None],
        cancelled: Callable[[], bool],
    ) -> StepOutcome:
        access = self.access_of(assignment.site.name)
        redact = Redactor(assignment.hidden)
        with workspace(assignment, access) as place, self.guards.expecting(place.socket, place.password) as line:
            watch = _Watch(
                line=line, cancelled=cancelled, deadline=time.monotonic() + assignment.timeout.total_seconds()
            )
            listener = _Listener(redact=redact, on_events=on_events, check=assignment.check)
            step = init_runner(
                **self._arguments(assignment, place, access),
                event_handler=listener.hear,
                cancel_callback=lambda: watch.look() or listener.flush_due(),
            )
            if self.warm:
                self.warm.expect(place.warm, step.config.env)
            step.run()
            listener.flush()
        if watch.verdict:
            return watch.verdict.model_copy(update={"counts": listener.counts or Counts()})
        if self.guards.stopping or step.rc == guard.STOPPED:
            raise Interrupted
        return translate.outcome(
            status=step.rc, recap=listener.counts, failures=listener.failures, output=listener.tail()
        )

    def _arguments(self, assignment: Assignment, place: Workspace, access: SiteAccess) -> dict[str, Any]:
        return {
            "private_data_dir": str(place.path),
            "project_dir": str(self.playbooks.resolve()),
            "playbook": f"{assignment.verb}.yml",
            "inventory": str(place.inventory),
            "cmdline": "--vault-password-file /dev/fd/{fd}" + (" --check --diff" if assignment.check else ""),
            "envvars": _environment(self.playbooks.resolve(), place, access),
            "suppress_env_files": True,
            "quiet": True,
            "ident": assignment.step,
        }


def _environment(playbooks: Path, place: Workspace, access: SiteAccess) -> dict[str, str]:
    """Variables that differ by step; the rest is in ansible.cfg beside this module. The user's own settings are
    ignored."""
    ssh = [
        "-o ControlMaster=auto -o ControlPersist=60s -o PreferredAuthentications=publickey -o BatchMode=yes",
        f"-o StrictHostKeyChecking=yes -o UserKnownHostsFile={access.known_hosts} -o GlobalKnownHostsFile=/dev/null",
        "-o ServerAliveInterval=10 -o ServerAliveCountMax=3",
    ]
    return {
        "PATH": f"{place.path}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "ANSIBLE_CONFIG": str(Path(__file__).with_name("ansible.cfg")),
        "ANSIBLE_HOST_KEY_CHECKING": "True",  # ansible-runner would turn it off
        "ANSIBLE_SSH_ARGS": " ".join(ssh),
        "ANSIBLE_ROLES_PATH": str(playbooks / "roles"),
        "ANSIBLE_LIBRARY": str(playbooks / "library"),
        "ANSIBLE_LOCAL_TEMP": str(place.path / "tmp"),
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).with_name("callbacks")),
    }


@dataclass
class _Watch:
    """Checks whether the step must stop, and stops it through its guard."""

    line: GuardLine
    cancelled: Callable[[], bool]
    deadline: float
    verdict: StepOutcome | None = None

    def look(self) -> bool:
        """Returns False always: ansible-runner would kill only the guard, not what it guards."""
        if self.verdict is None:
            if self.cancelled():
                self.verdict = StepOutcome(state=StepState.CANCELLED, error="cancelled on request")
            elif time.monotonic() > self.deadline:
                self.verdict = StepOutcome(state=StepState.TIMED_OUT, error="took longer than the catalog allows")
            if self.verdict:
                self.line.stop()
        return False


@dataclass
class _Listener:
    """Translates runner events and passes them on in batches."""

    redact: Redactor
    on_events: Callable[[Sequence[Happening]], None]
    check: bool = False
    counts: Counts | None = None
    failures: list[TaskFinished] = field(default_factory=list)
    _waiting: list[Happening] = field(default_factory=list)
    _flushed: float = field(default_factory=time.monotonic)
    _output: str = ""
    _hidden: HiddenResults = field(default_factory=HiddenResults)

    def hear(self, event: dict[str, Any]) -> bool:
        """Returns False, so that ansible-runner writes no file for the event."""
        if event.get("event") == "playbook_on_stats":
            self.counts = translate.counts(event["event_data"])
        self._print(event)
        self._hidden.hear(event)
        if happening := translate.task_finished(event, self.redact, self._hidden, check=self.check):
            self._waiting.append(happening)
            if happening.outcome in ("failed", "unreachable"):
                self.failures.append(happening)
        if event.get("event") in ("verbose", "error"):
            self._output = (self._output + "\n" + str(event.get("stdout", "")))[-OUTPUT_TAIL:]
        if len(self._waiting) >= BATCH:
            self.flush()
        return False

    def _print(self, event: dict[str, Any]) -> None:
        """Collect what Ansible printed, many lines in one event."""
        printed = translate.step_printed(event, self.redact)
        if printed is None:
            return
        last = self._waiting[-1] if self._waiting else None
        if isinstance(last, StepPrinted) and not printed.task:
            self._waiting[-1] = last.model_copy(update={"text": f"{last.text}\n{printed.text}"})
        else:
            self._waiting.append(printed)

    def flush_due(self) -> bool:
        if time.monotonic() - self._flushed > BATCH_SECONDS:
            self.flush()
        return False

    def flush(self) -> None:
        if self._waiting:
            self.on_events(tuple(self._waiting))
            self._waiting.clear()
        self._flushed = time.monotonic()

    def tail(self) -> str:
        return self.redact(self._output.strip()) or "no output"
