#!/usr/bin/python
"""Ansible module: certificates of an agency's own authority, computed from one secret."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agency_certificate
short_description: Certificates of an agency's own authority, computed from one secret
description:
  - Computes the agency's certificate authority and, with O(valid), a host certificate signed by it. The same O(key)
    always gives the same bytes, so nothing has to be stored. Another key gives another authority.
  - The authority is valid for names below O(domain) and for addresses, and for no other name.
  - Runs on the controller, because only the controller knows the key.
options:
  key:
    description: 32 random bytes, base64.
    type: str
    required: true
  agency:
    description: Name of the agency.
    type: str
    required: true
  domain:
    description: Domain of the agency.
    type: str
    required: true
  host:
    description: Name of the host below O(domain).
    type: str
    required: true
  address:
    description: Address of the host.
    type: str
    required: true
  valid:
    description: The period in which the host certificate is valid. When omitted, there is no host certificate.
    type: dict
    suboptions:
      begins:
        description: An instant, ISO 8601.
        type: str
        required: true
      ends:
        description: An instant, ISO 8601.
        type: str
        required: true
  purpose:
    description: What the host certificate is for, to be a server or a client.
    type: str
    choices: [server, client]
    default: server
attributes:
  check_mode:
    support: full
    description: The same as in normal mode, because nothing is changed.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Compute the certificates of this desktop
  agency_certificate:
    key: "{{ key }}"
    agency: Cabinet Office
    domain: cabinet-office.example
    host: pc1
    address: 10.0.0.7
    valid: {begins: "2026-05-01T00:00:00+00:00", ends: "2027-05-01T00:00:00+00:00"}
  delegate_to: localhost
  become: false
  no_log: true
"""

RETURN = r"""
authority:
  description: Certificate of the authority, PEM.
  returned: success
  type: str
certificate:
  description: Certificate of the host, PEM.
  returned: with O(valid)
  type: str
private_key:
  description: Key of the host, PEM. A secret.
  returned: with O(valid)
  type: str
fingerprint:
  description: SHA-256 of the host's certificate, in hexadecimal.
  returned: with O(valid)
  type: str
"""

import base64

from ansible.module_utils.agency_authority import PURPOSES, authority, derive, host_certificate
from ansible.module_utils.basic import AnsibleModule
from cryptography.hazmat.primitives import serialization


def main() -> None:
    """Compute the certificates and return them."""
    edges = {edge: {"type": "str", "required": True} for edge in ("begins", "ends")}
    module = AnsibleModule(
        argument_spec={
            "key": {"type": "str", "required": True, "no_log": True},
            "agency": {"type": "str", "required": True},
            "domain": {"type": "str", "required": True},
            "host": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "valid": {"type": "dict", "options": edges},
            "purpose": {"type": "str", "choices": sorted(PURPOSES), "default": "server"},
        },
        supports_check_mode=True,
    )
    given = module.params
    secret = base64.b64decode(given["key"])
    issuer = authority(derive(secret, "authority"), given["agency"], given["domain"])
    host = host_certificate(secret, issuer, given, purpose=given["purpose"]) if given["valid"] else {}
    module.exit_json(changed=False, authority=issuer.public_bytes(serialization.Encoding.PEM).decode(), **host)


if __name__ == "__main__":
    main()
