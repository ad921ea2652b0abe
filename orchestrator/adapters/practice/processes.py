"""A host's processes: they are found and stopped by control group, so that no other process is ever affected."""

import errno
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tenacity import retry, retry_if_exception, retry_if_exception_type, stop_after_delay, wait_fixed

from orchestrator.adapters.practice.commands import run
from orchestrator.domain.errors import Kind, OrchestratorError

_PARENT = "shared-service-practice"
_POWER_OFF = signal.SIGRTMIN + 4  # systemd's signal for "power off"
_STOP_SECONDS = 20.0
_KILL_SECONDS = 10.0
_REBOOT = 133  # exit status of systemd-nspawn when the host asks for a reboot

# Every boot has its own group: systemd-nspawn divides the one it is in, and a divided group accepts no process.
_BOOT = 'echo $$ > "$(mktemp --directory "$0/boot.XXXXXX")/cgroup.procs" && exec "$@"'
_KEEP_BOOTING = f"""while sh -c '{_BOOT}' "$@"; [ $? = {_REBOOT} ]; do :; done"""
# It joins the group before it detaches: the host has a process as soon as this returns.
_DETACH = """
echo $$ > "$0/cgroup.procs" || exit
log="$1"; shift
exec setsid --fork sh -c "$@" < /dev/null > "$log" 2>&1
"""


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of one host of a site, no matter which command started them. `site` is unique on the machine."""

    site: str
    host: str

    def start(self, *argv: str, log: Path) -> None:
        """Start a systemd-nspawn that outlives this command, and restart it whenever the host reboots."""
        group = _tracking() / self._path
        keeper = group / "keeper"
        make_group(keeper)
        _offer_controllers(group)
        run("sh", "-c", _DETACH, str(keeper), str(log), _KEEP_BOOTING, "sh", str(group), *argv)

    def alive(self) -> bool:
        """Return whether the host has any process."""
        return next(_members(_tracking() / self._path), None) is not None

    def stop(self, *, ask_first: bool = True) -> None:
        """Stop all processes of the host. `ask_first` asks its systemd to power off before killing."""
        group = _tracking() / self._path
        asked = [_power_off(scope) for scope in group.glob("boot.*/payload/init.scope") if ask_first]
        if not (any(asked) and self._gone_within(_STOP_SECONDS)) and self.alive():
            (group / "cgroup.kill").write_text("1")
            if not self._gone_within(_KILL_SECONDS):
                raise OrchestratorError(Kind.FAILED, f"Processes of practice host {self.host} cannot be killed")
        for hierarchy in _hierarchies():
            remove_group(hierarchy / self._path)

    @property
    def _path(self) -> str:
        return f"{_PARENT}/{self.site}/{self.host}"

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def hosts_with_processes(site: str) -> frozenset[str]:
    """Return the names of all hosts with a control group, in the inventory or not."""
    groups = [hierarchy / _PARENT / site for hierarchy in _hierarchies()]
    return frozenset(path.name for group in groups if group.is_dir() for path in group.iterdir() if path.is_dir())


def _hierarchies() -> list[Path]:
    """Return the mount points of the control groups by which systemd tracks processes, the unified hierarchy first."""
    unified, named = [], []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, source = line.partition(" - ")
        kind, _, options = source.split(" ", 2)
        if kind == "cgroup2":
            unified.append(Path(mount.split()[4]))
        elif kind == "cgroup" and "name=systemd" in options.split(","):
            named.append(Path(mount.split()[4]))
    return unified + named


def _tracking() -> Path:
    for hierarchy in _hierarchies():
        if (hierarchy / "cgroup.controllers").exists():
            return hierarchy
    raise OrchestratorError(
        Kind.UNAVAILABLE,
        "This machine has no unified control group hierarchy, which keeps practice hosts apart",
        hint="mount -t cgroup2 none /sys/fs/cgroup/unified",
    )


def _offer_controllers(group: Path) -> None:
    """Give the host the controllers that this machine offers. A hybrid hierarchy offers none, which is fine."""
    for level in (group.parent.parent.parent, group.parent.parent, group.parent, group):
        for controller in {"cpu", "memory", "pids"} & set((level / "cgroup.controllers").read_text().split()):
            (level / "cgroup.subtree_control").write_text(f"+{controller}")


def _members(group: Path) -> Iterator[int]:
    for folder, _, _ in os.walk(group):
        with suppress(OSError):  # a group may disappear meanwhile
            yield from map(int, Path(folder, "cgroup.procs").read_text().split())


def _power_off(scope: Path) -> bool:
    """Ask the systemd in this control group to power off, if there is one."""
    for pid in _members(scope):
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            try:
                # Checked again with the handle open: the id can no longer be reused.
                if pid in _members(scope):
                    signal.pidfd_send_signal(handle, _POWER_OFF)
                    return True
            finally:
                os.close(handle)
    return False


@retry(
    # Whoever stops the last other host removes what they share, perhaps between two of our steps.
    retry=retry_if_exception_type(FileNotFoundError),
    stop=stop_after_delay(_KILL_SECONDS),
    reraise=True,
)
def make_group(group: Path) -> None:
    group.mkdir(parents=True, exist_ok=True)


def remove_group(group: Path) -> None:
    for folder, _, _ in os.walk(group, topdown=False):
        _remove_folder(Path(folder))
    for parent in (group.parent, group.parent.parent):
        with suppress(OSError):  # missing, or shared with another host or site
            parent.rmdir()


@retry(
    # The last process is no longer listed, but has not left the group yet.
    retry=retry_if_exception(lambda error: isinstance(error, OSError) and error.errno == errno.EBUSY),
    stop=stop_after_delay(_KILL_SECONDS),
    wait=wait_fixed(0.05),
    reraise=True,
)
def _remove_folder(folder: Path) -> None:
    with suppress(FileNotFoundError):  # systemd-nspawn removes it too
        folder.rmdir()
