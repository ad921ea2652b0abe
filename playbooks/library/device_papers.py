#!/usr/bin/python
"""Ansible module: the papers of an agency's laptops, computed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: device_papers
short_description: Computes the certificates of an agency's laptops, their register and the list of revoked ones
description:
  - Gives each of O(devices) a certificate of the agency's authority for its own key, and revokes the certificates of
    all others in O(register). The same input gives the same output, except for the instant of a revocation.
  - A revocation is for ever. A device with a key of a revoked one is refused.
  - Without O(key), only says what is wrong with the devices.
  - Runs on the controller, because only the controller knows the key of the authority. Writes nothing.
options:
  key:
    description: Secret of the agency's authority, 32 random bytes, base64.
    type: str
  agency:
    description: Short name of the agency.
    type: str
    required: true
  domain:
    description: Domain of the agency.
    type: str
    required: true
  host:
    description: Name of the host of the register.
    type: str
    required: true
  address:
    description: Its address.
    type: str
    required: true
  valid:
    description: The period in which certificates are valid, C(begins) and C(ends), ISO 8601.
    type: dict
    required: true
  devices:
    description: The devices that are not lost.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {type: str, required: true, description: Name of the device.}
      address: {type: str, required: true, description: Its address on the agency's network.}
      tls_key: {type: str, required: true, description: "Its public key for TLS, DER in base64."}
      wireguard_key: {type: str, required: true, description: Its public key for WireGuard.}
  register:
    description: The register as it is, or an empty text.
    type: str
    required: true
  besides:
    description: Another register. What it has is added, and what it has revoked is revoked. Ignored if it is damaged.
    type: str
    default: ''
  vpn_private_key:
    description: The private key by which devices know the agency's gateway.
    type: str
  profile:
    description: What every device is told besides its certificate and its address.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    description: The same as in normal mode, because nothing is changed.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Compute the papers of the agency's laptops
  device_papers:
    key: "{{ key }}"
    agency: cabinet-office
    domain: cabinet-office.example
    host: devices1
    address: 192.0.2.92
    valid: {begins: "2026-05-01T00:00:00+00:00", ends: "2027-05-01T00:00:00+00:00"}
    devices: [{name: lap1, address: 10.64.1.129, tls_key: "{{ one }}", wireguard_key: "{{ other }}"}]
    register: ""
    vpn_private_key: "{{ vpn_key }}"
    profile: {policy: {lock_minutes: 15}}
  delegate_to: localhost
  become: false
  no_log: true
"""

RETURN = r"""
problems:
  description: What is wrong with the devices. Without O(key) only.
  returned: without O(key)
  type: list
  elements: str
authority:
  description: Certificate of the authority, PEM.
  returned: with O(key)
  type: str
server:
  description: C(certificate) and C(private_key) of the register's server, PEM.
  returned: with O(key)
  type: dict
register:
  description: The register as it should be.
  returned: with O(key)
  type: str
revocations:
  description: The list of revoked certificates, PEM.
  returned: with O(key)
  type: str
answers:
  description: What the register has to know of each device, JSON.
  returned: with O(key)
  type: str
specimens:
  description: >-
    C(certificate) and C(private_key) of C(own), a device that nobody has, of C(revoked), which is revoked, and of
    C(stranger), for which another authority vouches.
  returned: with O(key)
  type: dict
"""

import base64
import datetime as dt
import json
from contextlib import suppress
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.device_papers import (
    PEM,
    REVOKED,
    STRANGER,
    VERIFY,
    Entry,
    Papers,
    PapersError,
    merged,
    problems,
    read_register,
    register_text,
    wireguard_public,
)


def registered(given: dict[str, Any]) -> dict[str, Entry]:
    """Return the entries of both registers."""
    found = read_register(given["register"])
    with suppress(PapersError):
        found = merged(found, read_register(given["besides"]))
    return found


def papers(given: dict[str, Any]) -> dict[str, Any]:
    """Compute everything."""
    facts = given["agency"], given["domain"], given["valid"]
    made, stranger = Papers(base64.b64decode(given["key"]), *facts), Papers(STRANGER, *facts)
    register = made.settle(given["devices"], registered(given), dt.datetime.now(dt.UTC))
    profile = {**given["profile"], "public_key": wireguard_public(given["vpn_private_key"])}
    own, revoked, other = made.specimen(VERIFY), made.specimen(REVOKED), stranger.specimen(VERIFY)
    return {
        "authority": made.issuer.public_bytes(PEM).decode(),
        "server": made.server(given["host"], given["address"]),
        "register": register_text(register),
        "revocations": made.revocations(register),
        "answers": json.dumps(made.answers(given["devices"], register, profile), indent=1) + "\n",
        "specimens": {"own": own, "revoked": revoked, "stranger": other},
    }


def main() -> None:
    """Compute the papers and return them."""
    device = {name: {"type": "str", "required": True} for name in ("name", "address")}
    device |= {name: {"type": "str", "required": True, "no_log": False} for name in ("tls_key", "wireguard_key")}
    module = AnsibleModule(
        argument_spec={
            "key": {"type": "str", "no_log": True},
            "agency": {"type": "str", "required": True},
            "domain": {"type": "str", "required": True},
            "host": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "valid": {"type": "dict", "required": True},
            "devices": {"type": "list", "elements": "dict", "options": device, "required": True},
            "register": {"type": "str", "required": True},
            "besides": {"type": "str", "default": ""},
            "vpn_private_key": {"type": "str", "no_log": True},
            "profile": {"type": "dict", "default": {}},
        },
        required_by={"key": "vpn_private_key"},
        supports_check_mode=True,
    )
    given = module.params
    try:
        told = papers(given) if given["key"] else {"problems": problems(given["devices"], registered(given))}
    except PapersError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **told)


if __name__ == "__main__":
    main()
