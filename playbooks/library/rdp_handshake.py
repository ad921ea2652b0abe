#!/usr/bin/python
"""Asks a remote desktop server, as a client would, whether it is one and how it wants to be spoken to."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rdp_handshake
short_description: Opens a remote desktop connection up to its encryption
description:
  - Connects, negotiates the security protocol (X.224) and opens the TLS session that a client would log in over.
  - Needs nothing but Python on the host it runs on, changes nothing there, and works in check mode.
options:
  host:
    description: Name or address of the server.
    type: str
    required: true
  port:
    description: Its TCP port.
    type: int
    default: 3389
  timeout:
    description: Seconds to wait for each answer.
    type: int
    default: 10
  fingerprint:
    description: SHA-256 of the certificate the server must present, in hexadecimal. Any certificate when omitted.
    type: str
author:
  - The shared service orchestrator's authors
"""

EXAMPLES = r"""
- name: See that the session server answers as one
  rdp_handshake:
    host: 10.0.0.7
"""

RETURN = r"""
protocol:
  description: What the server chose, C(tls) or C(nla).
  type: str
  returned: success
fingerprint:
  description: SHA-256 of the certificate it presented, in hexadecimal.
  type: str
  returned: success
"""

import hashlib
import socket
import ssl
import struct

from ansible.module_utils.basic import AnsibleModule

# [MS-RDPBCGR] 2.2.1.1 and 2.2.1.2. Nothing asks for the protocol's own encryption, which is broken.
TLS, NLA = 1, 2
REQUEST = struct.pack("<BBHL", 0x01, 0, 8, TLS | NLA)
CHOSEN, REFUSED = 0x02, 0x03
REFUSALS = {
    1: "it wants TLS",
    2: "it does not allow TLS",
    3: "it has no certificate",
    4: "its flags are inconsistent",
    5: "it wants network level authentication",
}


class UnfitError(Exception):
    """The other side does not behave like a remote desktop server that is fit for use."""


def negotiate(connection: socket.socket) -> str:
    """Return the protocol chosen, with the connection ready for TLS."""
    # A TPKT header around an X.224 connection request: its length, its code, and references that nobody reads.
    request = struct.pack(">BBHHB", 6 + len(REQUEST), 0xE0, 0, 0, 0) + REQUEST
    connection.sendall(struct.pack(">BBH", 3, 0, 4 + len(request)) + request)
    version, _reserved, length = struct.unpack(">BBH", receive(connection, 4))
    if version != 3 or not 11 <= length <= 512:
        raise UnfitError("it does not speak the remote desktop protocol")
    answer = receive(connection, length - 4)
    if answer[1] & 0xF0 != 0xD0:
        raise UnfitError("it did not confirm the connection")
    if len(answer) < 15:
        raise UnfitError("it offers only the protocol's own encryption")
    kind, _flags, _size, value = struct.unpack("<BBHL", answer[7:15])
    if kind == REFUSED:
        raise UnfitError(REFUSALS.get(value, f"it refused with code {value}"))
    if kind != CHOSEN or value not in (TLS, NLA):
        raise UnfitError(f"it chose the unknown protocol {value}")
    return "nla" if value == NLA else "tls"


def receive(connection: socket.socket, length: int) -> bytes:
    """Return exactly this many bytes."""
    received = b""
    while len(received) < length:
        part = connection.recv(length - len(received))
        if not part:
            raise UnfitError("it hung up")
        received += part
    return received


def fingerprint(connection: socket.socket, host: str) -> str:
    """Open TLS and return the fingerprint of the certificate. Who signed it is not the question here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(connection, server_hostname=host) as session:
        return hashlib.sha256(session.getpeercert(binary_form=True) or b"").hexdigest()


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "default": 3389},
            "timeout": {"type": "int", "default": 10},
            "fingerprint": {"type": "str"},
        },
        supports_check_mode=True,
    )
    host, port, expected = module.params["host"], module.params["port"], module.params["fingerprint"]
    try:
        with socket.create_connection((host, port), timeout=module.params["timeout"]) as connection:
            protocol = negotiate(connection)
            found = fingerprint(connection, host)
    except (OSError, UnfitError) as error:
        module.fail_json(msg=f"No remote desktop at {host}:{port}: {error}")
    if expected and found != expected.lower():
        module.fail_json(msg=f"{host}:{port} presents the certificate {found}, not {expected}")
    module.exit_json(changed=False, protocol=protocol, fingerprint=found)


if __name__ == "__main__":
    main()
