#!/usr/bin/python
"""Ansible module: connects to a remote desktop server as a client does."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rdp_handshake
short_description: Opens a remote desktop connection, up to its encryption
description:
  - Connects, negotiates the security protocol (X.224) and opens the TLS session in which a client would log in.
    Without network level authentication, it also negotiates the channels that every client requests (MCS).
  - Needs only Python on the host where it runs, changes nothing there, and works in check mode.
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
    default: 30
  namespace:
    description: Name of the network namespace (as of C(ip netns)) to connect from. The host's own when omitted.
    type: str
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
from ansible.module_utils.network_namespace import enter

# [MS-RDPBCGR] 2.2.1.1 and 2.2.1.2. The protocol's own encryption is never requested, because it is broken.
TLS, NLA = 1, 2
REQUEST = struct.pack("<BBHL", 0x01, 0, 8, TLS | NLA)
CHOSEN, REFUSED = 0x02, 0x03
REFUSALS = {
    1: "it requires TLS",
    2: "it does not allow TLS",
    3: "it has no certificate",
    4: "its flags are inconsistent",
    5: "it requires network level authentication",
}


class UnfitError(Exception):
    """The other side does not behave like a usable remote desktop server."""


def negotiate(connection: socket.socket) -> str:
    """Return the protocol chosen, with the connection ready for TLS."""
    # A TPKT header around an X.224 connection request: its length, its code, and references that are ignored.
    connection.sendall(packet(struct.pack(">BBHHB", 6 + len(REQUEST), 0xE0, 0, 0, 0) + REQUEST))
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


def packet(content: bytes) -> bytes:
    """Return a TPKT packet."""
    return struct.pack(">BBH", 3, 0, 4 + len(content)) + content


def field(tag: bytes, content: bytes) -> bytes:
    """Return a BER field, with its length in two bytes."""
    return tag + struct.pack(">BH", 0x82, len(content)) + content


def conference_request() -> bytes:
    """Return the MCS Connect Initial of a client that requests one channel ([MS-RDPBCGR] 2.2.1.3)."""
    core = struct.pack("<LHHHHLL32sLLL64s", 0x00080004, 800, 600, 0xCA01, 0xAA03, 0x409, 2600, b"", 4, 0, 12, b"")
    core += struct.pack("<HHLHHH64sBBL", 0xCA01, 1, 0, 24, 7, 1, b"", 0, 0, TLS)
    security = struct.pack("<LL", 0, 0)
    network = struct.pack("<L8sL", 1, b"cliprdr", 0xC0000000)
    blocks = b"".join(
        struct.pack("<HH", kind, 4 + len(content)) + content
        for kind, content in ((0xC001, core), (0xC002, security), (0xC003, network))
    )
    # T.124 around it, in packed encoding: a conference with the key "Duca", and two lengths.
    inner = b"\x00\x08\x00\x10\x00\x01\xc0\x00Duca" + struct.pack(">H", 0x8000 | len(blocks)) + blocks
    user_data = b"\x00\x05\x00\x14\x7c\x00\x01" + struct.pack(">H", 0x8000 | len(inner)) + inner
    parameters = [
        b"".join(field(b"\x02", struct.pack(">H", value)) for value in values)
        for values in (
            (34, 2, 0, 1, 0, 1, 65535, 2),
            (1, 1, 1, 1, 0, 1, 1056, 2),
            (65535, 64535, 65535, 1, 0, 1, 65535, 2),
        )
    ]
    content = field(b"\x04", b"\x01") * 2 + b"\x01\x01\xff"
    content += b"".join(field(b"\x30", each) for each in parameters) + field(b"\x04", user_data)
    return packet(b"\x02\xf0\x80" + field(b"\x7f\x65", content))


def channels(session: ssl.SSLSocket) -> int:
    """Negotiate a session and return the number of its channels."""
    session.sendall(conference_request())
    _version, _reserved, length = struct.unpack(">BBH", receive(session, 4))
    _, found, answer = receive(session, length - 4).partition(b"McDn")
    if not found:
        raise UnfitError("it offers no session")
    blocks = answer[2 if answer[0] & 0x80 else 1 :]
    while len(blocks) >= 8:
        kind, size, _main, count = struct.unpack("<HHHH", blocks[:8])
        if kind == 0x0C03:
            return int(count)
        blocks = blocks[max(size, 4) :]
    return 0


def receive(connection: socket.socket, length: int) -> bytes:
    """Return exactly this many bytes."""
    received = b""
    while len(received) < length:
        part = connection.recv(length - len(received))
        if not part:
            raise UnfitError("it closed the connection")
        received += part
    return received


def fingerprint(connection: socket.socket, host: str, protocol: str) -> str:
    """Open TLS up to the login and return the fingerprint of the certificate. Its issuer is not checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(connection, server_hostname=host) as session:
        if protocol == "tls" and channels(session) != 1:
            raise UnfitError("it offers no channels, which every client requests")
        return hashlib.sha256(session.getpeercert(binary_form=True) or b"").hexdigest()


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "default": 3389},
            "timeout": {"type": "int", "default": 30},
            "namespace": {"type": "str"},
            "fingerprint": {"type": "str"},
        },
        supports_check_mode=True,
    )
    host, port, expected = module.params["host"], module.params["port"], module.params["fingerprint"]
    try:
        if module.params["namespace"]:
            enter(module.params["namespace"])
        with socket.create_connection((host, port), timeout=module.params["timeout"]) as connection:
            protocol = negotiate(connection)
            found = fingerprint(connection, host, protocol)
    except (OSError, UnfitError) as error:
        module.fail_json(msg=f"no remote desktop at {host}:{port}: {error}")
    if expected and found != expected.lower():
        module.fail_json(msg=f"{host}:{port} presents the certificate {found}, not {expected}")
    module.exit_json(changed=False, protocol=protocol, fingerprint=found)


if __name__ == "__main__":
    main()
