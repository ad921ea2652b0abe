"""A command at a terminal, and somebody who types."""

import fcntl
import os
import pty
import subprocess
import sys
import termios

from tests.entrypoints.cli.conftest import PATIENCE, CommandLine


def at_terminal(command: CommandLine, *words: object, typing: bytes, at: str) -> tuple[int, str]:
    """Type something as soon as the command has said `at`. How it ended, and all that was to be seen."""
    ours, theirs = pty.openpty()

    def own_terminal() -> None:
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
    seen, waiting = b"", True
    try:
        while more := os.read(ours, 4096):
            seen += more
            if waiting and at.encode() in seen:
                os.write(ours, typing)
                waiting = False
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    return process.wait(PATIENCE), seen.decode(errors="replace").replace("\r\n", "\n")
