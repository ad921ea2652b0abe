#!/usr/bin/python
"""Ansible module: use an agency's way in and its register as its laptops do, and as those who must be refused."""

from __future__ import annotations

DOCUMENTATION = r"""
module: managed_device
short_description: Dials in as a laptop does, and reports as one, as a revoked one, as a stranger and as nobody
description:
  - Dials in to a WireGuard interface of this host from another network namespace, with a key that is good for no
    longer, and reports through that connection to the agency's register. The report must be answered with the ordered
    policy, and those of others must be refused.
  - Then the key is removed, as that of a lost laptop is, and the register must be out of reach at once.
  - Leaves one report of the laptop that nobody has. Does not count as a change.
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
    description: A free address behind the interface.
    type: str
    required: true
  timeout:
    description: Seconds to wait for the handshake.
    type: int
    default: 10
  register:
    description: Where the register is.
    type: dict
    required: true
    suboptions:
      address: {type: str, required: true, description: Its address.}
      port: {type: int, required: true, description: Its port.}
  authority:
    description: Certificate of the authority that vouches for the register, PEM.
    type: str
    required: true
  own:
    description: What the laptop presents.
    type: dict
    required: true
    suboptions:
      certificate: {type: str, required: true, description: "Certificate, PEM."}
      private_key: {type: str, required: true, description: "Its key, PEM."}
  revoked:
    description: What a laptop presents whose certificate was revoked.
    type: dict
    required: true
    suboptions:
      certificate: {type: str, required: true, description: "Certificate, PEM."}
      private_key: {type: str, required: true, description: "Its key, PEM."}
  stranger:
    description: What somebody presents for whom another authority vouches.
    type: dict
    required: true
    suboptions:
      certificate: {type: str, required: true, description: "Certificate, PEM."}
      private_key: {type: str, required: true, description: "Its key, PEM."}
  policy:
    description: The policy with which the register must answer.
    type: dict
    required: true
attributes:
  check_mode:
    support: full
    description: The same as in normal mode.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Dial in and report
  managed_device:
    interface: laptop7
    private_key: "{{ key }}"
    endpoint: 198.19.7.1:54007
    namespace: roam7
    address: 10.64.7.190
    register: {address: 192.0.2.92, port: 15007}
    authority: "{{ papers.authority }}"
    own: "{{ papers.specimens.own }}"
    revoked: "{{ papers.specimens.revoked }}"
    stranger: "{{ papers.specimens.stranger }}"
    policy: {lock_minutes: 15}
"""

RETURN = r"""
note:
  description: The note of the report that stays.
  returned: success
  type: str
"""

import http.client
import json
import os
import secrets
import socket
import ssl
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.network_namespace import enter
from ansible.module_utils.tls_identity import present
from ansible.module_utils.wireguard_dial import Dial, DialError

SECONDS = 20
UNREACHABLE_WITHIN = 1.5
FACTS = {"encrypted": True, "updated_ago": 0, "lock_minutes": 1, "system": "verification"}
NOBODY, REFUSED_BY_DOOR = 403, 400
EXPECTED = {"own": 200, "revoked": REFUSED_BY_DOOR, "stranger": REFUSED_BY_DOOR, "nobody": NOBODY}
WHO = {
    "own": "a laptop of the agency's",
    "revoked": "a laptop whose certificate was revoked",
    "stranger": "a laptop with a stranger's certificate",
    "nobody": "somebody without a certificate",
}


class RegisterError(Exception):
    """The register does not do what it should."""


def report(given: dict[str, Any], who: str, note: str) -> tuple[int, Any]:
    """Report as somebody; return the status, and the answer if it is a document."""
    context = ssl.create_default_context(cadata=given["authority"])
    if identity := given.get(who):
        present(context, identity["certificate"], identity["private_key"])
    place = given["register"]
    connection = http.client.HTTPSConnection(place["address"], place["port"], timeout=SECONDS, context=context)
    try:
        connection.request("POST", "/report", json.dumps({**FACTS, "note": note}))
        answer = connection.getresponse()
        text = answer.read()
    except ssl.SSLCertVerificationError as error:
        raise RegisterError(f"the register does not prove itself: {error.verify_message}") from error
    except (OSError, http.client.HTTPException) as error:
        raise RegisterError(f"the register does not answer {WHO[who]}: {error}") from error
    finally:
        connection.close()
    return answer.status, json.loads(text) if answer.status == http.HTTPStatus.OK else None


def use(given: dict[str, Any], note: str) -> str:
    """Report as everybody, and return what is wrong with the answers."""
    try:
        for who, expected in EXPECTED.items():
            status, answer = report(given, who, note if who == "own" else "")
            if status != expected:
                return f"{WHO[who]} is answered {status}, not {expected}"
            if who == "own" and answer["policy"] != given["policy"]:
                return f"the register tells laptops of the policy {answer['policy']}, which is not the one ordered"
    except RegisterError as error:
        return str(error)
    return ""


def is_reached(given: dict[str, Any]) -> str:
    """Tell whether the register can be connected to, as yes or nothing."""
    place = given["register"]
    try:
        socket.create_connection((place["address"], place["port"]), timeout=UNREACHABLE_WITHIN).close()
    except OSError:
        return ""
    return "yes"


def in_namespace(name: str, question: Callable[[], str]) -> str:
    """Return the answer to a question that a process in the namespace asks."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            enter(name)
            os.write(writer, question().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def visit(module: AnsibleModule, given: dict[str, Any], note: str) -> str:
    """Dial in, use the register, and be shut out. Returns what is wrong."""
    known = ("interface", "private_key", "endpoint", "namespace", "address", "timeout")
    dial = Dial(module, **{name: given[name] for name in known})
    with dial.made() as peer:
        dial.within("ip", "address", "add", f"{given['address']}/32", "dev", dial.link)
        dial.within("ip", "route", "add", given["register"]["address"], "dev", dial.link)
        if wrong := in_namespace(given["namespace"], lambda: use(given, note)):
            return wrong
        dial.forget(peer)
        if in_namespace(given["namespace"], lambda: is_reached(given)):
            return "a laptop whose key was removed still reaches the register"
    return ""


def main() -> None:
    """Use both, and report what is wrong."""
    texts = {name: {"type": "str", "required": True} for name in ("interface", "endpoint", "namespace", "address")}
    parts = {
        "certificate": {"type": "str", "required": True},
        "private_key": {"type": "str", "required": True, "no_log": True},
    }
    place = {"address": {"type": "str", "required": True}, "port": {"type": "int", "required": True}}
    identity = {"type": "dict", "required": True, "options": parts}
    module = AnsibleModule(
        argument_spec={
            **texts,
            "private_key": {"type": "str", "required": True, "no_log": True},
            "timeout": {"type": "int", "default": 10},
            "register": {"type": "dict", "required": True, "options": place},
            "authority": {"type": "str", "required": True},
            "own": identity,
            "revoked": identity,
            "stranger": identity,
            "policy": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    note = secrets.token_hex(16)
    try:
        wrong = visit(module, module.params, note)
    except DialError as error:
        wrong = str(error)
    if wrong:
        module.fail_json(msg=wrong)
    module.exit_json(changed=False, note=note)


if __name__ == "__main__":
    main()
