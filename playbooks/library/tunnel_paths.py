#!/usr/bin/python
"""Ansible module: whether the paths that tunnels take stand ready."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tunnel_paths
short_description: Checks that each path has a fresh handshake of WireGuard and is alive for BIRD
description:
  - Fails, naming each path that does not stand ready, after it has waited for it; at once if the interface does not
    know the far end. Changes nothing.
options:
  paths:
    description: The paths.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {type: str, required: true, description: "What it is called, for people."}
      interface: {type: str, required: true, description: "Its WireGuard interface."}
      peer: {type: str, required: true, description: "Public key of the far end."}
      neighbour: {type: str, required: true, description: "Address of the far end inside the tunnel."}
  control:
    description: Socket by which BIRD is asked.
    type: path
    required: true
  namespace:
    description: Network namespace in which the interfaces are. The host's own when omitted.
    type: str
  timeout:
    description: Seconds to wait until all are ready.
    type: int
    default: 15
attributes:
  check_mode:
    support: full
    description: The same as in normal mode.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: See that both paths stand ready
  tunnel_paths:
    paths:
      - {name: first path to leeds, interface: wan7-1, peer: "{{ key }}", neighbour: 10.80.16.2}
    control: /run/agency-wan/cabinet-office/control
"""

RETURN = r"""# """

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.network_namespace import within

FRESH = 180
"""Seconds after which WireGuard itself no longer trusts a handshake."""


def handshakes(module: AnsibleModule, interface: str) -> dict[str, int]:
    """Return the instant of the last handshake with each peer, 0 if there was none; nothing without the interface."""
    command = [*within(module.params["namespace"]), "wg", "show", interface, "latest-handshakes"]
    status, output, _ = module.run_command(command)
    return {key: int(at) for key, at in map(str.split, output.splitlines())} if status == 0 else {}


def sessions(module: AnsibleModule) -> dict[tuple[str, str], str]:
    """Return the state of each path that BIRD watches, by interface and address of the far end."""
    status, output, _ = module.run_command(["birdc", "-s", module.params["control"], "show", "bfd", "sessions"])
    rows = [line.split() for line in output.splitlines()] if status == 0 else []
    return {(row[1], row[0]): row[2] for row in rows if len(row) > 3 and row[0][0].isdigit()}


def complaints(module: AnsibleModule) -> list[str]:
    """Return what is wrong with each path that does not stand ready. Fails if waiting would not help."""
    paths: list[dict[str, Any]] = module.params["paths"]
    shaken = {interface: handshakes(module, interface) for interface in {path["interface"] for path in paths}}
    if unknown := [path for path in paths if path["peer"] not in shaken[path["interface"]]]:
        module.fail_json(msg="; ".join(f"{one['interface']} has no tunnel for the {one['name']}" for one in unknown))
    watched, now, found = sessions(module), time.time(), []
    for path in paths:
        ago = now - shaken[path["interface"]][path["peer"]]
        state = watched.get((path["interface"], path["neighbour"]), "not watched")
        if ago > FRESH or state != "Up":
            last = "no handshake" if ago == now else f"last handshake {ago:.0f} s ago"
            found.append(f"the {path['name']} does not stand ready: {last}, its far end is {state}")
    return found


def main() -> None:
    """Run as an Ansible module."""
    path = {name: {"type": "str", "required": True} for name in ("name", "interface", "peer", "neighbour")}
    module = AnsibleModule(
        argument_spec={
            "paths": {"type": "list", "elements": "dict", "required": True, "options": path},
            "control": {"type": "path", "required": True},
            "namespace": {"type": "str"},
            "timeout": {"type": "int", "default": 15},
        },
        supports_check_mode=True,
    )
    deadline = time.monotonic() + module.params["timeout"]
    while (found := complaints(module)) and time.monotonic() < deadline:
        time.sleep(0.5)
    if found:
        module.fail_json(msg="; ".join(found))
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
