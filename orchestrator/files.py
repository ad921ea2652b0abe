"""Files that people name: read within bounds, and written with errors that people can act on."""

import os
import stat
from pathlib import Path

from orchestrator.domain.errors import Kind, OrchestratorError


def is_folder(path: Path) -> bool:
    """Whether there is one. A name that nothing can have is no folder."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def read_file(path: Path, *, at_most: int) -> bytes:
    """What is in a file of `at_most` bytes. Raises NOT_FOUND or INVALID, also for what is no file: a pipe, a device."""
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
    """The same as text."""
    try:
        return read_file(path, at_most=at_most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _invalid(path, f"is not UTF-8 text (byte {error.start})") from None


def write_file(path: Path, content: str | bytes) -> None:
    """Put it there, over what was there. Raises INVALID where that cannot be."""
    try:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    except (OSError, ValueError) as error:
        raise _invalid(path, f"cannot be written: {getattr(error, 'strerror', None) or error}") from None


def make_folder(path: Path) -> None:
    """Have a folder there. Raises INVALID where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _invalid(path, f"cannot be made: {error.strerror}") from None


def write_new_file(path: Path, content: str) -> None:
    """Make the file, readable by its owner only. Raises INVALID where that cannot be, or where there is one already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
    except (OSError, ValueError) as error:
        raise _invalid(path, f"cannot be made: {getattr(error, 'strerror', None) or error}") from None


def _invalid(path: Path, what: str) -> OrchestratorError:
    return OrchestratorError(Kind.INVALID, f"{path}: {what}")
