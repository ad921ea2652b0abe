"""The state directory: private to its owner, and marked with its installation."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from orchestrator.domain.errors import Kind, OrchestratorError

MARK = "installation"
PRIVATE = 0o700


def make_private(folder: Path) -> None:
    """Create the folder for its owner only, regardless of the umask."""
    folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
    _chmod(folder, PRIVATE)


def loose(folder: Path) -> list[Path]:
    """Those paths in the folder, itself included, that others than the owner may use.

    Trees of practice hosts keep the modes that their hosts need, inside a private folder.
    """
    return [path for path in _all(folder) if stat.S_IMODE(path.lstat().st_mode) & 0o077]


def tighten(folder: Path) -> list[Path]:
    """Remove all permissions of others than the owner. Returns the paths that changed."""
    found = loose(folder)
    for path in found:
        _chmod(path, stat.S_IMODE(path.lstat().st_mode) & PRIVATE)
    return found


def read_mark(folder: Path) -> str | None:
    """The id of the installation that the folder belongs to."""
    try:
        return (folder / MARK).read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise OrchestratorError(Kind.INVALID, f"{folder / MARK} cannot be read: {error}") from None


def write_mark(folder: Path, installation: str) -> None:
    partial = folder / f".{MARK}.{os.getpid()}"
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(f"{installation}\n")
    partial.rename(folder / MARK)


def _all(folder: Path) -> Iterator[Path]:
    yield folder
    for top, folders, files in os.walk(folder):
        if Path(top).parent.parent == folder and Path(top).parent.name == "sites":
            folders[:] = [name for name in folders if name != "hosts"]
        yield from (path for name in (*folders, *files) if not (path := Path(top, name)).is_symlink())


def _chmod(path: Path, mode: int) -> None:
    try:
        path.chmod(mode)
    except PermissionError:
        raise OrchestratorError(
            Kind.INVALID,
            f"{path} belongs to somebody else",
            hint="everything in the state directory must belong to its user",
        ) from None
