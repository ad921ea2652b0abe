"""Values from call-offs and secrets reach roles as text, whatever they contain, and never as templates."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.ansible.conftest import Steps
from tests.adapters.ansible.hostile import hostile

pytestmark = [pytest.mark.attack, pytest.mark.slow]

REPEATING = """
- name: Repeat what was given
  ansible.builtin.copy:
    content: "{{ [repeat_value, repeat_secrets.value, rendered] | to_json }}"
    dest: "{{ repeat_file }}"
    mode: "0600"
  vars:
    rendered: "{{ lookup('ansible.builtin.template', 'value.j2') }}"
"""


@pytest.fixture
def repeating(warm: Steps) -> Steps:
    role = warm.playbooks / "roles/repeat"
    for name, text in (("tasks/provision.yml", REPEATING), ("templates/value.j2", "{{ repeat_value }}")):
        (role / name).parent.mkdir(parents=True)
        (role / name).write_text(text)
    return warm


def repeated(steps: Steps, value: Any, secret: str) -> list[Any]:
    """What a role was given as its variable and its secret, and its variable in a file made from a template."""
    file = steps.folder / "repeated"
    given = replace(steps, secrets={"value": secret})
    outcome = given.run(role="repeat", repeat_value=value, repeat_file=str(file)).outcome
    assert outcome
    assert outcome.state == "succeeded", outcome.error
    told: list[Any] = json.loads(file.read_text())
    return told


def test_a_hostile_text_arrives_unchanged_and_does_nothing(repeating: Steps, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    texts = hostile(proof)
    value = {"inside": texts, **dict.fromkeys(texts, "key")}
    assert repeated(repeating, value, texts[0])[:2] == [value, texts[0]]
    assert not proof.exists()


def test_a_hostile_text_is_written_to_a_file_unchanged(repeating: Steps, tmp_path: Path) -> None:
    text = "".join(hostile(tmp_path / "proof"))
    assert repeated(repeating, text, text)[2] == text
    assert not (tmp_path / "proof").exists()
