"""Which ports accept a connection, here or in a network namespace."""

from __future__ import annotations

import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.network_namespace import enter

Port = tuple[str, int]
"""An address and a port of TCP."""


def answers(port: Port, seconds: float) -> bool:
    """Whether a port accepts a connection in time."""
    try:
        socket.create_connection(port, timeout=seconds).close()
    except OSError:
        return False
    return True


def answering(ports: list[Port], seconds: float) -> set[Port]:
    """Return the ports that answer here in time."""
    with ThreadPoolExecutor(max_workers=len(ports) or 1) as pool:
        found = pool.map(lambda port: answers(port, seconds), ports)
        return {port for port, answered in zip(ports, found, strict=True) if answered}


def answering_in(namespace: str, ports: list[Port], seconds: float) -> set[Port]:
    """Return the ports that answer in time in a network namespace. A process of its own asks, as none can leave one."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            enter(namespace)
            os.write(writer, json.dumps(sorted(answering(ports, seconds))).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        found = json.loads(told.read() or "[]")
    os.waitpid(child, 0)
    return {(address, port) for address, port in found}
