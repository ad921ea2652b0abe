"""Which workers of this machine have ended: each holds a lock on a file for as long as its process lives.

The kernel keeps the lock, and lets it go with the process, however that ends. No busy disk, long transaction or loaded
processor can make a worker look dead that is not; and one that was killed is missed within seconds, not within a lease.
A worker of another machine, or one that is stopped but not dead, is for its lease to tell.
"""

import fcntl
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

ENDED_SECONDS = 3.0
"""How long a worker has to be gone before its runs are taken over. Its guards kill what it was running: they notice at
once, and take a second to be obeyed."""


@dataclass
class Presence:
    """The locks in a folder that all workers of the machine on one database share."""

    folder: Path
    _held: dict[str, int] = field(default_factory=dict)
    _missed: dict[str, float] = field(default_factory=dict)

    def hold(self, worker: str) -> None:
        """Be seen to live under this name, until `leave` or the end of the process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / worker, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._held[worker] = descriptor

    def leave(self, worker: str) -> None:
        """Be no longer looked for."""
        self.forget(worker)
        os.close(self._held.pop(worker))

    def forget(self, worker: str) -> None:
        """Remove what a worker that ended has left."""
        (self.folder / worker).unlink(missing_ok=True)
        self._missed.pop(worker, None)

    def gone(self, workers: Iterable[str]) -> set[str]:
        """Return those that were of this machine and whose process has ended."""
        return {worker for worker in workers if worker not in self._held and self._is_free(worker)}

    def ended(self, workers: Iterable[str]) -> set[str]:
        """Return those that have been gone long enough for their guards to have done their work, as far as we saw."""
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        missed = {worker: self._missed.get(worker, now) for worker in self.gone(workers)}
        self._missed = missed
        return {worker for worker, since in missed.items() if now - since >= ENDED_SECONDS}

    def _is_free(self, worker: str) -> bool:
        try:
            descriptor = os.open(self.folder / worker, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return True
        finally:
            os.close(descriptor)
