"""What a drill owns on the recovery host: a folder that has its lease in it from the first byte, and one operation."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

DRILLS = Path("/var/lib/recovery/drills")
LOCKS = Path("/run/recovery")
# struct flock of Linux on 64 bits: type, whence, start, length, process.
FLOCK = "hhqqi4x"


class DrillError(Exception):
    """What was asked cannot be done; the message says why, and what would be right."""


class DrillGoneError(DrillError):
    """There is no such drill, or none any more."""


def machine() -> str:
    """Name this start of this machine. A container is started without its kernel."""
    kernel = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{kernel}-{Path('/proc/1/stat').read_text().rpartition(')')[2].split()[19]}"


@dataclass(frozen=True)
class Drill:
    """One rehearsal by its number, and the names of everything it may own."""

    number: int

    @property
    def folder(self) -> Path:
        """Everything of it that is a file."""
        return DRILLS / str(self.number)

    @property
    def root(self) -> Path:
        """The root of the bubble."""
        return self.folder / "root"

    @property
    def repository(self) -> Path:
        """The frozen copy of a writer's repository."""
        return self.folder / "repository"

    @property
    def name(self) -> str:
        """Its machine, namespace and unit."""
        return f"drill-{self.number}"

    @property
    def link(self) -> str:
        """Its interface and its firewall table, whose names take no hyphen."""
        return f"drill{self.number}"

    @property
    def addresses(self) -> tuple[str, str]:
        """The recovery host's and the bubble's address on the link between them, a block of four."""
        third, fourth = divmod(self.number % 16384 * 4, 256)
        return f"10.255.{third}.{fourth + 1}", f"10.255.{third}.{fourth + 2}"

    def expiry(self) -> float:
        """Return when its lease runs out, in Unix seconds; long ago when it has none, or one from before a restart of
        this machine, which no bubble survives."""
        try:
            runs_out, start = (self.folder / "lease").read_text().split()
            return float(runs_out) if start == machine() else 0.0
        except (FileNotFoundError, ValueError):
            return 0.0

    def insist(self) -> None:
        """Raise where the drill has no lease."""
        if self.expiry() < time.time():
            raise DrillGoneError(f"drill {self.number} has no lease any more; start another drill")

    def renew(self, seconds: float) -> None:
        """Extend the lease of a drill that still has one. A lease that ran out stays so: the reaper may be at work."""
        self.insist()
        self._write_lease(self.folder, seconds)

    def begin(self, seconds: float) -> None:
        """Make the folder with its lease in it, in one step."""
        DRILLS.mkdir(mode=0o711, parents=True, exist_ok=True)
        new = DRILLS / f"new-{self.number}"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o711)
        self._write_lease(new, seconds)
        try:
            new.rename(self.folder)
        except OSError:
            shutil.rmtree(new)
            raise DrillError(f"drill {self.number} exists; clean it up, or take another number") from None

    def _write_lease(self, folder: Path, seconds: float) -> None:
        new = folder / ".lease"
        new.write_text(f"{time.time() + seconds:.3f} {machine()}\n")
        new.replace(folder / "lease")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the drill's one operation. All it starts is in its session, so that the reaper can end it as a whole."""
        if os.getpid() != os.getpgrp():
            os.setsid()
        with self._lock_file() as lock:
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise DrillError(f"another operation on drill {self.number} is under way") from None
            yield

    @contextmanager
    def void(self) -> Iterator[None]:
        """Be the drill's last operation, whatever another is doing: that one is killed."""
        with self._lock_file() as lock:
            deadline = time.monotonic() + 10
            while True:
                try:
                    fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise DrillError(f"an operation on drill {self.number} does not end") from None
                    self._kill_owner(lock.fileno())
                    time.sleep(0.05)
            yield
            # Gone with the drill. Who had opened it gets a lock that keeps nobody out any more, and finds no lease.
            Path(lock.name).unlink(missing_ok=True)

    def _lock_file(self) -> TextIO:
        LOCKS.mkdir(mode=0o700, parents=True, exist_ok=True)
        return (LOCKS / f"{self.name}.lock").open("w")

    @staticmethod
    def _kill_owner(lock: int) -> None:
        asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, owner = struct.unpack(FLOCK, fcntl.fcntl(lock, fcntl.F_GETLK, asked))
        if kind != fcntl.F_UNLCK and owner > 0:
            with suppress(ProcessLookupError):
                os.killpg(owner, signal.SIGKILL)


def remove_false_starts() -> None:
    """Remove folders of drills that were killed before they had begun."""
    for new in DRILLS.glob("new-*"):
        if new.stat().st_mtime < time.time() - 60:
            shutil.rmtree(new)


def live_drills() -> list[Drill]:
    """Return the drills with a folder, half made or not."""
    found = DRILLS.glob("[0-9]*") if DRILLS.is_dir() else ()
    return [Drill(int(path.name)) for path in sorted(found) if path.name.isdigit()]
