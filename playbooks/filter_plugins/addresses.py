"""Filters on address blocks, so that no role computes with octets."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any


def address(block: str, index: int) -> str:
    """Return the address at an index of a block: 1 is the first host of it, -1 its broadcast address."""
    return str(IPv4Network(block)[index])


def prefix(block: str) -> int:
    """Return the length of a block's prefix."""
    return IPv4Network(block).prefixlen


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"address": address, "prefix": prefix}
