"""Files that users name: read up to a size limit, written with errors that users can act on."""

import os
import stat
from pathlib import Path

from orchestrator.domain.errors import Kind, OrchestratorError


def is_folder(path: Path) -> bool:
    """Whether the path is a folder. An impossible name is not."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def read_file(path: Path, *, at_most: int) -> bytes:
    """The content of a file of up to `at_most` bytes. Raises NOT_FOUND, or INVALID, also for a pipe or a device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _invalid(path, "is not a file")
            content = file.read(at_most + 1)
    except FileNotFoundError:
        raise OrchestratorError(Kind.NOT_FOUND, f"{path}: no such file") from None
    except OSError as error:
        raise _invalid(path, f"cannot be read: {error.strerror}") from None
    except ValueError as error:  # a null byte in the name
        raise _invalid(path, f"cannot be read: {error}") from None
    if len(content) > at_most:
        raise _invalid(path, f"is larger than {at_most:,} bytes")
    return content


def read_text(path: Path, *, at_most: int) -> str:
    """The content as text. Raises as `read_file` does, and INVALID if it is not UTF-8."""
    try:
        return read_file(path, at_most=at_most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _invalid(path, f"is not UTF-8 text (byte {error.start})") from None


def write_file(path: Path, content: str | bytes) -> None:
    """Write the file, replacing what was there. Raises INVALID if it cannot be written."""
    try:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    except (OSError, ValueError) as error:
        raise _invalid(path, f"cannot be written: {getattr(error, 'strerror', None) or error}") from None


def make_folder(path: Path) -> None:
    """Make sure that the folder exists. Raises INVALID if it cannot be created."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _invalid(path, f"cannot be created: {error.strerror}") from None


def write_new_file(path: Path, content: str) -> None:
    """Create the file, readable by its owner only. Raises INVALID if it exists or cannot be created."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
    except (OSError, ValueError) as error:
        raise _invalid(path, f"cannot be created: {getattr(error, 'strerror', None) or error}") from None


def _invalid(path: Path, what: str) -> OrchestratorError:
    return OrchestratorError(Kind.INVALID, f"{path}: {what}")
