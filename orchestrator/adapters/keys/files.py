"""Key files: created once, mode 0600, and refused when others can read them."""

import os
import stat
import uuid
from collections.abc import Callable
from pathlib import Path

from orchestrator.domain.errors import Kind, OrchestratorError


def make_private(key_file: Path, generate: Callable[[], bytes]) -> bool:
    """Create the file with a new key, never visible half-written. Returns False if it exists."""
    key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = _written(key_file, generate())
    try:
        os.link(partial, key_file)
    except FileExistsError:
        return False
    finally:
        partial.unlink()
    return True


def replace_private(key_file: Path, content: bytes) -> None:
    """Replace the content atomically: readers see the old or the new one, even after a power failure."""
    _written(key_file, content).replace(key_file)
    folder = os.open(key_file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _written(key_file: Path, content: bytes) -> Path:
    partial = key_file.with_name(f".{key_file.name}.{uuid.uuid4().hex}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return partial


def refuse_readable_by_others(key_file: Path, *, consider: str) -> None:
    """Raise INVALID if others than the owner can read the file; `consider` is what may have happened."""
    mode = stat.S_IMODE(key_file.stat().st_mode)
    if mode & 0o077:
        raise OrchestratorError(
            Kind.INVALID,
            f"{key_file} can be read by others (mode {mode:04o})",
            hint=f"chmod 600 {key_file}, and consider {consider}",
        )
