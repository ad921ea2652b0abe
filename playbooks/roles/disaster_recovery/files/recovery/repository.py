"""The frozen copy of a writer's repository, and what is in it."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import file_tree
import receipts
import writers
from host import run
from leases import Drill, DrillError
from secret_pipe import piped

# A writer stores contents first, then the index of them, then the snapshot that names them; so a copy made the other
# way round has everything that its snapshots need.
PARTS = ("config", "keys", "snapshots", "index", "data")


def freeze(drill: Drill, agency: str, writer: str, source: Path | None) -> None:
    """Copy a writer's repository as it is now, by links: its files are written once, and only ever removed."""
    place = source or writers.repository_of(agency, writer)
    found = writers.of_agency(agency).get(writer)
    if not (place / "config").is_file() or (source is None and found is None):
        raise DrillError(f"{agency} has no repository of {writer}; take a backup first")
    if source is None and found and (strange := receipts.strange_keys(place, found.keys)):
        raise DrillError(f"the repository of {writer} has keys that it was not made with: {', '.join(strange)}")
    drill.repository.mkdir(mode=0o700)
    # Pruning waits, as it removes contents that are still being copied.
    for part in PARTS:
        copy = ["cp", "--archive", "--link", str(place / part), str(drill.repository)]
        run("flock", "--shared", str(writers.REPOSITORIES / agency / "lock"), *copy) if source is None else run(*copy)
    (drill.repository / "locks").mkdir()


def restic(drill: Drill, password: str, *arguments: str) -> str:
    """Run restic on the frozen copy."""
    with piped(password) as given:
        return run(*access(drill, given), *arguments, descriptors=[given])


def access(drill: Drill, password: int) -> list[str]:
    """Return how restic is called on the frozen copy, with the password in a pipe."""
    return ["restic", "--no-cache", "--repo", str(drill.repository), "--password-file", f"/dev/fd/{password}"]


def snapshots(drill: Drill, password: str, component: str, host: str) -> list[dict[str, Any]]:
    """Return the component's snapshots of one of its hosts, in the order in which this host received them.

    Those that claim another time are left out. Only the newest is looked into, which takes a second.
    """
    which = ["--tag", component, "--host", host]
    found = json.loads(restic(drill, password, "snapshots", "--json", "--no-lock", *which)) or []
    received = receipts.arrivals(drill.repository)
    right = {one.id: one for one in receipts.backups(found, received) if not one.doubtful}
    if not right:
        doubt = ", only some that claim to be of another time than they came at" if found else ""
        raise DrillError(f"the repository has no backup of {component}{doubt}; take one first")
    kept = ("id", "tree", "paths")
    told = [
        {name: one[name] for name in kept}
        | {"host": one["hostname"], "time": _in_utc(one["time"]), "received": right[one["id"]].received.isoformat()}
        for one in sorted(found, key=lambda one: received[one["id"]])
        if one["id"] in right
    ]
    told[-1] |= contents(drill, password, told[-1]["id"])
    return told


def contents(drill: Drill, password: str, snapshot: str) -> dict[str, Any]:
    """Return how much is in a snapshot, and the digest of its list of files."""
    listing = restic(drill, password, "ls", "--json", "--no-lock", snapshot)
    entries = [json.loads(line) for line in listing.splitlines()]
    files = [entry for entry in entries if entry.get("type") == "file"]
    digest = hashlib.sha256(listing.encode()).hexdigest()
    return {"bytes": sum(file.get("size", 0) for file in files), "files": len(files), "sha256": digest}


def _in_utc(moment: str) -> str:
    return run("date", "--utc", f"--date={moment}", "+%Y-%m-%dT%H:%M:%S.%NZ").strip()


def check(drill: Drill, password: str) -> dict[str, Any]:
    """Have restic read everything in the copy, and say what it found."""
    with piped(password) as given:
        command = [*access(drill, given), "check", "--read-data"]
        done = subprocess.run(command, pass_fds=[given], capture_output=True, text=True, check=False)
    said = (done.stdout if done.returncode == 0 else done.stderr or done.stdout).strip().splitlines()
    return {"passed": done.returncode == 0, "detail": said[-1] if said else "restic said nothing"}


def unpack(drill: Drill, password: str, snapshot: str) -> dict[str, Any]:
    """Restore a snapshot into the folder `restored`, insist that its files are those of its manifest; return that."""
    target = drill.folder / "unpacked"
    shutil.rmtree(target, ignore_errors=True)
    shutil.rmtree(drill.folder / "restored", ignore_errors=True)
    restic(drill, password, "restore", "--no-lock", snapshot, "--target", str(target))
    found = sorted(target.glob("var/backups/recovery/*/*/manifest.json"))
    if len(found) != 1:
        raise DrillError(f"snapshot {snapshot} has no manifest; it was not taken by a component's backup")
    found[0].parent.rename(drill.folder / "restored")
    shutil.rmtree(target)
    return file_tree.read_manifest(drill.folder / "restored")
