#!/usr/bin/python3
"""Runs inside the bubble and prints what the restored desktop says of itself: {engine, manifest, invariants}."""

from __future__ import annotations

import json
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.append("/usr/local/lib/recovery")
import file_tree

RESTORED = Path("/recovery/restored")


def engine() -> dict[str, Any]:
    """Have the host's own checkers look at its accounts and at its ssh policy."""
    for command in (["pwck", "--read-only", "--quiet"], ["sshd", "-t"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wrong = [line for line in (done.stdout + done.stderr).splitlines() if "agency-" in line]
        if command[0] == "sshd" and done.returncode != 0:
            wrong.append(done.stderr.strip())
        if wrong:
            return {"passed": False, "detail": "; ".join(wrong)}
    return {"passed": True, "detail": "pwck and sshd find nothing wrong"}


def compared(manifest: dict[str, Any]) -> dict[str, Any]:
    """Read every restored file, and compare with what the backup says it holds."""
    found, wanted = file_tree.facts(RESTORED / "files"), manifest["files"]
    complaint = f"the files are {found}, and were {wanted}"
    return {"passed": found == wanted, "detail": complaint if found != wanted else f"{found['count']} files equal"}


def invariants(manifest: dict[str, Any]) -> dict[str, Any]:
    """See that everybody has an account and a home of their own."""
    accounts = {account.pw_name: account for account in pwd.getpwall()}
    wrong = []
    for name in manifest["accounts"]:
        account = accounts.get(name)
        if account is None:
            wrong.append(f"{name} has no account")
        elif not Path(account.pw_dir).is_dir() or Path(account.pw_dir).stat().st_uid != account.pw_uid:
            wrong.append(f"{name} has no home of their own")
    return {"passed": not wrong, "detail": "; ".join(wrong) or f"{len(manifest['accounts'])} people have a home"}


if __name__ == "__main__":
    told = json.loads((RESTORED / "manifest.json").read_text())
    print(json.dumps({"engine": engine(), "manifest": compared(told), "invariants": invariants(told)}))  # noqa: T201
