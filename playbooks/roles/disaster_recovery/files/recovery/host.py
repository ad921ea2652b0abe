"""Running this host's programs."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

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
