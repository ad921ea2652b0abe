"""Entering a named network namespace, for modules that look at a network from inside it."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

CLONE_NEWNET = 0x40000000


def within(name: str | None) -> list[str]:
    """Return what is put before a command to run it in a namespace; nothing for the host's own."""
    return ["ip", "netns", "exec", name] if name else []


def enter(name: str) -> None:
    """Move this process into a namespace of `ip netns`, permanently. (os.setns exists only since Python 3.12.)"""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/run/netns", name).open("rb") as handle:
        if libc.setns(handle.fileno(), CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"{os.strerror(code)}: {name}")
