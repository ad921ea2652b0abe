#!/usr/bin/python
"""Ansible module: checks a host with its own commands."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_answers
short_description: Runs checking commands in parallel and reports those with a wrong answer
description:
  - An answer is right if the command exits with 0 and its standard output contains the expected text.
  - For commands that change nothing; it also runs in check mode. Fails if any answer is wrong, and names them all.
options:
  questions:
    description: The checks.
    type: list
    elements: dict
    required: true
    suboptions:
      ask:
        description: The command and its arguments. No shell is involved.
        type: list
        elements: str
        required: true
      expect:
        description: Text that its output must contain.
        type: str
        required: true
  timeout:
    description: Seconds to wait for each answer.
    type: int
    default: 60
author:
  - The shared service orchestrator's authors
"""

EXAMPLES = r"""
- name: Ask the host whether its policy is in force
  host_answers:
    questions:
      - {ask: [sshd, -T], expect: permitrootlogin no}
"""

RETURN = r"""
asked:
  description: How many questions were asked.
  type: int
  returned: success
"""

import os
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils.basic import AnsibleModule

SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def rightly(question: Mapping[str, Any], timeout: int) -> bool:
    """Tell whether the command succeeds and its output contains the expected text."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS))
    try:
        done = subprocess.run(
            question["ask"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, "PATH": path, "LC_ALL": "C.UTF-8"},
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and question["expect"] in done.stdout


def main() -> None:
    """Run as an Ansible module."""
    options = {
        "ask": {"type": "list", "elements": "str", "required": True},
        "expect": {"type": "str", "required": True},
    }
    module = AnsibleModule(
        argument_spec={
            "questions": {"type": "list", "elements": "dict", "options": options, "required": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    questions, timeout = module.params["questions"], module.params["timeout"]
    with ThreadPoolExecutor(max_workers=len(questions) or 1) as pool:
        answers = list(pool.map(lambda question: rightly(question, timeout), questions))
    wrong = [" ".join(question["ask"]) for question, right in zip(questions, answers, strict=True) if not right]
    if wrong:
        module.fail_json(msg=f"wrong answers: {'; '.join(wrong)}")
    module.exit_json(changed=False, asked=len(questions))


if __name__ == "__main__":
    main()
