#!/usr/bin/python
"""Ansible module: fetches a file over TFTP, as a device that boots from the network does."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tftp_fetch
short_description: Fetches a file over TFTP
description:
  - Reads one file in octet mode (RFC 1350), optionally from within a network namespace of the host it runs on.
  - Needs only Python on that host, changes nothing there, and works in check mode.
options:
  host:
    description: Address of the server.
    type: str
    required: true
  path:
    description: Name of the file, as the server knows it.
    type: str
    required: true
  port:
    description: The server's UDP port.
    type: int
    default: 69
  timeout:
    description: Seconds to wait for each block, in each of three attempts.
    type: int
    default: 3
  namespace:
    description: Name of the network namespace (as of C(ip netns)) to fetch from. The host's own when omitted.
    type: str
author:
  - The shared service orchestrator's authors
"""

EXAMPLES = r"""
- name: Fetch the boot script as a device on the agency's network would
  tftp_fetch:
    host: 10.64.1.1
    path: boot.ipxe
    namespace: device
"""

RETURN = r"""
size:
  description: Length of the file in bytes.
  type: int
  returned: success
sha256:
  description: Checksum of the file, in hexadecimal.
  type: str
  returned: success
text:
  description: Text of the file, if it is UTF-8.
  type: str
  returned: success
"""

import contextlib
import hashlib
import socket
import struct

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.network_namespace import enter

READ, DATA, ACKNOWLEDGE, ERROR = 1, 3, 4, 5
BLOCK = 512
ATTEMPTS = 10


class RefusedError(Exception):
    """The server refused, or its answer cannot be understood."""


def fetch(host: str, port: int, path: str, timeout: int) -> bytes:
    """Return the content of the file."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(timeout)
        # The server answers from a port of its own choice, and everything after the request goes to that port.
        peer = (socket.gethostbyname(host), port)
        message = struct.pack(">H", READ) + path.encode() + b"\0octet\0"
        content, expected = b"", 1
        while True:
            block, peer = exchange(connection, message, peer, expected)
            content += block
            message = struct.pack(">HH", ACKNOWLEDGE, expected & 0xFFFF)
            if len(block) < BLOCK:
                connection.sendto(message, peer)
                return content
            expected += 1


def exchange(
    connection: socket.socket, message: bytes, peer: tuple[str, int], expected: int
) -> tuple[bytes, tuple[str, int]]:
    """Send a message until the block that follows it arrives; return the block and its sender."""
    for _attempt in range(ATTEMPTS):
        connection.sendto(message, peer)
        try:
            while True:
                answer, sender = connection.recvfrom(4 + BLOCK)
                if sender[0] != peer[0] or len(answer) < 4:
                    continue
                code, number = struct.unpack(">HH", answer[:4])
                if code == ERROR:
                    raise RefusedError(f"{answer[4:-1].decode(errors='replace')} (code {number})")
                if code == DATA and number == expected & 0xFFFF:
                    return answer[4:], sender
        except TimeoutError:
            continue
    raise RefusedError("no answer")


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "path": {"type": "str", "required": True},
            "port": {"type": "int", "default": 69},
            "timeout": {"type": "int", "default": 3},
            "namespace": {"type": "str"},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    try:
        if wanted["namespace"]:
            enter(wanted["namespace"])
        content = fetch(wanted["host"], wanted["port"], wanted["path"], wanted["timeout"])
    except (OSError, RefusedError) as error:
        module.fail_json(msg=f"cannot fetch {wanted['path']} from {wanted['host']}: {error}")
    result = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    with contextlib.suppress(UnicodeDecodeError):
        result["text"] = content.decode()
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
