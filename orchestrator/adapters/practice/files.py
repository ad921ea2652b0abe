"""Writes files so that a reader sees either the old text or the new one, and so that links are replaced, not
followed."""

import os
from pathlib import Path


def write(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write `text` to `path`, creating its folders. A file with this text stays untouched."""
    if not path.is_symlink() and path.exists() and path.read_text() == text and path.stat().st_mode & 0o7777 == mode:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
    partial.rename(path)
