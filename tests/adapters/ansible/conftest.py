"""Steps with the real runner on this machine, with test playbooks that report where they run."""

import json
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.ansible.guarded import Guards
from orchestrator.adapters.ansible.runner import AnsibleRunner
from orchestrator.adapters.ansible.warm import WarmStart
from orchestrator.domain.estate.site import Host, Site
from orchestrator.domain.events import Happening, TaskFinished
from orchestrator.domain.runs.run import StepOutcome
from orchestrator.domain.selling.catalog import Verb
from orchestrator.ports.outside import SiteAccess
from orchestrator.ports.runs import Assignment
from tests.conftest import WORLD
from tests.entrypoints.cli.conftest import PATIENCE

TELLING = """
- name: Tell where we are
  ansible.builtin.copy:
    content: "{{ told | to_json }}"
    dest: "{{ tell_file }}"
    mode: "0600"
  vars:
    told:
      process: "{{ lookup('ansible.builtin.pipe', 'tr \\\\\\\\0 \\" \\" < /proc/$PPID/cmdline') }}"
      environment: "{{ lookup('ansible.builtin.pipe', 'env') }}"
      temporary: "{{ lookup('ansible.builtin.config', 'DEFAULT_LOCAL_TMP') }}"
      roles: "{{ lookup('ansible.builtin.config', 'DEFAULT_ROLES_PATH') }}"
      host_key_checking: "{{ lookup('ansible.builtin.config', 'host_key_checking', **ssh) }}"
      ssh: "{{ lookup('ansible.builtin.config', 'ssh_args', **ssh) }}"
      ids: "{{ '' | ids }}"
      secret: "{{ tell_secrets.token }}"
    ssh: {plugin_type: connection, plugin_name: ssh}
- name: Ask the module
  answer:
  register: answered
- name: Tell the answer
  ansible.builtin.copy:
    content: "{{ answered.answer }}"
    dest: "{{ tell_file }}.answer"
    mode: "0600"
"""

IDS = """
from ansible.utils import vars
class FilterModule:
    def filters(self):
        return {"ids": lambda _: vars.random_int}
"""

ANSWER = """
from ansible.module_utils.basic import AnsibleModule
AnsibleModule(argument_spec={}).exit_json(answer="ANSWER")
"""


HERE = Host(name="here", address="127.0.0.1", groups=("places",))


@dataclass
class Step:
    """A step that runs in a thread."""

    events: list[Happening] = field(default_factory=list)
    outcome: StepOutcome | None = None
    cancelled: bool = False
    thread: threading.Thread | None = None

    def ended(self) -> StepOutcome:
        assert self.thread
        self.thread.join(PATIENCE)
        assert self.outcome, "it ended"
        return self.outcome

    @property
    def tasks(self) -> list[tuple[str, str, str, str | None]]:
        return [(e.host, e.task, e.outcome, e.message) for e in self.events if isinstance(e, TaskFinished)]


@dataclass
class Steps:
    """Starts steps of the journal role, or of the reporting role."""

    folder: Path
    warm: WarmStart | None
    secrets: Mapping[str, str] = field(default_factory=lambda: {"token": "a-secret-of-the-test"})

    @property
    def playbooks(self) -> Path:
        return self.folder / "playbooks"

    def answer_is(self, answer: str) -> None:
        (self.playbooks / "library/answer.py").write_text(ANSWER.replace("ANSWER", answer))

    def start(self, *, role: str = "journal", site: str = "bench", **variables: Any) -> Step:
        guards = Guards(lease_seconds=600)
        runner = AnsibleRunner(playbooks=self.playbooks, guards=guards, access_of=self._access, warm=self.warm)
        assignment = self._assignment(role, site, variables)
        step = Step()

        def hear(happenings: Sequence[Happening]) -> None:
            step.events.extend(happenings)

        def run() -> None:
            step.outcome = runner.run(assignment, on_events=hear, cancelled=lambda: step.cancelled)

        step.thread = threading.Thread(target=run, daemon=True)
        step.thread.start()
        return step

    def run(self, **given: Any) -> Step:
        step = self.start(**given)
        step.ended()
        return step

    def told(self, **given: Any) -> dict[str, Any]:
        """What a reporting step reported."""
        file = self.folder / "told"
        step = self.run(role="tell", tell_file=str(file), **given)
        assert step.outcome
        assert step.outcome.state == "succeeded", step.outcome.error
        return {**json.loads(file.read_text()), "answer": Path(f"{file}.answer").read_text()}

    def _access(self, site: str) -> SiteAccess:
        return SiteAccess(key=Path("/dev/null"), known_hosts=self.folder / site)

    def _assignment(self, role: str, site: str, variables: dict[str, Any]) -> Assignment:
        journal = {"journal_agency": {"id": "a"}, "journal_functions": ["f"], "journal_journal": "/dev/null"}
        rest = {"journal_sleep": 0, "journal_fail_while": "/nonexistent", "journal_tell": False}
        facts = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        return Assignment(
            run=1,
            step="alpha.provision",
            role=role,
            verb=Verb.PROVISION,
            site=Site(name=site, domain="d", pools={}, facts=facts, hosts={"here": HERE}),
            variables={"here": {**journal, **rest, **variables}},
            secrets=self.secrets,
            secrets_variable=f"{role}_secrets",
            timeout=timedelta(minutes=2),
        )


@pytest.fixture
def make_steps(tmp_path: Path) -> Iterator[Callable[..., Steps]]:
    """Creates steps that start warm or cold."""
    shutil.copytree(WORLD / "playbooks", tmp_path / "playbooks")
    for path, text in (
        ("roles/tell/tasks/provision.yml", TELLING),
        ("filter_plugins/ids.py", IDS),
        ("library/answer.py", ANSWER),
    ):
        (tmp_path / "playbooks" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "playbooks" / path).write_text(text)
    warm = WarmStart(tmp_path / "playbooks")

    def make(start: str) -> Steps:
        steps = Steps(tmp_path, warm if start == "warm" else None)
        steps.answer_is("forty-two")
        return steps

    yield make
    warm.close()


@pytest.fixture
def short_folder() -> Iterator[str]:
    """A folder whose name leaves room for that of a socket."""
    with tempfile.TemporaryDirectory(prefix="r") as folder:
        yield folder


@pytest.fixture
def warm(make_steps: Callable[[str], Steps]) -> Steps:
    return make_steps("warm")
