"""Watches what processes are told: the command lines and environments of this machine and of its practice hosts."""

import threading
import time
from collections.abc import Iterable
from pathlib import Path

PAUSE = 0.02
YOUNG = 1.0
"""Seconds. A process may become another program soon after it began, and its command line with it."""


class ProcessWatch:
    """Notes every command line and environment that it comes across, until it is stopped.

    Practice hosts are containers, so their processes are among those of this machine. What ends between two looks is
    not seen; what takes as long as a program takes to start mostly is.
    """

    def __init__(self) -> None:
        self._told: set[bytes] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join()

    def seen(self, secrets: Iterable[str]) -> list[str]:
        """What any process was told that has one of these in it."""
        wanted = [secret.encode() for secret in secrets]
        return [told.decode(errors="replace") for told in self._told.copy() if any(one in told for one in wanted)]

    def __len__(self) -> int:
        return len(self._told)

    def _watch(self) -> None:
        first: dict[str, float] = {}
        while not self._done.wait(PAUSE):
            now, living = time.monotonic(), {path.name for path in Path("/proc").iterdir() if path.name.isdigit()}
            first = {pid: first.get(pid, now) for pid in living}
            for pid in (pid for pid, since in first.items() if now - since < YOUNG):
                self._note(Path("/proc", pid))

    def _note(self, process: Path) -> None:
        try:
            self._told.add((process / "cmdline").read_bytes())
            self._told.update((process / "environ").read_bytes().split(b"\0"))
        except OSError:
            return  # it has ended
