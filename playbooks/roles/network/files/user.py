#!/usr/bin/python3
"""Uses an agency's network as its devices do, as far as that can be done from outside it: asks its name server.

See conversation.py for how it is talked to. What a network keeps nobody can write from outside, so there is no canary.
"""

from __future__ import annotations

import os
import socket
import struct

from conversation import Document, UseError, talk

SECONDS = 2.0
DNS = 53


class Device:
    """Somebody who asks the network's name server."""

    def __init__(self, given: Document) -> None:
        self._given = given

    def probe(self) -> str:
        """Ask for the address of the gateway by its name."""
        name = f"gateway.{self._given['agency']['domain']}"
        found = resolve(self._given["address"], DNS, name)
        return f"{name} is {found}"


def resolve(address: str, port: int, name: str) -> str:
    """Return the IPv4 address that a server has for a name."""
    mark = os.urandom(2)
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    query = mark + struct.pack(">HHHHH", 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(SECONDS)
        connection.connect((address, port))
        connection.send(query)
        answer = connection.recv(2048)
    record = answer[len(query) :]
    # dnsmasq points back to the name of the question in two bytes; then come twelve of facts.
    if answer[:2] != mark or len(record) < 16 or struct.unpack(">H", record[2:4])[0] != 1:
        raise UseError(f"{address} knows no address of {name}")
    return socket.inet_ntoa(record[12:16])


if __name__ == "__main__":
    talk(Device)
