"""One reading of the records, shared by simultaneous scrapes."""

import threading
import time
from collections.abc import Callable

from orchestrator.ports.figures import Snapshot

FRESH_SECONDS = 2.0
"""How long a reading is valid at least: several Prometheus servers scrape at about the same time."""
REST = 9
"""A reading is valid for this many times as long as it took, so that reading never takes more than a tenth of the
time."""


class SharedSnapshot:
    """The current snapshot. Whoever asks while it is being read waits and gets the same one."""

    def __init__(self, read: Callable[[], Snapshot], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._read, self._clock = read, clock
        self._reading = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._good_until = 0.0

    def now(self) -> Snapshot:
        """The current snapshot. Raises whatever reading raises; the next caller tries again."""
        with self._reading:
            began = self._clock()
            if self._snapshot is None or began >= self._good_until:
                self._let_go()
                self._snapshot = self._read()
                ended = self._clock()
                self._good_until = ended + max(FRESH_SECONDS, REST * (ended - began))
            return self._snapshot

    def _let_go(self) -> None:
        """Release the previous snapshot family by family: freeing a million rows at once would block all threads."""
        if (before := self._snapshot) is not None:
            families = [*before.recovery, *before.probing, *before.service_levels, *before]
            self._snapshot = before = None
            while families:
                families.pop()
                time.sleep(0)
