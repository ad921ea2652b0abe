"""A folder's contents in three facts: equal facts mean equal files, owners, modes and extended attributes."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any


def facts(top: Path) -> dict[str, Any]:
    """Return count, bytes and sha256 of everything below a folder."""
    lines, size = [], 0
    for folder, folders, names in os.walk(top):
        for name in folders + names:
            path = Path(folder, name)
            lines.append(describe(path, top))
            size += path.lstat().st_size if stat.S_ISREG(path.lstat().st_mode) else 0
    digest = hashlib.sha256("\0".join(sorted(lines)).encode(errors="surrogateescape"))
    return {"count": len(lines), "bytes": size, "sha256": digest.hexdigest()}


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a restored backup. Raises ValueError if the files beside it differ from it."""
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    found = facts(folder / "files")
    if found != manifest["files"]:
        raise ValueError(f"the restored files are {found}, but the manifest says {manifest['files']}")
    return manifest


def describe(path: Path, top: Path) -> str:
    """Return everything about one file that a restore must bring back."""
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        content = str(path.readlink())
    elif stat.S_ISREG(found.st_mode):
        with path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
    else:
        content = ""
    extended = [
        (name, os.getxattr(path, name, follow_symlinks=False).hex())
        for name in sorted(os.listxattr(path, follow_symlinks=False))
        if name.startswith("user.")
    ]
    return f"{path.relative_to(top)} {found.st_mode:o} {found.st_uid} {found.st_gid} {content} {extended}"
