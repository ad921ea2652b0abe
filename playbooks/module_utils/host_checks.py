"""Checks of a host against a baseline, for a module of Ansible and for the program that hosts run by themselves.

A baseline has parts, each of which says what should be found:

    ssh      `settings` of sshd, and patterns of algorithms that it `lacks`, by setting
    kernel   settings of the running kernel
    bans     of fail2ban's jail for ssh: `maxretry`, `bantime` in seconds, and `ignoreip`, networks that it never bans
    updates  settings of apt
    texts    SHA-256 of files
    owners   mode, user and group of files
    audited  the `key` of rules by which the kernel records, and how many `rules` have it
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_network
from pathlib import Path
from typing import Any

FIREWALL, TABLE = Path("/etc/host-firewall/main.nft"), "host_firewall"
DROPPED = "hook input priority filter; policy drop;"
SETTINGS = Path("/proc/sys")
PASSWD, SHADOW = Path("/etc/passwd"), Path("/etc/shadow")


@dataclass(frozen=True)
class Check:
    """Something that was looked at, and what was found if it is not as it should be."""

    name: str
    passed: bool
    found: str = ""


def checked(baseline: Mapping[str, Any]) -> list[Check]:
    """Check the host, side by side, in the order of the baseline. Besides, its firewall and its accounts."""
    parts = [(PARTS[name], wanted) for name, wanted in baseline.items()]
    with ThreadPoolExecutor(max_workers=len(parts) + 2) as pool:
        found = [pool.submit(lambda part, wanted: list(part(wanted)), part, wanted) for part, wanted in parts]
        found += [pool.submit(lambda: list(firewall())), pool.submit(lambda: list(accounts()))]
        return [check for part in found for check in part.result()]


def said(*command: str) -> str:
    """Return what a command says, nothing if it fails."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    environment = {"PATH": path, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def compared(name: str, wanted: object, found: str | None) -> Check:
    """Return the check of one value."""
    return Check(name, found == str(wanted), "" if found == str(wanted) else f"{found or 'nothing'}, not {wanted}")


def contents(file: Path) -> str | None:
    """Return the text of a file, None if there is none."""
    try:
        return file.read_text(errors="replace")
    except OSError:
        return None


def ssh(wanted: Mapping[str, Mapping[str, Any]]) -> Iterator[Check]:
    """Compare settings of sshd, and look for algorithms that are too weak."""
    found = {name: value for name, _, value in (line.partition(" ") for line in said("sshd", "-T").splitlines())}
    for name, value in wanted["settings"].items():
        yield compared(f"ssh {name}", value, found.get(name))
    for name, patterns in wanted["lacks"].items():
        listed = found.get(name, "").split(",")
        weak = [one for one in listed if any(fnmatchcase(one, pattern) for pattern in patterns)]
        yield Check(f"ssh {name}", listed != [""] and not weak, ", ".join(weak))


def kernel(wanted: Mapping[str, Any]) -> Iterator[Check]:
    """Compare settings of the running kernel. A name with `*` is those of every interface."""
    for name, value in wanted.items():
        files = sorted(SETTINGS.glob(name.replace(".", "/")))
        wrong = [".".join(file.relative_to(SETTINGS).parts) for file in files if contents(file) != f"{value}\n"]
        found = f"not {value}: {', '.join(wrong)}" if wrong else "" if files else "missing"
        yield Check(f"kernel {name}", found == "", found)


def bans(wanted: Mapping[str, Any]) -> Iterator[Check]:
    """Ask fail2ban what its jail for ssh does."""
    asked = {name: said("fail2ban-client", "get", "sshd", name) for name in wanted}
    for name in ("bantime", "maxretry"):
        yield compared(f"bans {name}", wanted[name], asked[name].strip())
    listed = {ip_network(word) for word in re.findall(r"- (\S+)$", asked["ignoreip"], re.MULTILINE)}
    banned = [one for one in wanted["ignoreip"] if ip_network(one) not in listed]
    yield Check("bans ignoreip", not banned, f"{', '.join(banned)} could be banned" if banned else "")


def updates(wanted: Mapping[str, Any]) -> Iterator[Check]:
    """Compare settings of apt."""
    for name, value in wanted.items():
        found = re.findall(r'"(.*)"', said("apt-config", "dump", name))
        yield compared(f"updates {name}", value, found[0] if found else None)


def texts(wanted: Mapping[str, str]) -> Iterator[Check]:
    """Compare files with what was written into them."""
    for file, digest in wanted.items():
        found = contents(Path(file))
        same = found is not None and hashlib.sha256(found.encode()).hexdigest() == digest
        yield Check(f"file {file}", same, "" if same else "missing" if found is None else "another text")


def owners(wanted: Mapping[str, str]) -> Iterator[Check]:
    """Compare who may read and write files."""
    for file, value in wanted.items():
        yield compared(f"owner {file}", value, said("stat", "--format=0%a %U %G", file).strip())


def audited(wanted: Mapping[str, Any]) -> Iterator[Check]:
    """Count the rules by which the kernel records."""
    found = re.findall(rf"(?:-k |key=){re.escape(wanted['key'])}$", said("auditctl", "-l"), re.MULTILINE)
    yield compared("audit rules", wanted["rules"], str(len(found)))


def firewall() -> Iterator[Check]:
    """Compare the rules in force with their files, both as the kernel lists them."""
    load = f"nft --file {FIREWALL} && nft --stateless list table inet {TABLE}"
    declared = said("unshare", "--net", "sh", "-c", load)
    found = said("nft", "--stateless", "list", "table", "inet", TABLE)
    yield Check("firewall rules", found != "" and found == declared, "other rules than declared are in force")
    yield Check("firewall default", DROPPED in found, "what nobody declared is let in")


def accounts() -> Iterator[Check]:
    """Look for other accounts than root that may do everything, and for accounts without a password."""
    people = [line.split(":") for line in (contents(PASSWD) or "").splitlines()]
    roots = [one[0] for one in people if one[2] == "0" and one[0] != "root"]
    yield Check("accounts root", people != [] and not roots, ", ".join(roots))
    secrets = [line.split(":") for line in (contents(SHADOW) or "").splitlines()]
    open_to_all = [one[0] for one in secrets if one[1] == ""]
    yield Check("accounts passwords", secrets != [] and not open_to_all, ", ".join(open_to_all))


def listening() -> set[int]:
    """Return the ports of TCP on which something listens that others could reach."""
    lines = (line.split()[3] for line in said("ss", "-Htln").splitlines())
    return {int(local.rpartition(":")[2]) for local in lines if not local.startswith(("127.", "[::1]"))}


def admitted() -> set[int]:
    """Return the ports of TCP that the firewall's files admit somebody to."""
    files = [FIREWALL, *FIREWALL.parent.glob("*.rules")]
    return {int(port) for file in files for port in re.findall(r"tcp dport (\d+) accept", contents(file) or "")}


PARTS: Mapping[str, Callable[[Any], Iterator[Check]]] = {
    part.__name__: part for part in (ssh, kernel, bans, updates, texts, owners, audited)
}
