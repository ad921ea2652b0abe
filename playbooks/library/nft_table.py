#!/usr/bin/python
"""Ansible module: checks that the nftables table in force matches its file."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nft_table
short_description: Tells whether the nftables table in force matches its file
description:
  - Compares the rules in force with those of O(file), both as the kernel lists them. For this, the file is loaded in a
    separate network namespace. Reports a change if they differ, but changes nothing; notify a handler that loads the
    file.
options:
  name:
    description: The table, in the family C(inet).
    type: str
    required: true
  file:
    description: The file that defines it.
    type: path
    required: true
  namespace:
    description: The network namespace in which it is in force. The host's own when omitted.
    type: str
attributes:
  check_mode:
    support: full
    description: The same as in normal mode.
  diff_mode:
    support: full
    description: Rules in force and rules of the file.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: See that the rules in force are those of the file
  nft_table:
    name: agency3
    file: /etc/agency-network/cabinet-office/firewall.nft
  notify: Network reload firewall
"""

RETURN = r"""# """

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nft_rules import declared, in_force


def main() -> None:
    """Compare and report the difference."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "file": {"type": "path", "required": True},
            "namespace": {"type": "str"},
        },
        supports_check_mode=True,
    )
    name, file = module.params["name"], Path(module.params["file"])
    # In check mode, a fresh host has no file yet, and maybe no nft.
    wanted = declared(module, file, name) if file.exists() else ""
    found = in_force(module, name, module.params["namespace"])
    headers = {"before_header": f"table {name} in force", "after_header": str(file)}
    differs = not file.exists() or wanted != found
    module.exit_json(changed=differs, diff={**headers, "before": found, "after": wanted} if differs else {})


if __name__ == "__main__":
    main()
