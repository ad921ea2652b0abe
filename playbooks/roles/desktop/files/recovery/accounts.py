#!/usr/bin/python3
"""The accounts of an agency's people on a desktop: dumped, and made again.

Usage, as root, with the folder that holds or will hold the dump:
    accounts.py dump FOLDER AGENCY   writes accounts.json; prints {"accounts": [names]}
    accounts.py merge FOLDER AGENCY  makes accounts that are missing, and gives each its home; prints {}
"""

from __future__ import annotations

import grp
import json
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any


def run(*command: str, text: str | None = None) -> None:
    """Run a program that must succeed."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]}: {done.stderr.strip()}")


def shadows() -> dict[str, str]:
    """Return the digest of each account's password."""
    fields = (line.split(":") for line in Path("/etc/shadow").read_text().splitlines())
    return {field[0]: field[1] for field in fields}


def dump(folder: Path, agency: str) -> dict[str, Any]:
    """Write who the agency's people are."""
    group, digests = grp.getgrnam(f"agency-{agency}"), shadows()
    people = [
        {"name": one.pw_name, "uid": one.pw_uid, "gid": one.pw_gid, "home": one.pw_dir, "shell": one.pw_shell,
         "password": digests[one.pw_name]}
        for one in pwd.getpwall() if one.pw_gid == group.gr_gid
    ]  # fmt: skip
    (folder / "accounts.json").write_text(json.dumps(people))
    return {"accounts": sorted(one["name"] for one in people)}


def merge(folder: Path, agency: str) -> dict[str, Any]:
    """Make who is missing. Numbers may be others than they were; then the restored homes get those."""
    people = json.loads((folder / "accounts.json").read_text())
    name = f"agency-{agency}"
    if people and name not in {group.gr_name for group in grp.getgrall()}:
        free = people[0]["gid"] not in {group.gr_gid for group in grp.getgrall()}
        run("groupadd", *(["--gid", str(people[0]["gid"])] if free else []), name)
    for one in people:
        known = {account.pw_name: account for account in pwd.getpwall()}
        if one["name"] not in known:
            free = one["uid"] not in {account.pw_uid for account in known.values()}
            number = ["--uid", str(one["uid"])] if free else []
            run(
                "useradd",
                "--no-create-home",
                "--home-dir",
                one["home"],
                "--shell",
                one["shell"],
                "--gid",
                name,
                *number,
                one["name"],
            )
            run("chpasswd", "--encrypted", text=f"{one['name']}:{one['password']}")
        now = pwd.getpwnam(one["name"])
        if (now.pw_uid, now.pw_gid) != (one["uid"], one["gid"]) and Path(one["home"]).is_dir():
            run("chown", "--recursive", "--no-dereference", f"{now.pw_uid}:{now.pw_gid}", one["home"])
    return {}


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("dump", "merge"):
        raise SystemExit(__doc__)
    json.dump({"dump": dump, "merge": merge}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3]), sys.stdout)
