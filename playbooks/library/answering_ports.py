#!/usr/bin/python
"""Ansible module: which ports accept a connection."""

from __future__ import annotations

DOCUMENTATION = r"""
module: answering_ports
short_description: Tells which ports of TCP accept a connection
description:
  - Tries all of them at once, from this host or from a network namespace of it. Changes nothing.
options:
  ports:
    description: The ports, each a dict with C(address) and C(port). Those of another C(protocol) than TCP are left out.
    type: list
    elements: dict
    required: true
  namespace:
    description: Network namespace to try them from. The host's own when omitted.
    type: str
  timeout:
    description: Seconds to wait for each.
    type: int
    default: 4
attributes:
  check_mode:
    support: full
    description: The same as in normal mode.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: See what a device reaches
  answering_ports:
    ports: [{address: 192.0.2.21, protocol: tcp, port: 443}]
    namespace: device7
  register: reached
"""

RETURN = r"""
answering:
  description: Those that do, by C(address) and C(port).
  type: list
  elements: dict
  returned: success
"""

from ansible.module_utils.answering_ports import answering, answering_in
from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "ports": {"type": "list", "elements": "dict", "required": True},
            "namespace": {"type": "str"},
            "timeout": {"type": "int", "default": 4},
        },
        supports_check_mode=True,
    )
    given = module.params
    ports = [(one["address"], int(one["port"])) for one in given["ports"] if one.get("protocol", "tcp") == "tcp"]
    namespace, timeout = given["namespace"], given["timeout"]
    found = answering_in(namespace, ports, timeout) if namespace else answering(ports, timeout)
    module.exit_json(changed=False, answering=[{"address": address, "port": port} for address, port in sorted(found)])


if __name__ == "__main__":
    main()
