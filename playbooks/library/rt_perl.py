#!/usr/bin/python
"""Ansible module: run a Perl program against Request Tracker's own API."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rt_perl
short_description: Run a Perl program against Request Tracker's own API
description:
  - Runs O(program) as O(user), passes it O(arguments) as JSON after C(__END__), and reads one JSON document from its
    output.
  - The program's document has C(changed) and may have C(before) and C(after), lists of lines that become the diff.
  - Neither arguments nor secrets appear in a process list or stay in a file.
options:
  program:
    description: Text of the program. It is passed C(check), which is true if it must change nothing.
    type: str
    required: true
  arguments:
    description: Input of the program.
    type: dict
    default: {}
  secrets:
    description: More arguments, whose values are never reported.
    type: dict
    default: {}
  user:
    description: System user that owns Request Tracker's database.
    type: str
    default: www-data
  ready:
    description: File that exists once Request Tracker can run. Without it, check mode predicts a change; else it fails.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Passed to the program.
  diff_mode:
    support: full
    description: From the program's C(before) and C(after).
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Make the agency's queue, group and agents
  rt_perl:
    program: "{{ lookup('ansible.builtin.file', 'agency.pl') }}"
    arguments: {action: present, id: cabinet-office}
    secrets: {secret: "{{ secret }}"}
    ready: /var/lib/service-desk/ready
"""

RETURN = r"""#"""

import json
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Run the program once and report what it found or changed."""
    module = AnsibleModule(
        argument_spec={
            "program": {"type": "str", "required": True},
            "arguments": {"type": "dict", "default": {}},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "user": {"type": "str", "default": "www-data"},
            "ready": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    if not Path(given["ready"]).exists():
        if module.check_mode:
            module.exit_json(changed=True, msg="Request Tracker is not set up yet")
        module.fail_json(msg=f"Request Tracker is not set up: {given['ready']} is missing")

    arguments = json.dumps({**given["arguments"], **given["secrets"], "check": module.check_mode})
    status, output, errors = module.run_command(
        ["runuser", "-u", given["user"], "--", "perl", "-"],
        data=f"{given['program']}\n__END__\n{arguments}",
        cwd="/",
    )
    if status != 0:
        module.fail_json(msg=f"the program failed: {errors.strip() or output.strip()}", rc=status)
    result = json.loads(output)
    diff = {side: "".join(f"{line}\n" for line in result.get(side, [])) for side in ("before", "after")}
    module.exit_json(changed=result["changed"], diff=diff)


if __name__ == "__main__":
    main()
