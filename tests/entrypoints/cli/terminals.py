"""A command at a terminal, and somebody who types."""

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from contextlib import suppress

from tests.entrypoints.cli.conftest import PATIENCE, CommandLine, hear_ctrl_c

CTRL_C = b"\x03"
"""Typed again while it has no effect: input between a question and the wait for its answer is lost."""


def at_terminal(command: CommandLine, *words: object, typing: bytes, at: str) -> tuple[int, str]:
    """Type something as soon as the command has printed `at`. Returns its exit code and everything shown."""
    ours, theirs = pty.openpty()

    def own_terminal() -> None:
        hear_ctrl_c()
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *map(str, words)],
        env=command.environment | {"TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=own_terminal,
    )
    os.close(theirs)
    seen, until = b"", time.monotonic() + PATIENCE
    with suppress(OSError):  # at the end: the other end is closed
        while time.monotonic() < until:
            more = os.read(ours, 4096) if select.select([ours], [], [], 1)[0] else b""
            asked_before, seen = at.encode() in seen, seen + more
            if at.encode() in seen and (not asked_before or (typing == CTRL_C and not more)):
                os.write(ours, typing)
    os.close(ours)  # hang up on anything that still waits for input
    return process.wait(PATIENCE), seen.decode(errors="replace").replace("\r\n", "\n")
