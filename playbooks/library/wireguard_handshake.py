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

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.wireguard_dial import Dial, DialError


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
    try:
        with Dial(module, **module.params).made() as made:
            peer = made
    except DialError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, peer=peer)


if __name__ == "__main__":
    main()
