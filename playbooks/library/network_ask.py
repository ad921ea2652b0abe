#!/usr/bin/python
"""Ansible module: checks that a network works and is isolated."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_ask
short_description: Sends pings and DNS questions from several network namespaces of a host
description:
  - All questions are asked at once. The module fails if any answer differs from the expected one.
  - Changes nothing and works in check mode.
options:
  pings:
    description: ICMP echo requests.
    type: list
    elements: dict
    default: []
    suboptions:
      namespace:
        description: Network namespace to ask from. The host's own when omitted.
        type: str
      address:
        description: The address to ping.
        type: str
        required: true
      answers:
        description: Whether an answer is expected.
        type: bool
        default: true
  names:
    description: DNS questions for an IPv4 address.
    type: list
    elements: dict
    default: []
    suboptions:
      namespace:
        description: Network namespace to ask from. The host's own when omitted.
        type: str
      server:
        description: Address of the DNS server.
        type: str
        required: true
      name:
        description: The name.
        type: str
        required: true
      address:
        description: The address it should resolve to. Empty if the server should not answer at all.
        type: str
        default: ""
  timeout:
    description: Seconds to wait for an answer that is expected.
    type: int
    default: 3
  silence:
    description: Seconds without an answer that count as silence. Short, because other questions prove the route.
    type: float
    default: 1
author:
  - The shared service orchestrator's authors
"""

EXAMPLES = r"""
- name: See that the device reaches its own gateway and no neighbour
  network_ask:
    pings:
      - {namespace: device, address: 10.64.7.1}
      - {namespace: device, address: 10.64.8.1, answers: false}
    names:
      - {namespace: device, server: 10.64.7.1, name: gateway.example.internal, address: 10.64.7.1}
"""

RETURN = r"""
asked:
  description: How many questions were asked.
  type: int
  returned: success
"""

import os
import socket
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.network_namespace import enter

ECHO_REQUEST, ECHO_REPLY = 8, 0
A_RECORD, INTERNET = 1, 1


def checksum(packet: bytes) -> int:
    """Return the Internet checksum of a packet of even length."""
    total = sum(struct.unpack(f">{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def ping(address: str, seconds: float) -> bool:
    """Tell whether an echo request is answered in time. One is sent every half second."""
    mark = os.urandom(2)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as connection:
        deadline, sequence = time.monotonic() + seconds, 0
        while time.monotonic() < deadline:
            sequence += 1
            unsigned = struct.pack(">BBH2sH", ECHO_REQUEST, 0, 0, mark, sequence)
            try:
                connection.sendto(
                    struct.pack(">BBH2sH", ECHO_REQUEST, 0, checksum(unsigned), mark, sequence), (address, 0)
                )
            except OSError:
                return False  # there is no route at all
            if heard(connection, address, mark, min(deadline, time.monotonic() + 0.5)):
                return True
    return False


def heard(connection: socket.socket, address: str, mark: bytes, deadline: float) -> bool:
    """Wait for the reply to our own request."""
    while (left := deadline - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            packet, sender = connection.recvfrom(2048)
        except OSError:
            return False
        reply = packet[(packet[0] & 0x0F) * 4 :]
        if sender[0] == address and reply[0] == ECHO_REPLY and reply[4:6] == mark:
            return True
    return False


def resolve(server: str, name: str, seconds: float) -> str:
    """Return the first IPv4 address that a server returns for a name, empty without an answer."""
    mark = os.urandom(2)
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.rstrip(".").split("."))
    query = mark + struct.pack(">HHHHH", 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", A_RECORD, INTERNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(seconds)
        try:
            connection.sendto(query, (server, 53))
            answer = connection.recv(2048)
        except OSError:
            return ""
    answers, record = struct.unpack(">H", answer[6:8])[0], answer[len(query) :]
    # dnsmasq and others refer back to the name of the question in two bytes; the record's fixed fields follow.
    while answers and len(record) >= 12:
        kind, _, _, length = struct.unpack(">HHLH", record[2:12])
        if kind == A_RECORD and answer[:2] == mark:
            return socket.inet_ntoa(record[12:16])
        answers, record = answers - 1, record[12 + length :]
    return ""


def from_within(namespace: str | None, question: Callable[[], Any]) -> str:
    """Return the answer to a question that a process in the namespace asks."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if namespace:
                enter(namespace)
            os.write(writer, str(question()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def complaint_about_ping(wanted: dict[str, Any], timeout: float, silence: float) -> str | None:
    """Ask, and return what is wrong with the answer."""
    seconds = timeout if wanted["answers"] else silence
    found = from_within(wanted["namespace"], lambda: ping(wanted["address"], seconds)) == "True"
    if found == wanted["answers"]:
        return None
    place = wanted["namespace"] or "the host"
    return f"{wanted['address']} {'answers' if found else 'does not answer'} {place}"


def complaint_about_name(wanted: dict[str, Any], timeout: float, silence: float) -> str | None:
    """Ask, and return what is wrong with the answer."""
    seconds = timeout if wanted["address"] else silence
    found = from_within(wanted["namespace"], lambda: resolve(wanted["server"], wanted["name"], seconds))
    if found == wanted["address"]:
        return None
    place = wanted["namespace"] or "the host"
    return f"{wanted['server']} tells {place} that {wanted['name']} is {found or 'nothing'}"


def main() -> None:
    """Run as an Ansible module."""
    ping_options = {
        "namespace": {"type": "str"},
        "address": {"type": "str", "required": True},
        "answers": {"type": "bool", "default": True},
    }
    name_options = {
        "namespace": {"type": "str"},
        "server": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "address": {"type": "str", "default": ""},
    }
    module = AnsibleModule(
        argument_spec={
            "pings": {"type": "list", "elements": "dict", "options": ping_options, "default": []},
            "names": {"type": "list", "elements": "dict", "options": name_options, "default": []},
            "timeout": {"type": "int", "default": 3},
            "silence": {"type": "float", "default": 1},
        },
        supports_check_mode=True,
    )
    limits = (module.params["timeout"], module.params["silence"])
    questions = [(complaint_about_ping, wanted) for wanted in module.params["pings"]]
    questions += [(complaint_about_name, wanted) for wanted in module.params["names"]]
    with ThreadPoolExecutor(max_workers=len(questions) or 1) as pool:
        complaints = [found for found in pool.map(lambda pair: pair[0](pair[1], *limits), questions) if found]
    if complaints:
        module.fail_json(msg="; ".join(complaints))
    module.exit_json(changed=False, asked=len(questions))


if __name__ == "__main__":
    main()
