"""One practice host: a tree of its own over the base tree, booted as a machine."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

from rich.text import Text

from orchestrator.adapters.practice import machine
from orchestrator.adapters.practice.commands import run
from orchestrator.adapters.practice.files import write
from orchestrator.adapters.practice.keys import key_pair
from orchestrator.adapters.practice.processes import ProcessGroup
from orchestrator.adapters.practice.ssh import answers
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.practice import HostState

_BOOT_SECONDS = 60.0
_ANSWER_SECONDS = 15.0


@dataclass(frozen=True)
class Login:
    """Who logs in to every host of a site, with which private key."""

    user: str
    key: Path


@dataclass(frozen=True)
class Host:
    """A host whose files are in `home`: `disk` is what it changed, `root` the whole while it runs."""

    name: str
    address: IPv4Interface
    gateway: str
    bridge: str
    site: str
    home: Path

    @property
    def processes(self) -> ProcessGroup:
        """What of it runs."""
        return ProcessGroup(self.site, self.name)

    def public_key(self) -> str:
        """Return its host key, which is made before its first boot."""
        return key_pair(self.home / "host_key")

    def state(self, pinned: str | None) -> HostState:
        """Look at it from outside."""
        if not self.processes.alive():
            return HostState.STOPPED
        known = pinned is not None and answers(str(self.address.ip), host_key=pinned)
        return HostState.RUNNING if known else HostState.STARTING

    def up(self, base: Path, login: Login) -> bool:
        """Return when it lets `login` in; False when it did so already. A host in any other state is started anew."""
        if self._lets_in_within(_ANSWER_SECONDS, login):  # patient: a busy host is not a broken one
            return False
        self.stop()
        self._mount(base)
        self._configure(login)
        self._boot()
        if not self._lets_in_within(_BOOT_SECONDS, login):
            said = (self.home / "console.log").read_text(errors="replace")
            console = Text.from_ansi(said.strip()).plain.splitlines()
            raise OrchestratorError(
                Kind.FAILED, f"Practice host {self.name} does not come up", details=tuple(console[-10:])
            )
        return True

    def stop(self) -> None:
        """Return when nothing of it runs or is mounted. Its disk stays."""
        self.processes.stop()
        for target in sorted(_mounts_below(self.home), reverse=True):
            run("umount", str(target))
        # Left by a systemd-nspawn that was killed.
        shutil.rmtree(Path("/run/systemd/nspawn/propagate") / self._machine, ignore_errors=True)

    @property
    def _machine(self) -> str:
        return f"{self.site}-{self.name}"

    def _lets_in_within(self, seconds: float, login: Login) -> bool:
        """Wait that long, or until none of its processes is left."""
        deadline = time.monotonic() + seconds
        while self.processes.alive() and time.monotonic() < deadline:
            if answers(str(self.address.ip), host_key=self.public_key(), user=login.user, key=login.key):
                return True
            time.sleep(0.1)
        return False

    def _mount(self, base: Path) -> None:
        # A disk only makes sense over the tree it was begun on.
        begun_on = self.home / "base"
        if not begun_on.exists():
            write(begun_on, str(base))
        tree = begun_on.read_text()
        if not Path(tree).is_dir():
            raise OrchestratorError(
                Kind.CONFLICT,
                f"The disk of practice host {self.name} was begun on {tree}, which is gone",
                hint="orchestrator practice down --erase gives the site new disks.",
            )
        disk, work, root = (self.home / part for part in ("disk", "work", "root"))
        for folder in (disk, work, root):
            folder.mkdir(parents=True, exist_ok=True)
        run("mount", "-t", "overlay", "-o", f"lowerdir={tree},upperdir={disk},workdir={work}", self._machine, str(root))

    def _configure(self, login: Login) -> None:
        root = self.home / "root"
        etc = root / "etc"
        write(etc / "hostname", f"{self.name}\n")
        write(etc / "hosts", f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n::1 localhost\n")
        write(etc / "resolv.conf", machine.resolver())
        write(etc / "systemd/network/10-host0.network", self._network())
        write(etc / "ssh/ssh_host_ed25519_key", (self.home / "host_key").read_text(), mode=0o600)
        write(etc / "ssh/ssh_host_ed25519_key.pub", self.public_key() + "\n")
        write(etc / f"ssh/authorized_keys.d/{login.user}", key_pair(login.key) + "\n")
        write(etc / "apt/apt.conf.d/90machine", machine.apt_options())
        trusted = machine.certificates()
        if trusted:
            write(etc / "ssl/certs/ca-certificates.crt", trusted)

    def _network(self) -> str:
        return f"[Match]\nName=host0\n\n[Network]\nAddress={self.address}\nGateway={self.gateway}\nIPv6AcceptRA=no\n"

    def _boot(self) -> None:
        self.processes.start(
            "env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",
            "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--link-journal=no",
            f"--directory={self.home / 'root'}", f"--machine={self._machine}", f"--hostname={self.name}",
            f"--network-bridge={self.bridge}", "--bind=/dev/net/tun", "--resolv-conf=off", "--timezone=off",
            log=self.home / "console.log",
        )  # fmt: skip


def _mounts_below(folder: Path) -> Iterator[Path]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        # The kernel writes a blank in a path as \040, and so on.
        target = Path(line.split()[4].encode().decode("unicode_escape"))
        if target.is_relative_to(folder):
            yield target
