"""Filters on address blocks, so that no role computes with octets."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any


def address(block: str, index: int) -> str:
    """Return the address at an index of a block: 1 is the first host of it, -1 its broadcast address."""
    return str(IPv4Network(block)[index])


PRIVATE = """
0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.168.0.0/16
198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3
"""


def with_private(blocks: list[str]) -> list[str]:
    """Return blocks and all those that lead nowhere on the Internet (RFC 6890)."""
    return [*PRIVATE.split(), *blocks]


def prefix(block: str) -> int:
    """Return the length of a block's prefix."""
    return IPv4Network(block).prefixlen


def network(block: str, length: int, index: int) -> str:
    """Return one of the networks of a prefix length in a block, of which 0 is the first."""
    whole = IPv4Network(block)
    return str(IPv4Network((int(whole.network_address) + (index << (32 - length)), length)))


def quarter(block: str, index: int) -> str:
    """Return one of the four quarters of a block, of which 1 is the first."""
    return str(list(IPv4Network(block).subnets(2))[index - 1])


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "address": address,
            "network": network,
            "prefix": prefix,
            "quarter": quarter,
            "with_private": with_private,
        }
