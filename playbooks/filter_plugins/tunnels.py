"""Filter for the keys of tunnels, which are derived from one secret of an agency."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey


def tunnel_key(secret: str, end: str) -> dict[str, str]:
    """Return the two WireGuard keys of one end of a tunnel: HMAC-SHA-256 over its name, and the public key of that."""
    private = hmac.new(secret.encode(), f"tunnel/{end}".encode(), hashlib.sha256).digest()
    public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    return {"private": base64.b64encode(private).decode(), "public": base64.b64encode(public).decode()}


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"tunnel_key": tunnel_key}
