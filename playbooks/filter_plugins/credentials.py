"""A filter for passwords of servers that read Apache's password files."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import bcrypt

# Passwords here are long and random, so that a slow digest would slow down nobody but the server, at every request.
ROUNDS = 5
PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
OF_BCRYPT = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def htpasswd(user: str, password: str) -> str:
    """Return a line of a password file. The salt is computed of both, so the same password is the same line."""
    seed = hashlib.sha256(f"salt/{user}/{password}".encode()).digest()[:16]
    salt = base64.b64encode(seed).rstrip(b"=").translate(bytes.maketrans(PLAIN, OF_BCRYPT))
    digest = bcrypt.hashpw(password.encode()[:72], b"$2a$%02d$" % ROUNDS + salt)
    return f"{user}:{digest.decode()}"


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"htpasswd": htpasswd}
