"""Filters for passwords as servers keep them: digests of bcrypt."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import bcrypt

# Passwords here are long and random, so that a slow digest would slow down nobody but the server, at every request.
ROUNDS = 5
PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
OF_BCRYPT = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def digest(user: str, password: str) -> str:
    """Return a password's digest. The salt is computed of both, so the same password has the same digest."""
    seed = hashlib.sha256(f"salt/{user}/{password}".encode()).digest()[:16]
    salt = base64.b64encode(seed).rstrip(b"=").translate(bytes.maketrans(PLAIN, OF_BCRYPT))
    return bcrypt.hashpw(password.encode()[:72], b"$2a$%02d$" % ROUNDS + salt).decode()


def htpasswd(user: str, password: str) -> str:
    """Return a line of one of Apache's password files."""
    return f"{user}:{digest(user, password)}"


def password_digests(passwords: Mapping[str, str]) -> dict[str, str]:
    """Return the digests of people's passwords."""
    return {user: digest(user, password) for user, password in passwords.items()}


def directory_passwords(passwords: Mapping[str, str]) -> dict[str, str]:
    """Return the passwords of accounts as a directory keeps them, which compares them by the host's libcrypt."""
    return {user: f"{{CRYPT}}{made}" for user, made in password_digests(passwords).items()}


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "htpasswd": htpasswd,
            "directory_passwords": directory_passwords,
            "password_digests": password_digests,
        }
