"""Running this host's programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from leases import DrillError


def run(*command: str, text: str | None = None, descriptors: Sequence[int] = ()) -> str:
    """Run a program that must succeed, and return what it printed."""
    done = subprocess.run(command, input=text, pass_fds=descriptors, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise DrillError(f"{command[0]} failed: {said[-2000:]}")
    return done.stdout


def succeeds(*command: str) -> bool:
    """Run a program and say whether it succeeded."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def piped(secret: str) -> Iterator[int]:
    """Hold a secret in a pipe, for a program that is told of it as `/dev/fd/<number>`: nobody else can read it there,
    as they could arguments and the environment."""
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "w") as end:
            end.write(secret)
        yield reading
    finally:
        os.close(reading)
