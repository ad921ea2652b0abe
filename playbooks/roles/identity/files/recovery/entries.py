#!/usr/bin/python3
"""The entries of an agency's directory: dumped, and loaded again with their numbers, identifiers and times.

Usage, as root, with the folder that holds or will hold the dump:
    entries.py dump FOLDER AGENCY   writes entries.ldif; prints {"tools": .., "entries": facts}
    entries.py load FOLDER AGENCY   fills the database of a server that does not run; prints {"entries": facts}
    entries.py merge FOLDER AGENCY  stops the agency's server and replaces its entries; prints {}
Facts are the number of entries and the SHA-256 of their text, so equal facts mean equal entries.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PLACE = Path("/var/lib/private/agency-directory")
"""Where systemd keeps what belongs to units that have users of their own."""


def run(*command: str) -> bytes:
    """Run a program that must succeed, and return what it printed."""
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def on_database(program: str, agency: str, place: Path, *options: str) -> bytes:
    """Run one of slapd's programs on the agency's database in a folder."""
    text = Path("/etc/agency-directory", agency, "slapd.conf").read_text()
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as settings:
        settings.write(re.sub(r"(?m)^directory .*", f"directory {place}", text))
        settings.flush()
        return run(f"/usr/sbin/{program}", "-f", settings.name, "-b", f"o={agency}", *options)


def facts(text: bytes) -> dict[str, Any]:
    """Return how many entries a dump has, and its digest."""
    return {"count": len(re.findall(rb"(?m)^dn:", text)), "sha256": hashlib.sha256(text).hexdigest()}


def dump(folder: Path, agency: str) -> dict[str, Any]:
    """Write the entries as of one instant."""
    text = on_database("slapcat", agency, PLACE / agency)
    (folder / "entries.ldif").write_bytes(text)
    version = run("dpkg-query", "--show", "--showformat=${Version}", "slapd").decode()
    return {"tools": {"slapd": version}, "entries": facts(text)}


def fill(folder: Path, agency: str) -> Path:
    """Load a dump into a new folder beside the agency's own, and return that folder."""
    PLACE.parent.mkdir(mode=0o700, exist_ok=True)
    PLACE.mkdir(mode=0o755, exist_ok=True)
    made = PLACE / f"{agency}.restored"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(mode=0o700)
    on_database("slapadd", agency, made, "-q", "-l", str(folder / "entries.ldif"))
    return made


def replace(made: Path, agency: str) -> None:
    """Put a folder in the place of the agency's own. It is root's, so systemd gives it to the server's user."""
    shutil.rmtree(PLACE / agency, ignore_errors=True)
    made.rename(PLACE / agency)


def load(folder: Path, agency: str) -> dict[str, Any]:
    """Fill the database, and say what is in it."""
    replace(fill(folder, agency), agency)
    return {"entries": facts(on_database("slapcat", agency, PLACE / agency))}


def merge(folder: Path, agency: str) -> dict[str, Any]:
    """Stop the server and replace its entries. A dump that cannot be loaded changes nothing."""
    made = fill(folder, agency)
    run("systemctl", "stop", f"agency-directory@{agency}.service")
    replace(made, agency)
    return {}


if __name__ == "__main__":
    operations = {"dump": dump, "load": load, "merge": merge}
    if len(sys.argv) != 4 or sys.argv[1] not in operations:
        raise SystemExit(__doc__)
    json.dump(operations[sys.argv[1]](Path(sys.argv[2]), sys.argv[3]), sys.stdout)
