"""Checks a host's identity over SSH, and whether our login can log in."""

import base64
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko

from orchestrator.domain.errors import Kind, OrchestratorError

_SECONDS = 5.0
# A booting host refuses and drops connections in many ways; none is worth logging.
_QUIET = "orchestrator.practice.ssh"
logging.getLogger(_QUIET).addHandler(logging.NullHandler())
logging.getLogger(_QUIET).propagate = False


def answers(address: str, *, host_key: str, user: str | None = None, key: Path | None = None) -> bool:
    """Return whether sshd at `address` proves that it has the pinned key and, if a login is given, accepts it."""
    try:
        with _connected(address, host_key) as transport:
            if user and key:
                transport.auth_publickey(user, _private(key))
            return True
    except (OSError, EOFError, paramiko.SSHException):
        return False


def said(address: str, command: str, *, host_key: str, user: str, key: Path) -> str:
    """Return the output of a command in the login's shell, on the host with the pinned key."""
    try:
        with _connected(address, host_key) as transport:
            transport.auth_publickey(user, _private(key))
            channel = transport.open_session()
            channel.exec_command(command)
            with channel.makefile() as output:
                return output.read().decode(errors="replace")
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise OrchestratorError(Kind.UNAVAILABLE, f"{address} does not answer: {error}") from error


@contextmanager
def _connected(address: str, host_key: str) -> Iterator[paramiko.Transport]:
    with socket.create_connection((address, 22), timeout=_SECONDS) as connection:
        transport = paramiko.Transport(connection)
        transport.set_log_channel(_QUIET)
        try:
            pinned = paramiko.Ed25519Key(data=base64.b64decode(host_key.split()[1]))
            transport.get_security_options().key_types = (pinned.get_name(),)
            transport.start_client(timeout=_SECONDS)
            if transport.get_remote_server_key() != pinned:
                raise paramiko.BadHostKeyException(address, transport.get_remote_server_key(), pinned)
            yield transport
        finally:
            transport.close()


def _private(key: Path) -> paramiko.PKey:
    return paramiko.Ed25519Key.from_private_key_file(str(key))
