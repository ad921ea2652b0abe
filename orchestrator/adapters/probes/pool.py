"""The pool: starts probes when they are due, many at a time, and reports how late they are."""

import asyncio
import logging
import resource
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from orchestrator.adapters.probes.answers import Ask
from orchestrator.adapters.probes.asking import probes
from orchestrator.adapters.probes.reading import read
from orchestrator.adapters.probes.timetable import Timetable
from orchestrator.domain.errors import OrchestratorError
from orchestrator.domain.probing.readings import ProbeKey, ProbeTarget, Reading
from orchestrator.domain.selling.catalog import ProbeKind
from orchestrator.domain.service_levels.record import State
from orchestrator.ports.figures import ProbeCounts
from orchestrator.ports.outside import Clock
from orchestrator.ports.probing import Prepared, Watcher

T = TypeVar("T")

log = logging.getLogger(__name__)

BEAT_SECONDS = 2.0
"""How often readings are passed on and the lease is renewed."""
REFRESH_SECONDS = 20.0
"""How often the list of services is refreshed."""
LATE_SECONDS = 5.0
"""A probe that starts this late means that the pool cannot keep up."""
WARN_SECONDS = 60.0
MOST_UNRECORDED = 200_000
"""Maximum number of readings kept while the database is unavailable."""
WATCHED_SECONDS = 30.0
"""The period whose greatest lateness is reported."""
LONGEST_NAP_SECONDS = 0.2
THREADS = 16
"""For protocols whose libraries block."""
RECORDING_THREADS = 2
"""For the database, so that it never waits for a slow service."""


@dataclass
class ProbePool:
    watcher: Watcher
    clock: Clock
    counts: ProbeCounts
    concurrency: int
    _table: Timetable = field(default_factory=Timetable)
    _read: list[tuple[ProbeTarget, Reading]] = field(default_factory=list)
    _prepared: dict[ProbeKey, Prepared] = field(default_factory=dict)
    _lateness: deque[tuple[float, float]] = field(default_factory=deque)
    _warned: float = float("-inf")
    _recording: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(RECORDING_THREADS))

    def run(self, stopping: Callable[[], bool]) -> None:
        """Probe until `stopping` returns true, whenever no other process does."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:  # there may be a kept connection to each of 10,000 services
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        asyncio.run(self._run(stopping))

    async def _run(self, stopping: Callable[[], bool]) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="probe"))
        while not stopping():
            try:
                if await self._records(self.watcher.take):
                    await self._probe(stopping)
            except OrchestratorError as error:
                log.warning("this process does not probe: %s", error.message)
            await _nap(BEAT_SECONDS, stopping)

    async def _probe(self, stopping: Callable[[], bool]) -> None:
        """Probe until told to stop or until another process takes over."""
        self._table, self._read, self._prepared = Timetable(), [], {}
        self._lateness.clear()
        await self._refresh()
        async with probes() as asks:
            beginning = asyncio.create_task(self._begin_all(asks))
            refreshing = asyncio.create_task(self._refresh_all())
            try:
                while not stopping() and await self._hand_on():
                    for task in (beginning, refreshing):
                        if task.done():
                            task.result()  # it ends only with an error, which is our bug
                    await _nap(BEAT_SECONDS, stopping)
            finally:
                for task in (beginning, refreshing):
                    task.cancel()
                await asyncio.gather(beginning, refreshing, return_exceptions=True)
                if stopping():
                    await self._hand_on()
                self.counts.late_seconds = None
                await self._records(self.watcher.leave)

    async def _begin_all(self, asks: Mapping[ProbeKind, Ask]) -> None:
        """Start each probe when it is due, or as soon as there is a free place."""
        places, running = asyncio.Semaphore(self.concurrency), set[asyncio.Task[None]]()
        try:
            while True:
                due = self._table.next_due()
                wait = (due - self.clock.now()).total_seconds() if due else LONGEST_NAP_SECONDS
                if wait > 0:
                    await asyncio.sleep(min(wait, LONGEST_NAP_SECONDS))  # the first to be due may have changed by then
                    continue
                await places.acquire()
                if self._table.next_due() is None:
                    places.release()
                    continue
                target, due = self._table.begin()
                self._lateness.append((time.monotonic(), (self.clock.now() - due).total_seconds()))
                task = asyncio.create_task(self._one(target, asks[target.kind], places))
                running.add(task)
                task.add_done_callback(running.discard)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _one(self, target: ProbeTarget, ask: Ask, places: asyncio.Semaphore) -> None:
        """Read a target once. What the probe needs is looked up again when its service has changed or failed."""
        used: list[Prepared] = []

        async def prepare(target: ProbeTarget) -> Prepared:
            known = self._prepared.pop(target.each, None)
            if known is None or known.target != target:
                known = await asyncio.to_thread(self.watcher.prepare, target)
            used.append(known)
            return known

        try:
            reading = await read(target, ask, prepare, self.clock)
            self._read.append((target, reading))
            self._table.end(target.each, now=self.clock.now())
            if reading.state is State.UP:
                self._prepared[target.each] = used[-1]
        finally:
            places.release()

    async def _hand_on(self) -> bool:
        """Pass readings on to be recorded; those that fail are offered again. Returns False when another process
        probes."""
        self._tell_lateness()
        readings, read_until = list(self._read), self._table.read_until(self.clock.now())
        try:
            ours = await self._records(lambda: self.watcher.heard(readings, read_until=read_until))
        except OrchestratorError as error:
            log.warning("readings of %d probes are not recorded yet: %s", len(readings), error.message)
            del self._read[:-MOST_UNRECORDED]  # the gap counts as unknown
            return True
        del self._read[: len(readings)]
        return ours

    def _tell_lateness(self) -> None:
        now = time.monotonic()
        while self._lateness and self._lateness[0][0] < now - WATCHED_SECONDS:
            self._lateness.popleft()
        due = self._table.next_due()
        waiting = max((self.clock.now() - due).total_seconds(), 0.0) if due else 0.0
        late = self.counts.late_seconds = max([waiting, *(late for _, late in self._lateness)])
        if late > LATE_SECONDS and now - self._warned >= WARN_SECONDS:
            self._warned = now
            log.warning("probing does not keep up: probes start up to %.1f s late", late)

    async def _refresh_all(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self._refresh()
            except OrchestratorError as error:
                log.warning("the list of services could not be refreshed: %s", error.message)

    async def _records(self, call: Callable[[], T]) -> T:
        """Make a call that waits for the database, in its own thread."""
        return await asyncio.get_running_loop().run_in_executor(self._recording, call)

    async def _refresh(self) -> None:
        targets = await self._records(self.watcher.targets)
        self._table.set(targets, now=self.clock.now())
        for gone in self._prepared.keys() - {target.each for target in targets}:
            del self._prepared[gone]


async def _nap(seconds: float, stopping: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not stopping() and (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(left, LONGEST_NAP_SECONDS))
