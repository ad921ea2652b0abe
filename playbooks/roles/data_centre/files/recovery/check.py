#!/usr/bin/python3
"""Runs inside the bubble and prints what the restored journals say of themselves: {engine, manifest, invariants}."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.append("/usr/local/lib/recovery")
import file_tree

RESTORED = Path("/recovery/restored")
JOURNALS = "files/var/lib/agency-journal"
NEEDED = ("authority.pem", "collector.pem", "collector.key", "door.conf")


def journals() -> list[Path]:
    """Return the restored journal files."""
    return sorted((RESTORED / JOURNALS).glob("*/*.journal"))


def engine() -> dict[str, Any]:
    """Have systemd read every object of every file."""
    for file in journals():
        done = subprocess.run(["journalctl", "--verify", f"--file={file}"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return {"passed": False, "detail": f"{file.name}: {(done.stderr or done.stdout).strip()}"}
    return {"passed": True, "detail": f"journalctl found {len(journals())} files in order"}


def compared(manifest: dict[str, Any]) -> dict[str, Any]:
    """Read every restored file, and compare with what the backup says it holds."""
    found, wanted = file_tree.facts(RESTORED / "files"), manifest["files"]
    complaint = f"the files are {found}, and were {wanted}"
    return {"passed": found == wanted, "detail": complaint if found != wanted else f"{found['count']} files equal"}


def invariants(manifest: dict[str, Any]) -> dict[str, Any]:
    """See that the journals are the agency's and ended, and that the collector can go on."""
    wrong = [str(file.name) for file in journals() if "@" not in file.name or file.parent.name != manifest["agency"]]
    folder = RESTORED / "files/etc/agency-journal" / manifest["agency"]
    wrong += [name for name in NEEDED if not (folder / name).is_file()]
    return {"passed": not wrong, "detail": "; ".join(wrong) or f"{len(journals())} files are the agency's, and ended"}


if __name__ == "__main__":
    told = json.loads((RESTORED / "manifest.json").read_text())
    print(json.dumps({"engine": engine(), "manifest": compared(told), "invariants": invariants(told)}))  # noqa: T201
