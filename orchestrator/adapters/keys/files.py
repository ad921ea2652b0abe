"""A file with a key in it: made once, mode 0600, and refused when others can read it."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from orchestrator.domain.errors import Kind, OrchestratorError


def make_private(key_file: Path, generate: Callable[[], bytes]) -> bool:
    """Create the file with a new key. False when there is one already."""
    key_file.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "wb") as file:
        file.write(generate())
    return True


def refuse_readable_by_others(key_file: Path, *, consider: str) -> None:
    """Raise when not only the owner can read the file; `consider` is what may have happened then."""
    mode = stat.S_IMODE(key_file.stat().st_mode)
    if mode & 0o077:
        raise OrchestratorError(
            Kind.INVALID,
            f"{key_file} can be read by others (mode {mode:04o})",
            hint=f"chmod 600 {key_file}, and consider {consider}",
        )
