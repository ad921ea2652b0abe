#!/usr/bin/python
"""Ansible module: checks that a WireGuard interface matches its file."""

from __future__ import annotations

DOCUMENTATION = r"""
module: wireguard_peers
short_description: Tells whether a WireGuard interface answers exactly the peers in its file
description:
  - Compares its own key, its port if O(file) says one, and its peers with those of O(file). Reports a change if they
    differ or the interface does not exist, but changes nothing; notify a handler that loads the file.
options:
  interface:
    description: The interface.
    type: str
    required: true
  file:
    description: Its file, in the format of wg-quick.
    type: path
    required: true
  namespace:
    description: The network namespace in which it is. The host's own when omitted.
    type: str
  strict:
    description: Whether a difference is a failure, and not a change.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: The same as in normal mode.
  diff_mode:
    support: full
    description: Port, own public key and peers with their addresses, one a line.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: See that those who dial in are those of the file
  wireguard_peers:
    interface: vpn3
    file: /etc/wireguard/vpn3.conf
  notify: Network reload remote access
"""

RETURN = r"""# """

from pathlib import Path
from shutil import which

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.network_namespace import within


def live(module: AnsibleModule, interface: str) -> list[str]:
    """Return the key, port and peers of the interface; nothing if it does not exist."""
    if which("wg") is None:
        return []
    status, output, _ = module.run_command([*within(module.params["namespace"]), "wg", "show", interface, "dump"])
    if status != 0:
        return []
    own, *peers = [line.split("\t") for line in output.splitlines()]
    told = [f"peer {peer[0]} {in_order(peer[3])}" for peer in peers]
    return [f"key {own[1]}", f"port {own[2]}", *sorted(told)]


def in_order(addresses: str) -> str:
    """Return a list of addresses in the order in which both sides have it."""
    return ",".join(sorted(addresses.replace(" ", "").split(",")))


def declared(module: AnsibleModule, file: Path) -> list[str]:
    """Return the same from the file; nothing if it does not exist yet."""
    if not file.exists():
        return []
    found: list[str] = []
    peers: list[dict[str, str]] = []
    section = ""
    for line in (line.split("#")[0].strip() for line in file.read_text().splitlines()):
        key, _, value = (part.strip() for part in line.partition("="))
        if line.startswith("["):
            section = line
            if section == "[Peer]":
                peers.append({})
        elif section == "[Peer]" and key:
            peers[-1][key] = value
        elif key == "PrivateKey":
            _, public, _ = module.run_command(["wg", "pubkey"], data=value)
            found.insert(0, f"key {public.strip()}")
        elif key == "ListenPort":
            found.append(f"port {value}")
    return [*sorted(found), *sorted(f"peer {peer['PublicKey']} {in_order(peer['AllowedIPs'])}" for peer in peers)]


def main() -> None:
    """Compare and report the difference."""
    module = AnsibleModule(
        argument_spec={
            "interface": {"type": "str", "required": True},
            "file": {"type": "path", "required": True},
            "namespace": {"type": "str"},
            "strict": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    interface, file = module.params["interface"], Path(module.params["file"])
    found, wanted = live(module, interface), declared(module, file)
    if not any(line.startswith("port ") for line in wanted):
        found = [line for line in found if not line.startswith("port ")]
    headers = {"before_header": f"{interface} in force", "after_header": str(file)}
    texts = {"before": "".join(f"{line}\n" for line in found), "after": "".join(f"{line}\n" for line in wanted)}
    differs = not wanted or found != wanted
    if differs and module.params["strict"]:
        module.fail_json(msg=f"{interface} does not answer those, and only those, who are in {file}")
    module.exit_json(changed=differs, diff={**headers, **texts} if differs else {})


if __name__ == "__main__":
    main()
