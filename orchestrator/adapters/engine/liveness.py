"""Leases: a worker proves that it is alive, stops itself when it cannot, and declares others dead when they do not."""

import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from orchestrator.adapters.engine import queueing
from orchestrator.adapters.engine.presence import Presence
from orchestrator.domain.errors import OrchestratorError
from orchestrator.ports.store import Store

log = logging.getLogger(__name__)

FENCE_SHARE = 0.6
"""A worker that cannot renew its lease stops itself after this share of it, before others may consider it dead."""

FENCED = 70


class Lease:
    """Renews the worker's lease in its own thread. `on_beat` is called at every renewal."""

    def __init__(
        self,
        store: Store,
        *,
        presence: Presence,
        worker: str,
        host: str,
        runs: int,
        lease: timedelta,
        beat: timedelta,
        on_beat: Callable[[], None],
        on_loss: Callable[[], None],
    ) -> None:
        self._store, self._worker, self._host, self._runs = store, worker, host, runs
        self._presence, self._lease, self._beat = presence, lease, beat
        self._on_beat, self._on_loss = on_beat, on_loss
        self._done = threading.Event()
        self._unbroken_since: float | None = None
        self._renewed = _now()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def start(self) -> None:
        self._presence.hold(self._worker)
        with self._store.begin() as tx:
            tx.workers.join(self._worker, host=self._host, runs=self._runs)
        self._renewed = self._unbroken_since = _now()
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join()
        with self._store.begin() as tx:
            tx.workers.leave(self._worker)
        self._presence.leave(self._worker)

    def confirm(self) -> None:
        """Return once others certainly consider this worker alive; otherwise the process ends here."""
        while True:
            try:
                with self._store.begin() as tx:
                    if not tx.workers.beat(self._worker):
                        self._fence("declared dead by another worker")
            except OrchestratorError:
                time.sleep(self._beat.total_seconds())
            else:
                return

    def bury_the_dead(self) -> None:
        """Declare dead the workers that ended on this machine or whose lease has expired, and requeue their runs.

        After an outage of the database every lease looks expired. None counts until our own beats have succeeded for a
        whole lease, so that the others have had time to renew theirs.
        """
        trusted = self._trusted()
        with self._store.read() as tx:
            unburied = tx.workers.unburied()
            late = unburied - tx.workers.alive(lease=self._lease) if trusted else set()
        ended = self._presence.ended(unburied)
        if late or ended:
            with self._store.begin() as tx:
                if not tx.workers.beat(self._worker):
                    self._fence("declared dead by another worker")
                if late:
                    tx.workers.bury(lease=self._lease)
                for worker in ended:
                    tx.workers.leave(worker)
            for worker in late | ended:
                self._presence.forget(worker)
        if trusted or ended:
            self.requeue_orphans()

    def _trusted(self) -> bool:
        """Whether our own beats have succeeded for a whole lease, up to now."""
        now, since, lease = _now(), self._unbroken_since, self._lease.total_seconds()
        return since is not None and now - since >= lease and now - self._renewed < lease

    def requeue_orphans(self) -> None:
        """Requeue the runs of workers that have left or been declared dead."""
        if orphaned := self._orphaning():
            log.warning("taking over the runs of %s", ", ".join(sorted(orphaned)))
            queueing.requeue_runs_of(orphaned)

    def _orphaning(self) -> set[str]:
        holders = queueing.holders()
        with self._store.read() as tx:
            return holders - tx.workers.unburied()

    def _keep(self) -> None:
        while not self._done.wait(self._beat.total_seconds()):
            try:
                with self._store.begin() as tx:
                    renewed = tx.workers.beat(self._worker)
            except OrchestratorError as error:
                self._unbroken_since = None
                if _now() - self._renewed > self._lease.total_seconds() * FENCE_SHARE:
                    self._fence(f"the lease could not be renewed: {error.message}")
                continue
            if not renewed:
                self._fence("declared dead by another worker")
            now = _now()
            if now - self._renewed > self._lease.total_seconds():
                self._unbroken_since = None  # we were suspended, and the others may have been too
            self._renewed, self._unbroken_since = now, self._unbroken_since or now
            self._on_beat()

    def _fence(self, why: str) -> None:
        """Stop everything at once: another worker may be about to take over."""
        log.critical("worker %s stops itself: %s", self._worker, why)
        self._on_loss()
        os._exit(FENCED)


def _now() -> float:
    """Seconds since boot, including time suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
