"""Who writes backups of an agency: each component on each of its hosts, into a repository that no other writer opens.

A writer is called `<component>.<host>`. What this host keeps of writers is in one file for each agency, which only root
reads; the service for writers has nothing of it but the digests of the passwords that let them in.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

REPOSITORIES = Path("/srv/recovery")
CONFIGURATION = Path("/etc/recovery")


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
