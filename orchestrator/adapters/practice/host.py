"""One practice host: its own disk over what all hosts share, booted as a machine."""

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

from rich.text import Text

from orchestrator.adapters.practice import machine
from orchestrator.adapters.practice.commands import run
from orchestrator.adapters.practice.disk import Disk
from orchestrator.adapters.practice.files import write
from orchestrator.adapters.practice.keys import key_pair
from orchestrator.adapters.practice.processes import ProcessGroup
from orchestrator.adapters.practice.ssh import answers, said
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.practice import HostState

_BOOT_SECONDS = 60.0
_ANSWER_SECONDS = 15.0


@dataclass(frozen=True)
class Login:
    """Who logs in to every host of a site, with which private key."""

    user: str
    key: Path


@dataclass(frozen=True)
class Host:
    """A host whose files are in `home`."""

    name: str
    address: IPv4Interface
    gateway: str
    bridge: str
    site: str
    home: Path

    @property
    def processes(self) -> ProcessGroup:
        """Its running processes."""
        return ProcessGroup(self.site, self.name)

    @property
    def disk(self) -> Disk:
        """Its disk."""
        return Disk(self.home, self.name)

    def public_key(self) -> str:
        """Return its host key, which is generated before its first boot."""
        return key_pair(self.home / "host_key")

    def state(self, pinned: str | None) -> HostState:
        """Return its state as seen from outside."""
        if not self.processes.alive():
            return HostState.STOPPED
        known = pinned is not None and answers(str(self.address.ip), host_key=pinned)
        return HostState.RUNNING if known else HostState.STARTING

    def ask(self, login: Login, command: str) -> str:
        """Return the output of a command in the login's shell."""
        return said(str(self.address.ip), command, host_key=self.public_key(), user=login.user, key=login.key)

    def up(self, login: Login) -> bool:
        """Boot the host and return when `login` can log in and its units have started. Returns False if it was already
        up.

        A host in any other state is restarted. Its disk must have its lower folders.
        """
        if self._lets_in_within(_ANSWER_SECONDS, login):  # patient: a busy host is not broken
            return False
        self.stop()
        stranger = self.disk.lacks(machine.INTRODUCED)
        self.disk.mount(self._machine)
        self._configure(login)
        if stranger:  # once: from then on only the host changes it
            machine.introduce(self.disk.root)
        self._boot()
        if not self._lets_in_within(_BOOT_SECONDS, login):
            log = (self.home / "console.log").read_text(errors="replace")
            console = Text.from_ansi(log.strip()).plain.splitlines()
            raise OrchestratorError(
                Kind.FAILED, f"Practice host {self.name} does not come up", details=tuple(console[-10:])
            )
        self.ask(login, f"timeout {_BOOT_SECONDS:.0f} systemctl is-system-running --wait")
        return True

    def stop(self, *, in_good_order: bool = True) -> None:
        """Stop it and return when none of its processes or mounts is left. Its disk is consistent only after an orderly
        stop."""
        self.processes.stop(ask_first=in_good_order)
        # The kernel takes a while to remove an empty network namespace. Until then its link has the name that the next
        # boot needs.
        with suppress(OrchestratorError):  # usually there is none
            run("ip", "link", "delete", "dev", f"vb-{self._machine}")
        self.disk.unmount()
        # Left behind by a killed systemd-nspawn.
        shutil.rmtree(Path("/run/systemd/nspawn/propagate") / self._machine, ignore_errors=True)

    @property
    def _machine(self) -> str:
        return f"{self.site}-{self.name}"

    def _lets_in_within(self, seconds: float, login: Login) -> bool:
        """Return whether `login` can log in within this time. Stops waiting when none of its processes is left."""
        deadline = time.monotonic() + seconds
        while self.processes.alive() and time.monotonic() < deadline:
            if answers(str(self.address.ip), host_key=self.public_key(), user=login.user, key=login.key):
                return True
            time.sleep(0.1)
        return False

    def _configure(self, login: Login) -> None:
        etc = self.disk.root / "etc"
        write(etc / "hostname", f"{self.name}\n")
        write(etc / "hosts", f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n::1 localhost\n")
        write(etc / "systemd/network/10-host0.network", self._network())
        write(etc / "ssh/ssh_host_ed25519_key", (self.home / "host_key").read_text(), mode=0o600)
        write(etc / "ssh/ssh_host_ed25519_key.pub", self.public_key() + "\n")
        write(etc / f"ssh/authorized_keys.d/{login.user}", key_pair(login.key) + "\n")

    def _network(self) -> str:
        return f"[Match]\nName=host0\n\n[Network]\nAddress={self.address}\nGateway={self.gateway}\nIPv6AcceptRA=no\n"

    def _boot(self) -> None:
        self.processes.start(
            "env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",
            "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--link-journal=no",
            f"--directory={self.disk.root}", f"--machine={self._machine}", f"--hostname={self.name}",
            f"--network-bridge={self.bridge}", "--bind=/dev/net/tun", "--resolv-conf=off", "--timezone=off",
            log=self.home / "console.log",
        )  # fmt: skip
