#!/usr/bin/python3
"""The agent of an agency's laptop: makes its keys, enrols it, and reports whether it keeps to the agency's policy.

Usage, as root, on the laptop:
    laptop-agent prepare NAME NUMBER               makes the keys; prints what the agency's call-off has to list
    laptop-agent enrol NAME HOST:PORT AUTHORITY    fetches certificate, profile and policy, and starts to use them
    laptop-agent check                             says whether the laptop keeps to the policy
    laptop-agent report                            the same, to the agency's register; a timer does it every hour
Options: --folder FOLDER, in place of /etc/laptop; --system FOLDER, the root of the system that is looked at;
--files-only, with enrol: write files, and start nothing. Private keys never leave the laptop.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Facts = dict[str, Any]
SECONDS = 30
DAY = 86_400
PROGRAM = Path("/usr/local/sbin/laptop-agent")
LINK = Path("/etc/wireguard/laptop.conf")
UNITS = {
    "laptop-agent.service": f"""[Unit]
Description=Report whether this laptop keeps to its agency's policy
After=network-online.target
Wants=network-online.target
[Service]
Type=oneshot
ExecStart={PROGRAM} report
""",
    "laptop-agent.timer": """[Unit]
Description=Report every hour whether this laptop keeps to its agency's policy
[Timer]
OnBootSec=2min
OnCalendar=hourly
RandomizedDelaySec=10min
Persistent=true
[Install]
WantedBy=timers.target
""",
}
STAMPS = ("unattended-upgrades-stamp", "upgrade-stamp")
"""Files below /var/lib/apt/periodic that apt touches when it has installed what there was."""
GIVEN = {
    "address": r"\d{1,3}(\.\d{1,3}){3}",
    "dns": r"\d{1,3}(\.\d{1,3}){3}",
    "domain": r"[a-z0-9.-]{1,200}",
    "endpoint": r"[A-Za-z0-9.-]{1,200}:\d{1,5}",
    "public_key": r"[A-Za-z0-9+/]{43}=",
}
"""What goes into the profile, which wg-quick reads as root: no more than these can be."""
LENGTHS = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hr": 3600}


class AgentError(Exception):
    """The laptop cannot enrol or report; the message says why."""


def run(*command: str, data: bytes = b"") -> bytes:
    """Run a program that must succeed, and return what it printed."""
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    if done.returncode != 0:
        raise AgentError(f"{command[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


# What the laptop is like


def is_encrypted(block: Path) -> bool:
    """Tell whether everything that is written to a block device, a folder of /sys/class/block, is encrypted below."""
    kind = block / "dm" / "uuid"
    if kind.exists() and kind.read_text().startswith("CRYPT-"):
        return True
    below = list((block / "slaves").iterdir()) if (block / "slaves").is_dir() else []
    return bool(below) and all(map(is_encrypted, below))


def written_to(system: Path) -> Iterator[tuple[str, str]]:
    """Yield (place, source) of each filesystem on a disk that is written to, and of swap. What boots is left out."""
    for line in (system / "proc/self/mountinfo").read_text().splitlines():
        fields, _, kind = line.partition(" - ")
        place, options = fields.split()[4:6]
        source = kind.split()[1]
        if place == "/" or (
            source.startswith("/dev/") and "rw" in options.split(",") and not place.startswith("/boot")
        ):
            yield place, source
    for line in (system / "proc/swaps").read_text().splitlines()[1:]:
        if not line.startswith("/dev/zram") and line.split()[1] == "partition":
            yield "swap", line.split()[0]


def has_encrypted_disks(system: Path) -> bool:
    """Tell whether everything on the laptop's disks is encrypted."""
    names = [(system / source.lstrip("/")).resolve().name for _, source in written_to(system)]
    return bool(names) and all(is_encrypted(system / "sys/class/block" / name) for name in names)


def updated_ago(system: Path) -> int | None:
    """Return how many seconds ago the laptop had all updates; None if it never had."""
    stamps = [system / "var/lib/apt/periodic" / name for name in STAMPS]
    known = [stamp.stat().st_mtime for stamp in stamps if stamp.exists()]
    return max(0, int(time.time() - max(known))) if known else None


