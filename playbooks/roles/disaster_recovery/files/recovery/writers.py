"""Who writes backups of an agency: each component on each of its hosts, into a repository that no other writer opens.

A writer is called `<component>.<host>`. What this host keeps of writers is in one file for each agency, which only root
reads; the service for writers has nothing of it but the digests of the passwords that let them in.
"""

from __future__ import annotations

import fcntl
import grp
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

REPOSITORIES = Path("/srv/recovery")
CONFIGURATION = Path("/etc/recovery")
HELD = ""
"""In place of the password of a repository that is held for an agency which left: nothing on this host opens it."""


@dataclass(frozen=True)
class Writer:
    """What opens a writer's repository, the keys that were made for it, and a line of a password file that lets the
    writer in. Without that line it is only read any more."""

    password: str
    keys: tuple[str, ...]
    entry: str = ""


def repository_of(agency: str, writer: str) -> Path:
    """Return where a writer's backups are."""
    return REPOSITORIES / agency / "repositories" / writer


def known(text: str) -> dict[str, Writer]:
    """Return the writers that a file names, by name."""
    told = json.loads(text)
    return {name: Writer(one["password"], tuple(one["keys"]), one["entry"]) for name, one in told.items()}


def of_agency(agency: str) -> dict[str, Writer]:
    """Return the writers of an agency; none when none was ever let in."""
    file = CONFIGURATION / agency / "writers"
    return known(file.read_text()) if file.exists() else {}


def as_text(found: dict[str, Writer]) -> str:
    """Return what a file has to say for `known` to find these."""
    return json.dumps({name: asdict(one) for name, one in sorted(found.items())}, indent=1)


@contextmanager
def turn(agency: str) -> Iterator[None]:
    """Hosts of one step are admitted at the same time. They take turns by the agency's folder: a file for that would be
    one more that is left of an agency."""
    folder = os.open(CONFIGURATION / agency, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def keep(agency: str, found: dict[str, Writer]) -> bool:
    """Write down who the writers are, and only then let them in; say whether that was news."""
    noted = replace(CONFIGURATION / agency / "writers", as_text(found))
    lines = "".join(f"{one.entry}\n" for _, one in sorted(found.items()) if one.entry)
    return replace(REPOSITORIES / agency / "users", lines, group=f"recovery-{agency}") or noted


def replace(file: Path, text: str, *, group: str = "root") -> bool:
    """Write a file in one step, for root, and for a group to read; say whether it said anything else."""
    if file.is_file() and file.read_text() == text:
        return False
    partial = file.with_name(f".{file.name}")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        # By its descriptor: the folder may belong to somebody who puts another file in its place.
        os.fchown(stream.fileno(), 0, grp.getgrnam(group).gr_gid)
        os.fchmod(stream.fileno(), 0o640)
        stream.write(text)
    partial.replace(file)
    return True
