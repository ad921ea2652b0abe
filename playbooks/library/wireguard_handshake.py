#!/usr/bin/python
"""Ansible module: dials in to a WireGuard interface of the host, as a remote worker does."""

from __future__ import annotations

DOCUMENTATION = r"""
module: wireguard_handshake
short_description: Dials in to a WireGuard interface of this host with a temporary key
description:
  - Adds a peer that exists only for the check, completes a handshake from another network namespace of the host, and
    removes everything. Does not count as a change.
  - The peer knows the public key that belongs to O(private_key). The handshake succeeds only if the interface has that
    private key.
options:
  interface:
    description: The WireGuard interface.
    type: str
    required: true
  private_key:
    description: The private key that it should have.
    type: str
    required: true
  endpoint:
    description: Address and port to dial.
    type: str
    required: true
  namespace:
    description: Network namespace to dial from.
    type: str
    required: true
  address:
    description: A free address behind the interface, for the peer.
    type: str
    required: true
  timeout:
    description: Seconds to wait for the handshake.
    type: int
    default: 10
author:
  - The shared service orchestrator's authors
"""

EXAMPLES = r"""
- name: Dial in
  wireguard_handshake:
    interface: vpn7
    private_key: "{{ key }}"
    endpoint: 198.18.7.1:51821
    namespace: neighbour
    address: 10.64.7.254
"""

RETURN = r"""
peer:
  description: Public key of the removed peer.
  type: str
  returned: success
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ansible.module_utils.basic import AnsibleModule

LONGEST_INTERFACE_NAME = 15


def interface_of(namespace: str) -> str:
    """Name the interface after its namespace: all namespaces share the folder of wireguard-go's control sockets."""
    return f"dial-{namespace}"[:LONGEST_INTERFACE_NAME]


def public_key(module: AnsibleModule, private_key: str) -> str:
    """Return the public key of a private one, which is passed over standard input."""
    _, output, _ = module.run_command(["wg", "pubkey"], data=private_key, check_rc=True)
    return str(output.strip())


@contextmanager
def dialler(module: AnsibleModule, within: list[str], interface: str, private_key: str) -> Iterator[None]:
    """Provide an interface with this key in the namespace: in the kernel if possible, else in user space."""
    status, _, _ = module.run_command([*within, "ip", "link", "add", interface, "type", "wireguard"])
    if status != 0:
        module.run_command([*within, "wireguard-go", interface], check_rc=True)
    try:
        module.run_command(
            [*within, "wg", "set", interface, "private-key", "/dev/stdin"], data=private_key, check_rc=True
        )
        yield
    finally:
        # This also ends wireguard-go.
        module.run_command([*within, "ip", "link", "delete", interface])


def shaken(module: AnsibleModule, within: list[str], interface: str, timeout: int) -> bool:
    """Wait for the first handshake."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        _, output, _ = module.run_command([*within, "wg", "show", interface, "latest-handshakes"])
        if output.split()[-1:] not in ([], ["0"]):
            return True
        time.sleep(0.1)
    return False


def main() -> None:
    """Run as an Ansible module."""
    texts = ("interface", "endpoint", "namespace", "address")
    module = AnsibleModule(
        argument_spec={
            **{name: {"type": "str", "required": True} for name in texts},
            "private_key": {"type": "str", "required": True, "no_log": True},
            "timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    within = ["ip", "netns", "exec", wanted["namespace"]]
    interface = interface_of(wanted["namespace"])
    _, own_key, _ = module.run_command(["wg", "genkey"], check_rc=True)
    peer = public_key(module, own_key)
    at_server = ["wg", "set", wanted["interface"], "peer", peer]
    dialled = public_key(module, wanted["private_key"])
    at_peer = ["wg", "set", interface, "peer", dialled, "endpoint", wanted["endpoint"]]
    status, _, errors = module.run_command([*at_server, "allowed-ips", wanted["address"]])
    if status != 0:
        module.fail_json(msg=f"{wanted['interface']} cannot be dialled: {errors.strip()}")
    try:
        with dialler(module, within, interface, own_key):
            # A keepalive makes the peer dial at once, although it has nothing to send.
            keepalive = ["allowed-ips", "0.0.0.0/0", "persistent-keepalive", "1"]
            module.run_command([*within, "ip", "link", "set", interface, "up"], check_rc=True)
            module.run_command([*within, *at_peer, *keepalive], check_rc=True)
            done = shaken(module, within, interface, wanted["timeout"])
    finally:
        module.run_command([*at_server, "remove"])
    if not done:
        module.fail_json(msg=f"{wanted['interface']} does not answer at {wanted['endpoint']} with its published key")
    module.exit_json(changed=False, peer=peer)


if __name__ == "__main__":
    main()
