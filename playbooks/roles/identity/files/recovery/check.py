#!/usr/bin/python3
"""Runs inside the bubble and prints what the restored directory says of itself: {engine, manifest, invariants}."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import ldap3

sys.path.append("/usr/local/lib/recovery")
import file_tree  # the recovery host's

RESTORED = Path("/recovery/restored")
LEAST_HASH = len("{CRYPT}$2a$05$") + 53
"""Of bcrypt: salt and digest have 53 characters."""


def engine(agency: str) -> dict[str, Any]:
    """Have slapd's own program compare every entry with the schema."""
    settings = f"/etc/agency-directory/{agency}/slapd.conf"
    done = subprocess.run(
        ["/usr/sbin/slapschema", "-f", settings, "-b", f"o={agency}"], capture_output=True, text=True, check=False
    )
    complaint = (done.stdout + done.stderr).strip()
    passed = done.returncode == 0 and not complaint
    return {"passed": passed, "detail": "slapschema found every entry in order" if passed else complaint}


def compared(manifest: dict[str, Any], loaded: dict[str, Any]) -> dict[str, Any]:
    """Compare what was loaded, and the files, with what the backup says it holds."""
    found = {"entries": loaded["entries"], "files": file_tree.facts(RESTORED / "files")}
    wrong = [f"the {name} are {now}, and were {manifest[name]}" for name, now in found.items() if now != manifest[name]]
    return {"passed": not wrong, "detail": "; ".join(wrong) or f"{loaded['entries']['count']} entries equal"}


def entries(agency: str) -> list[dict[str, Any]]:
    """Return the attributes of every entry, as root sees them, by the running server."""
    server = ldap3.Server(f"ldapi:///run/agency-directory/{agency}/ldapi", get_info=ldap3.NONE)
    with ldap3.Connection(
        server, authentication=ldap3.SASL, sasl_mechanism=ldap3.EXTERNAL, sasl_credentials="", auto_bind=True
    ) as root:
        root.search(f"o={agency}", "(objectClass=*)", attributes=["*"])
        return [entry["attributes"] for entry in root.response]


def invariants(found: list[dict[str, Any]]) -> dict[str, Any]:
    """See what is true of every directory in order."""
    people = [entry for entry in found if "posixAccount" in entry["objectClass"]]
    groups = [entry for entry in found if "posixGroup" in entry["objectClass"]]
    logins = [entry for entry in found if "userPassword" in entry]
    names = {entry["uid"][0] for entry in people}
    wrong = []
    for kind, listed, container in (("uidNumber", people, "people"), ("gidNumber", groups, "groups")):
        highest = next(int(entry[kind][0]) for entry in found if entry.get("ou") == [container])
        numbers = Counter(int(entry[kind][0]) for entry in listed)
        wrong += [f"{number} is the {kind} of {times}" for number, times in numbers.items() if times > 1]
        wrong += [f"{kind} {number} was not given out" for number in numbers if number > highest]
    for group in groups:
        wrong += [f"{name} of {group['cn'][0]} is nobody" for name in group.get("memberUid", []) if name not in names]
    wrong += [f"{entry.get('uid', entry.get('cn'))[0]} has a weak password" for entry in logins
              if len(entry["userPassword"][0]) < LEAST_HASH]  # fmt: skip
    if len(logins) != len(people) + 2:
        wrong.append(f"{len(logins)} of {len(people)} people and 2 services can log in")
    kept = f"{len(people)} people and {len(groups)} groups, 5 rules hold"
    return {"passed": not wrong, "detail": "; ".join(wrong) or kept}


if __name__ == "__main__":
    told = json.loads((RESTORED / "manifest.json").read_text())
    now = json.loads((RESTORED / "loaded.json").read_text())
    name = told["agency"]
    verdict = {"engine": engine(name), "manifest": compared(told, now), "invariants": invariants(entries(name))}
    print(json.dumps(verdict))  # noqa: T201
