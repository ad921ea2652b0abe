#!/usr/bin/python3
"""Runs inside the bubble and prints what the restored desk says of itself: {engine, manifest, invariants}."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

RESTORED = Path("/recovery/restored")
DESK = "/usr/local/lib/service-desk/recovery/desk.py"


def as_user(user: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program as one of the system's users."""
    return subprocess.run(["runuser", "-u", user, "--", *command], cwd="/", capture_output=True, text=True, check=False)


def engine() -> dict[str, Any]:
    """Have PostgreSQL read every page of every table and index, and look for each row in each index."""
    tool = str(max(Path("/usr/lib/postgresql").glob("*/bin/pg_amcheck")))
    done = as_user("postgres", tool, "--heapallindexed", "--install-missing", "--database=rtdb")
    complaint = (done.stdout + done.stderr).strip()
    return {"passed": done.returncode == 0, "detail": complaint or "pg_amcheck found every page in order"}


def compared(wanted: dict[str, Any], loaded: dict[str, Any]) -> dict[str, Any]:
    """Compare what was loaded with what the backup says it holds, table by table."""
    names = sorted(wanted["tables"].keys() | loaded["tables"].keys())
    wrong = [name for name in names if wanted["tables"].get(name) != loaded["tables"].get(name)]
    tickets = loaded["tables"]["tickets"]["rows"]
    complaint = f"other rows than were backed up in {', '.join(wrong)}"
    return {"passed": not wrong, "detail": complaint if wrong else f"{len(names)} tables equal, {tickets} tickets"}


def main() -> None:
    """Look at everything."""
    manifest = json.loads((RESTORED / "manifest.json").read_text())
    loaded = json.loads((RESTORED / "loaded.json").read_text())
    now = as_user("www-data", DESK, "inspect", "/", manifest["agency"])
    refused = {"passed": False, "detail": now.stderr.strip()}
    invariants = json.loads(now.stdout)["invariants"] if now.returncode == 0 else refused
    print(json.dumps({"engine": engine(), "manifest": compared(manifest, loaded), "invariants": invariants}))  # noqa: T201


if __name__ == "__main__":
    main()
