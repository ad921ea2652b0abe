"""Which workers of this machine have ended: each holds a lock on a file while its process lives.

The kernel releases the lock when the process ends, for whatever reason. No busy disk, long transaction or loaded
processor can make a live worker look dead; and a killed one is noticed within seconds, not after a lease. For workers
on other machines, and for stopped processes, only the lease tells.
"""

import fcntl
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

ENDED_SECONDS = 3.0
"""How long a worker must be gone before its runs are taken over. Its guards notice at once, and need a second to kill
what it was running."""


@dataclass
class Presence:
    """The locks in a folder that all workers of this machine and database share."""

    folder: Path
    _held: dict[str, int] = field(default_factory=dict)
    _missed: dict[str, float] = field(default_factory=dict)

    def hold(self, worker: str) -> None:
        """Show as alive under this name until `leave` or the end of the process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / worker, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._held[worker] = descriptor

    def leave(self, worker: str) -> None:
        """Stop being watched."""
        self.forget(worker)
        os.close(self._held.pop(worker))

    def forget(self, worker: str) -> None:
        """Remove the file of a worker that has ended."""
        (self.folder / worker).unlink(missing_ok=True)
        self._missed.pop(worker, None)

    def gone(self, workers: Iterable[str]) -> set[str]:
        """Return the workers of this machine whose process has ended."""
        return {worker for worker in workers if worker not in self._held and self._is_free(worker)}

    def ended(self, workers: Iterable[str]) -> set[str]:
        """Return the workers that have been gone, as far as we saw, long enough for their guards to have finished."""
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
