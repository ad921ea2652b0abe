#!/usr/bin/python
"""Ansible module: ask a collector of journals as hosts do, and as those whom it must refuse."""

from __future__ import annotations

DOCUMENTATION = r"""
module: journal_collector
short_description: Asks a collector of journals as hosts do, and as those whom it must refuse
description:
  - Sends C(systemd-journal-remote) an empty upload, which adds nothing to any journal, three times. It must accept the
    one with the host's own certificate, and refuse those without any and with a O(stranger)'s.
  - The collector must prove itself by O(authority).
options:
  address:
    description: Address of the collector.
    type: str
    required: true
  port:
    description: Its port.
    type: int
    required: true
  authority:
    description: Certificate of the authority that vouches for it, PEM.
    type: str
    required: true
  own:
    description: What the host presents.
    type: dict
    required: true
    suboptions:
      certificate: {type: str, required: true, description: "Certificate, PEM."}
      private_key: {type: str, required: true, description: "Its key, PEM."}
  stranger:
    description: What somebody presents whom another authority vouches for.
    type: dict
    required: true
    suboptions:
      certificate: {type: str, required: true, description: "Certificate, PEM."}
      private_key: {type: str, required: true, description: "Its key, PEM."}
attributes:
  check_mode:
    support: full
    description: The same as in normal mode, because nothing is changed.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Ask the collector
  journal_collector:
    address: 192.0.2.61
    port: 19601
    authority: "{{ certificates.authority }}"
    own: "{{ certificates }}"
    stranger: "{{ those_of_another_authority }}"
  no_log: true
"""

RETURN = r"""# """

import http.client
import ssl
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.tls_identity import present

SECONDS = 20
KIND = {"Content-Type": "application/vnd.fdo.journal"}
WHO = {"own": "with the host's own certificate", "none": "without one", "stranger": "with a stranger's certificate"}


class CollectorError(Exception):
    """The collector does not do what it should."""


def is_accepted(given: dict[str, Any], identity: dict[str, str] | None) -> bool:
    """Send an empty upload, and tell whether it was accepted or the connection refused."""
    context = ssl.create_default_context(cadata=given["authority"])
    if identity:
        present(context, identity["certificate"], identity["private_key"])
    connection = http.client.HTTPSConnection(given["address"], given["port"], timeout=SECONDS, context=context)
    try:
        connection.request("POST", "/upload", body=b"", headers=KIND)
        status = connection.getresponse().status
    except ssl.SSLCertVerificationError as error:
        raise CollectorError(f"it does not prove itself: {error.verify_message}") from error
    except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
        return False
    finally:
        connection.close()
    if status != http.HTTPStatus.ACCEPTED:
        raise CollectorError(f"an upload got status {status}")
    return True


def ask(given: dict[str, Any]) -> None:
    """Ask in every way. Raises CollectorError at the first wrong answer, OSError if there is none."""
    for way, who in WHO.items():
        if (accepted := is_accepted(given, given.get(way))) != (way == "own"):
            raise CollectorError(f"an upload {who} was {'accepted' if accepted else 'refused'}")


def main() -> None:
    """Ask, and report what is wrong, if anything."""
    parts = {
        "certificate": {"type": "str", "required": True},
        "private_key": {"type": "str", "required": True, "no_log": True},
    }
    identity = {"type": "dict", "required": True, "options": parts}
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "authority": {"type": "str", "required": True},
            "own": identity,
            "stranger": identity,
        },
        supports_check_mode=True,
    )
    try:
        ask(module.params)
    except (CollectorError, OSError) as error:
        module.fail_json(msg=f"the collector failed verification: {error}")
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