def lock_minutes(system: Path) -> int | None:
    """Return after how many minutes logind locks an unattended screen; None if it does not."""
    places = [system / place / "systemd" for place in ("etc", "run", "usr/local/lib", "usr/lib")]
    parts = {part.name: part for place in reversed(places) for part in place.glob("logind.conf.d/*.conf")}
    main = next((place / "logind.conf" for place in places if (place / "logind.conf").exists()), None)
    told = {"IdleAction": "ignore", "IdleActionSec": "30min"}
    for file in [*([main] if main else []), *(parts[name] for name in sorted(parts))]:
        told.update(re.findall(r"(?m)^\s*(IdleAction|IdleActionSec)\s*=\s*(.*?)\s*$", file.read_text()))
    lengths = re.findall(r"(\d+)\s*([a-z]*)", told["IdleActionSec"])
    if told["IdleAction"] != "lock" or not lengths or any(unit not in LENGTHS for _, unit in lengths):
        return None
    return -(-sum(int(number) * LENGTHS[unit] for number, unit in lengths) // 60)


def facts_of(system: Path) -> Facts:
    """Return what a report says."""
    release = re.search(r'(?m)^PRETTY_NAME="?([^"\n]*)', (system / "etc/os-release").read_text())
    return {
        "encrypted": has_encrypted_disks(system),
        "updated_ago": updated_ago(system),
        "lock_minutes": lock_minutes(system),
        "system": release[1][:100] if release else "unknown",
    }


def shortcomings(policy: Facts, facts: Facts, age: float = 0) -> list[str]:
    """Return in words where a laptop does not keep to a policy, by what it said `age` seconds ago."""
    wrong = []
    if policy["disk_encryption"] and not facts["encrypted"]:
        wrong.append("its disks are not encrypted")
    if facts["updated_ago"] is None:
        wrong.append("it never had updates")
    elif (days := (facts["updated_ago"] + age) / DAY) > policy["update_days"]:
        wrong.append(f"nothing is known of updates for {int(days)} days")
    if facts["lock_minutes"] is None:
        wrong.append("its screen does not lock")
    elif facts["lock_minutes"] > policy["lock_minutes"]:
        wrong.append(f"its screen locks after {facts['lock_minutes']} minutes")
    return wrong


# What the laptop has been given


class Laptop:
    """A folder with the laptop's keys, and with what its agency's register has given it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.tls_key, self._wireguard_key = folder / "tls.key", folder / "wireguard.key"
        self._place, self._authority = folder / "register.json", folder / "authority.pem"
        self._certificate, self.profile, self._policy = (
            folder / name for name in ("certificate.pem", "laptop.conf", "policy.json")
        )

    def prepare(self, name: str, number: int) -> str:
        """Make the keys, if there are none yet, and return what the call-off has to list."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._wireguard_key.exists():
            self._write(self._wireguard_key, run("wg", "genkey").decode())
        if not self.tls_key.exists():
            group = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
            self._write(self.tls_key, run("openssl", "genpkey", *group).decode())
        public = run("openssl", "pkey", "-in", str(self.tls_key), "-pubout", "-outform", "DER")
        wireguard = run("wg", "pubkey", data=self._wireguard_key.read_bytes()).decode().strip()
        keys = {"wireguard_key": wireguard, "tls_key": base64.b64encode(public).decode()}
        known = {"name": name, "number": number, **keys}
        return "- " + "\n  ".join(f"{key}: {value}" for key, value in known.items())

    def enrol(self, name: str, place: str, authority: str) -> None:
        """Fetch what the register has for this laptop, by a signature that only its key can make."""
        self._write(self._authority, authority)
        self._write(self._place, json.dumps({"name": name, "place": place}) + "\n")
        self._keep(self._enrolled(name))

    def report(self, facts: Facts) -> Facts:
        """Say what the laptop is like, and keep what the register answers. Returns the policy."""
        name, dialled = json.loads(self._place.read_text())["name"], self.profile.read_text()
        try:
            answer = self._ask("/report", facts, with_certificate=True)
        except AgentError:  # such as a certificate that has ended
            self._keep(self._enrolled(name))
            answer = self._ask("/report", facts, with_certificate=True)
        self._keep(answer)
        if dialled != self.profile.read_text() and LINK.resolve() == self.profile.resolve():
            run("systemctl", "try-restart", "wg-quick@laptop.service")
        return self.policy

    @property
    def policy(self) -> Facts:
        """What the agency wants of its laptops."""
        told: Facts = json.loads(self._policy.read_text())
        return told

    def _enrolled(self, name: str) -> Facts:
        at = int(time.time())
        signature = run("openssl", "dgst", "-sha256", "-sign", str(self.tls_key), data=f"enrol {name} {at}\n".encode())
        signed = {"device": name, "at": at, "signature": base64.b64encode(signature).decode()}
        return self._ask("/enrol", signed, with_certificate=False)

    def _ask(self, path: str, document: Facts, *, with_certificate: bool) -> Facts:
        context = ssl.create_default_context(cafile=str(self._authority))
        host, _, port = json.loads(self._place.read_text())["place"].rpartition(":")
        connection = http.client.HTTPSConnection(host, int(port), timeout=SECONDS, context=context)
        try:
            if with_certificate:
                context.load_cert_chain(self._certificate, self.tls_key)
            connection.request("POST", path, json.dumps(document), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read(1_000_000)
        except (OSError, http.client.HTTPException) as error:
            raise AgentError(f"the register at {host}:{port} does not answer: {error}") from error
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise AgentError(f"the register at {host}:{port} answers {answer.status} to {path}")
        told: Facts = json.loads(text)
        return told

    def _keep(self, answer: Facts) -> None:
        """Write what is new in an answer."""
        if wrong := [name for name, form in GIVEN.items() if not re.fullmatch(form, answer[name])]:
            raise AgentError(f"the register gives no valid {', '.join(wrong)}")
        self._write(self._certificate, answer["certificate"])
        self._write(self._policy, json.dumps(answer["policy"], indent=1) + "\n")
        names = f"DNS = {answer['dns']}, {answer['domain']}\n" if shutil.which("resolvconf") else ""
        self._write(
            self.profile,
            f"[Interface]\nAddress = {answer['address']}/32\n{names}"
            f"PostUp = wg set %i private-key {self._wireguard_key}\n\n"
            f"[Peer]\nPublicKey = {answer['public_key']}\nEndpoint = {answer['endpoint']}\n"
            "AllowedIPs = 0.0.0.0/0\nPersistentKeepalive = 25\n",
        )

    def _write(self, file: Path, text: str) -> None:
        if not file.exists() or file.read_text() != text:
            new = file.with_suffix(".new")
            new.touch(mode=0o600)
            new.write_text(text)
            new.replace(file)


def start(laptop: Laptop) -> None:
    """Dial in from now on, whenever the laptop runs, and report every hour."""
    if Path(__file__).resolve() != PROGRAM:
        shutil.copyfile(__file__, PROGRAM)
        PROGRAM.chmod(0o755)
    for name, text in UNITS.items():
        Path("/etc/systemd/system", name).write_text(text)
    LINK.parent.mkdir(mode=0o700, exist_ok=True)
    LINK.unlink(missing_ok=True)
    LINK.symlink_to(laptop.profile)
    run("systemctl", "daemon-reload")
    run("systemctl", "enable", "--now", "wg-quick@laptop.service", "laptop-agent.timer")


def say(wrong: list[str]) -> int:
    """Print a judgement, and return the exit code of the program."""
    found = f"this laptop does not comply: {'; '.join(wrong)}" if wrong else "this laptop keeps to the policy"
    print(found)  # noqa: T201
    return 1 if wrong else 0


def main(words: list[str]) -> int:
    """Carry out one command."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("command", choices=["prepare", "enrol", "check", "report"])
    options.add_argument("more", nargs="*")
    options.add_argument("--folder", type=Path, default=Path("/etc/laptop"))
    options.add_argument("--system", type=Path, default=Path("/"))
    options.add_argument("--files-only", action="store_true")
    given = options.parse_args(words)
    laptop = Laptop(given.folder)
    match given.command, given.more:
        case "prepare", [name, number]:
            print(laptop.prepare(name, int(number)))  # noqa: T201
        case "enrol", [name, place, authority]:
            laptop.enrol(name, place, Path(authority).read_text())
            if not given.files_only:
                start(laptop)
        case "check", []:
            return say(shortcomings(laptop.policy, facts_of(given.system)))
        case "report", []:
            facts = facts_of(given.system)
            say(shortcomings(laptop.report(facts), facts))
        case _:
            options.error("see above for what goes with each command")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (AgentError, OSError) as problem:
        sys.exit(f"laptop-agent: {problem}")
