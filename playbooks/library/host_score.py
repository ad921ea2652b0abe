#!/usr/bin/python
"""Ansible module: how a host stands against a baseline."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_score
short_description: Checks a host against a baseline
description:
  - Checks everything in O(baseline), the firewall and the accounts, side by side, and changes nothing. Fails if
    anything is not as it should be, and says what.
options:
  baseline:
    description: What should be found, by the parts that the module utility C(host_checks) describes.
    type: dict
    required: true
  address:
    description: The host's own address, at which others reach what listens there.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: The same as in normal mode, because nothing is changed.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Check the host against its baseline
  host_score:
    baseline:
      ssh: {settings: {permitrootlogin: "no"}, lacks: {}}
      owners: {/etc/shadow: 0640 root shadow}
    address: 192.0.2.61
"""

RETURN = r"""
checks:
  description: How many checks there were.
  type: int
  returned: always
listening:
  description: On what something listens that others could reach, by C(address) and C(port) of TCP.
  type: list
  elements: dict
  returned: always
admitted:
  description: Ports of TCP that the firewall's files admit somebody to.
  type: list
  elements: int
  returned: always
"""

from ansible.module_utils import host_checks
from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Run as an Ansible module."""
    options = {"baseline": {"type": "dict", "required": True}, "address": {"type": "str", "required": True}}
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    address = module.params["address"]
    checks = host_checks.checked(module.params["baseline"])
    failed = [f"{check.name} ({check.found})" if check.found else check.name for check in checks if not check.passed]
    listening = [{"address": address, "port": port} for port in sorted(host_checks.listening())]
    told = {"listening": listening, "admitted": sorted(host_checks.admitted())}
    if failed:
        said = f"{len(failed)} of {len(checks)} checks of the baseline failed: {'; '.join(failed)}"
        module.fail_json(msg=said, checks=len(checks), **told)
    module.exit_json(changed=False, checks=len(checks), **told)


if __name__ == "__main__":
    main()
