"""A hidden failure of a task: which task, which item and what kind are reported, but never its output."""

from collections.abc import Callable

import pytest

from orchestrator.domain.events import StepPrinted, TaskFinished
from orchestrator.domain.runs.run import StepState
from tests.adapters.ansible.conftest import Step, Steps

LOOP = """
- name: Give people their passwords
  ansible.builtin.command: sh -c "echo {{ item.word }} >&2; exit {{ item.status }}"
  loop:
    - {word: sesame-of-ada, status: 0}
    - {word: sesame-of-bob, status: 3}
    - {word: sesame-of-eve, status: 4}
  loop_control: {label: "{{ item.word }}"}
  no_log: true
"""
ONE = """
- name: Ask the page
  ansible.builtin.command: sh -c "echo sesame-of-ada; exit 7"
  no_log: true
"""
SAYING = """
- name: Say what is not to be seen
  ansible.builtin.fail: {msg: sesame-of-ada}
  no_log: true
"""
MODULE = """
- name: Write what is not to be seen
  ansible.builtin.copy: {content: sesame-of-ada, dest: /nowhere/at/all}
  no_log: true
"""


CHANGING = """
- name: Write what is not to be seen
  ansible.builtin.copy: {content: sesame-of-ada, dest: "{{ playbook_dir }}/hidden", mode: "0600"}
  no_log: true
- name: Write more of it
  ansible.builtin.copy: {content: "{{ item }}", dest: "{{ playbook_dir }}/hidden-{{ item | length }}", mode: "0600"}
  loop: [sesame-of-bob, sesame-of-evelyn]
  no_log: true
- name: Leave it
  ansible.builtin.copy: {content: sesame-of-ada, dest: "{{ playbook_dir }}/hidden", mode: "0600"}
  no_log: true
"""


@pytest.fixture(params=["warm", pytest.param("cold", marks=pytest.mark.slow)])
def failing(request: pytest.FixtureRequest, make_steps: Callable[[str], Steps]) -> Callable[[str], Step]:
    steps = make_steps(request.param)

    def fail(tasks: str) -> Step:
        file = steps.playbooks / "roles/hide/tasks/provision.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(tasks)
        return steps.run(role="hide")

    return fail


def test_a_hidden_failure_in_a_loop_shows_which_items_failed_and_how(failing: Callable[[str], Step]) -> None:
    step = failing(LOOP)
    assert step.outcome
    assert step.outcome.state is StepState.FAILED
    assert step.outcome.error == (
        "here: Give people their passwords: command, item 2 of its loop: its program ended with 3\n"
        "command, item 3 of its loop: its program ended with 4\n"
        "what it said is hidden, as it may hold secrets (no_log)"
    )
    assert "sesame" not in str(step.events)


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        (SAYING, "Say what is not to be seen: fail failed"),
        (ONE, "Ask the page: command: its program ended with 7"),
        (MODULE, "Write what is not to be seen: copy failed"),
    ],
)
def test_a_hidden_failure_shows_its_kind(failing: Callable[[str], Step], tasks: str, told: str) -> None:
    step = failing(tasks)
    assert step.outcome
    assert step.outcome.error
    assert told in step.outcome.error
    assert "sesame" not in str(step.events) + step.outcome.error


def test_failures_that_are_not_hidden_are_printed_as_ansible_prints_them(make_steps: Callable[[str], Steps]) -> None:
    step = make_steps("warm").run(journal_tell=True)
    printed = [e for e in step.events if isinstance(e, StepPrinted)]
    tasks = [e.task for e in printed if e.task]
    assert (tasks[0], tasks[2]) == ("Provision the component", "Note that provision began")
    text = "\n".join(e.text for e in printed)
    assert "TASK [journal : Note that provision began] ***" in text
    assert "changed: [here]" in text
    assert "token [redacted] in base64 [redacted]" in text
    assert "a-secret-of-the-test" not in text
    assert "\x1b" not in text


def test_a_hidden_change_is_counted(failing: Callable[[str], Step]) -> None:
    step = failing(CHANGING)
    assert step.outcome
    assert step.outcome.state is StepState.SUCCEEDED
    outcomes = [(told.task, told.outcome) for told in step.events if isinstance(told, TaskFinished)]
    wanted = {"Write what is not to be seen": "changed", "Write more of it": "changed", "Leave it": "ok"}
    assert {task: outcome for task, outcome in outcomes if task in wanted} == wanted
    assert "sesame" not in str(step.events)
