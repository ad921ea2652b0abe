#!/usr/bin/python
"""Ansible module: wait for lines of hosts to arrive in a folder of journals."""

from __future__ import annotations

DOCUMENTATION = r"""
module: journal_arrivals
short_description: Waits for lines of hosts to arrive in a folder of journals
description:
  - Looks in the journal files of a folder for each of O(lines) until all are there. Fails if one does not come, and
    says whose.
options:
  folder:
    description: The folder.
    type: path
    required: true
  identifier:
    description: What the lines are tagged with.
    type: str
    required: true
  lines:
    description: The lines, by host.
    type: dict
    required: true
  timeout:
    description: Seconds to wait.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: The same as in normal mode, because nothing is changed.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Wait for what the hosts have written
  journal_arrivals:
    folder: /var/lib/agency-journal/cabinet-office
    identifier: data-centre-verify
    lines: {server1: 0f4ab2f0}
"""

RETURN = r"""# """

import subprocess
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

PAUSE = 0.5


def missing(given: dict[str, Any]) -> list[str]:
    """Return the hosts whose lines have not arrived yet."""
    command = ["journalctl", f"--directory={given['folder']}", f"--identifier={given['identifier']}"]
    told = subprocess.run([*command, "--output=cat", "--since=-1h"], capture_output=True, text=True, check=False)
    found = set(told.stdout.splitlines())
    return sorted(host for host, line in given["lines"].items() if line not in found)


def main() -> None:
    """Wait, and report who is missing, if anybody."""
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "identifier": {"type": "str", "required": True},
            "lines": {"type": "dict", "required": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    deadline = time.monotonic() + module.params["timeout"]
    while late := missing(module.params):
        if time.monotonic() > deadline:
            module.fail_json(msg=f"what {', '.join(late)} wrote did not arrive in {module.params['folder']} in time")
        time.sleep(PAUSE)
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
