"""Tests on address blocks."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network


def overlapping(block: str, other: str) -> bool:
    """Say whether two blocks have an address in common. Of an address with a prefix, its block is meant."""
    return IPv4Network(block, strict=False).overlaps(IPv4Network(other, strict=False))


class TestModule:
    """What Ansible looks for."""

    def tests(self) -> dict[str, Callable[..., bool]]:
        """Return the tests by name."""
        return {"overlapping": overlapping}
