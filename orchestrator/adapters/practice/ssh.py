"""Asking a host's sshd who it is, and whether it lets our login in."""

import base64
import logging
import socket
from pathlib import Path

import paramiko

_SECONDS = 5.0
# A host that is still booting refuses and hangs up in many ways; none of them is news.
_QUIET = "orchestrator.practice.ssh"
logging.getLogger(_QUIET).addHandler(logging.NullHandler())
logging.getLogger(_QUIET).propagate = False


def answers(address: str, *, host_key: str, user: str | None = None, key: Path | None = None) -> bool:
    """Say whether sshd at `address` proves to hold the pinned key and, when a login is given, lets it in."""
    try:
        with socket.create_connection((address, 22), timeout=_SECONDS) as connection:
            transport = paramiko.Transport(connection)
            transport.set_log_channel(_QUIET)
            try:
                pinned = paramiko.Ed25519Key(data=base64.b64decode(host_key.split()[1]))
                transport.get_security_options().key_types = (pinned.get_name(),)
                transport.start_client(timeout=_SECONDS)
                if transport.get_remote_server_key() != pinned:
                    return False
                if user and key:
                    transport.auth_publickey(user, paramiko.Ed25519Key.from_private_key_file(str(key)))
                return True
            finally:
                transport.close()
    except (OSError, EOFError, paramiko.SSHException):
        return False
