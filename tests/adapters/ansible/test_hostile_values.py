"""What call-offs and secrets say reaches roles as text, whatever it says, and is never a template."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.ansible.conftest import Steps

pytestmark = pytest.mark.slow

REPEATING = """
- name: Repeat what was given
  ansible.builtin.copy:
    content: "{{ [repeat_value, repeat_secrets.value, rendered] | to_json }}"
    dest: "{{ repeat_file }}"
    mode: "0600"
  vars:
    rendered: "{{ lookup('ansible.builtin.template', 'value.j2') }}"
"""


def hostile(proof: Path) -> list[str]:
    """Texts that would make the file if anything took them for more than text."""
    return [
        f"{{{{ lookup('ansible.builtin.pipe', 'touch {proof}') }}}}",
        f"{{% set _ = lookup('ansible.builtin.pipe', 'touch {proof}') %}}",
        f"#jinja2:variable_start_string:'[['\n[[ lookup('ansible.builtin.pipe', 'touch {proof}') ]]",
        f"$(touch {proof}) `touch {proof}`; touch {proof}",
        f"!unsafe {{{{ lookup('ansible.builtin.pipe', 'touch {proof}') }}}}",
        "{# a comment #} {{ undefined_variable }}",
        "!vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  00",
        "'\"\\ \t\r\n\x00\x07\x1b[31m\x7f\x85\u2028\u202e\U0001f600 : - & * yes 0o17 1e3 2026-12-01",
    ]


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


def test_a_hostile_text_arrives_as_it_is_and_does_nothing(repeating: Steps, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    texts = hostile(proof)
    value = {"inside": texts, **dict.fromkeys(texts, "key")}
    assert repeated(repeating, value, texts[0])[:2] == [value, texts[0]]
    assert not proof.exists()


def test_a_hostile_text_is_in_a_file_what_it_is_in_the_call_off(repeating: Steps, tmp_path: Path) -> None:
    text = "".join(hostile(tmp_path / "proof"))
    assert repeated(repeating, text, text)[2] == text
    assert not (tmp_path / "proof").exists()
