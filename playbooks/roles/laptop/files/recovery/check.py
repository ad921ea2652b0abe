#!/usr/bin/python3
"""Runs inside the bubble and prints what the restored register says of itself: {engine, manifest, invariants}."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.append("/usr/local/lib/recovery")
import file_tree  # the recovery host's
from cryptography import x509

RESTORED = Path("/recovery/restored")
FILES = RESTORED / "files"


def engine(folder: Path, store: Path) -> dict[str, Any]:
    """Have OpenSSL check certificates and revocations against the authority, and read every report."""
    authority = ["-CAfile", str(folder / "authority.pem")]
    checks = [
        [
            "openssl",
            "verify",
            *authority,
            "-crl_check",
            "-CRLfile",
            str(folder / "revocations.pem"),
            str(folder / "server.pem"),
        ],
        ["openssl", "crl", "-noout", "-verify", *authority, "-in", str(folder / "revocations.pem")],
    ]
    for command in checks:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or "verify failure" in done.stderr:
            return {"passed": False, "detail": f"openssl: {(done.stderr or done.stdout).strip()}"}
    count = 0
    for file in sorted(store.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            try:
                count += bool(json.loads(line)["at"])
            except (ValueError, KeyError):
                return {"passed": False, "detail": f"{file.name} has a line that is no report"}
    return {"passed": True, "detail": f"certificates and revocations are the authority's; {count} reports can be read"}


def compared(manifest: dict[str, Any]) -> dict[str, Any]:
    """Read every restored file, and compare with what the backup says it holds."""
    found, wanted = file_tree.facts(FILES), manifest["files"]
    complaint = f"the files are {found}, and were {wanted}"
    return {"passed": found == wanted, "detail": complaint if found != wanted else f"{found['count']} files equal"}


def invariants(folder: Path) -> dict[str, Any]:
    """See what is true of every register in order."""
    issued = json.loads((folder / "register.json").read_text())["certificates"]
    answers = json.loads((folder / "answers.json").read_text())
    revoked = x509.load_pem_x509_crl((folder / "revocations.pem").read_bytes())
    known = {serial: name for name, one in answers.items() for serial in one["serials"]}
    wrong = [f"serial {serial} was issued {times} times"
             for serial, times in Counter(one["serial"] for one in issued).items() if times > 1]  # fmt: skip
    for one in issued:
        listed = revoked.get_revoked_certificate_by_serial_number(int(one["serial"], 16)) is not None
        if one["revoked"] and (one["serial"] in known or not listed):
            wrong.append(f"a revoked certificate of {one['device']} is let in")
        if not one["revoked"] and (known.get(one["serial"]) != one["device"] or listed):
            wrong.append(f"{one['device']} is not let in")
    addresses = Counter(one["answer"]["address"] for one in answers.values() if one["answer"]["address"])
    wrong += [f"{times} laptops have the address {address}" for address, times in addresses.items() if times > 1]
    count = sum(not one["revoked"] for one in issued)
    return {"passed": not wrong, "detail": "; ".join(wrong) or f"{count} certificates in use, 4 rules hold"}


if __name__ == "__main__":
    told = json.loads((RESTORED / "manifest.json").read_text())
    place, reports = (FILES / top / "agency-devices" / told["agency"] for top in ("etc", "var/lib/private"))
    print(json.dumps({"engine": engine(place, reports), "manifest": compared(told), "invariants": invariants(place)}))  # noqa: T201
