"""Commands on a machine with nothing but a release's base system: `python -m tests.fresh SUITE [COMMAND]...`.

A bare tree of the release is booted with systemd-nspawn, the last commit of this working tree is cloned into it, and
the commands run there in turn: the README's two if none are given. What the machine is told is what practice hosts are
told (name servers, apt's settings, authorities), and pip's settings. Practice hosts that it boots run inside it.
"""

import argparse
import fcntl
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Interface
from pathlib import Path

from orchestrator.adapters.practice import machine
from orchestrator.adapters.practice.base import bootstrap
from orchestrator.adapters.practice.bridge import Bridge
from orchestrator.adapters.practice.commands import require_machine, run
from orchestrator.adapters.practice.inventory import SUITES
from orchestrator.adapters.practice.processes import ProcessGroup
from orchestrator.domain.errors import Kind, OrchestratorError
from tests.conftest import ROOT

HOME = Path("/var/tmp/shared-service-fresh")
COMMANDS = ("make demo", "make test")
PACKAGES = ("apt", "ca-certificates", "dbus", "make", "systemd-sysv")
BRIDGE, GATEWAY, ADDRESS = "orch-fresh", IPv4Interface("10.69.0.1/24"), "10.69.0.2/24"
FETCHING = ("index-url", "extra-index-url", "trusted-host", "proxy", "default-timeout", "retries")
NETWORK = f"[Match]\nName=host0\n\n[Network]\nAddress={ADDRESS}\nGateway={GATEWAY.ip}\n"
UNIT = """
[Service]
ExecStart=/root/run
Environment=HOME=/root
[Install]
WantedBy=multi-user.target
"""
PROGRAM = """#!/bin/sh
cd /root/project
{ COMMANDS; } > /root/log 2>&1
echo $? > /root/outcome.new
mv /root/outcome.new /root/outcome
"""


def make(tree: Path, suite: str, commands: Sequence[str]) -> None:
    """Make the machine's tree, with what it is to do when it boots."""
    if suite in SUITES:
        bootstrap(tree, suite=suite, packages=PACKAGES, sources=machine.apt_sources(suite))
    else:
        bootstrap(tree, "--components=main,universe", suite=suite, packages=PACKAGES, sources="")
    machine.introduce(tree)
    run("git", "clone", "--quiet", "--no-local", str(ROOT), str(tree / "root/project"))
    (tree / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 fresh\n::1 localhost\n")
    (tree / "etc/pip.conf").write_text(pip_settings())
    (tree / "etc/systemd/network/10-host0.network").write_text(NETWORK)
    (tree / "etc/systemd/system/fresh.service").write_text(UNIT)
    (tree / "root/run").write_text(PROGRAM.replace("COMMANDS", " && ".join(commands)))
    (tree / "root/run").chmod(0o755)
    (tree / "root/log").touch()
    run("chroot", str(tree), "systemctl", "--quiet", "enable", "systemd-networkd", "fresh")


def pip_settings() -> str:
    """Return this machine's settings of pip about fetching, as a pip.conf. Folders of its own it keeps to itself."""
    told = run(sys.executable, "-m", "pip", "config", "list").splitlines()
    settings = {name.rpartition(".")[2]: value.strip("'") for name, _, value in (line.partition("=") for line in told)}
    kept = {name: settings[name] for name in FETCHING if name in settings and "file:" not in settings[name]}
    if machine.certificates():
        kept["cert"] = "/etc/ssl/certs/ca-certificates.crt"
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in kept.items())


@contextmanager
def booted(tree: Path, group: ProcessGroup) -> Iterator[None]:
    """Boot the machine. Nothing of it runs when this ends."""
    bridge = Bridge(name=BRIDGE, interface=GATEWAY, home=HOME)
    machine.make_room()
    bridge.up()
    try:
        group.start(
            "env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",
            "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--link-journal=no",
            f"--directory={tree}", f"--machine=fresh-{tree.name}", "--hostname=fresh", f"--network-bridge={BRIDGE}",
            "--bind=/dev/net/tun", "--resolv-conf=off", "--timezone=off",
            log=HOME / "console",
        )  # fmt: skip
        yield
    finally:
        group.stop(ask_first=False)
        bridge.down()


def follow(log: Path, outcome: Path, group: ProcessGroup) -> None:
    """Print what is written into the log until there is an outcome, or no machine any more."""
    with log.open(errors="replace") as lines:
        running = True
        while running:
            running = group.alive() and not outcome.exists()
            sys.stdout.write(lines.read())
            sys.stdout.flush()
            time.sleep(0.2)


def carry_out(suite: str, commands: Sequence[str]) -> int:
    """Return the exit code of the last command that ran. Nothing of the machine is left."""
    tree, group = HOME / suite, ProcessGroup("fresh", suite)
    outcome = tree / "root/outcome"
    remove = ("rm", "--recursive", "--force", "--one-file-system", "--", str(tree))
    group.stop(ask_first=False)  # left by a command that was killed
    run(*remove)
    try:
        make(tree, suite, commands)
        with booted(tree, group):
            follow(tree / "root/log", outcome, group)
        if not outcome.exists():
            raise OrchestratorError(Kind.FAILED, f"The fresh machine went down before its time; see {HOME / 'console'}")
        return int(outcome.read_text())
    finally:
        run(*remove)


def main() -> int:
    """Do what the command line asks for, when no other does so on this machine."""
    parser = argparse.ArgumentParser(prog="python -m tests.fresh", description=__doc__)
    parser.add_argument("suite", help="trixie, bookworm, noble or whatever else mmdebstrap knows")
    parser.add_argument("command", nargs="*", default=COMMANDS)
    asked = parser.parse_args()
    require_machine()
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return carry_out(asked.suite, asked.command)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OrchestratorError as error:
        sys.exit("\n".join((error.message, *error.details)))
