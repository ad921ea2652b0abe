"""Scheduled work: every serving process runs APScheduler, and exactly one of them takes each tick.

Schedulers do not know each other. They share the record of ticks: the name of the schedule and the instant it was due,
not the instant somebody noticed. The first to record a tick does the work. (APScheduler's own shared job stores fire a
tick once per scheduler.) If ticks were missed while every scheduler was down, the last of them is caught up when one
starts.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from apscheduler.events import EVENT_JOB_SUBMITTED, JobSubmissionEvent
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from orchestrator.domain.errors import OrchestratorError
from orchestrator.ports.outside import Clock
from orchestrator.ports.store import Store

log = logging.getLogger(__name__)

SHORTEST = timedelta(microseconds=1)
LATE = timedelta(hours=1)
"""A tick noticed later than this is left to catching up."""


@dataclass(frozen=True)
class Schedule:
    """Work and when it is due: cron fields of APScheduler (`hour="3"`, `minute="*/5"`) in UTC. Any process with a
    scheduler may do it, and it is done once."""

    name: str
    cron: Mapping[str, str]
    work: Callable[[], object]

    @property
    def interval(self) -> timedelta:
        """The time between its ticks."""
        trigger = CronTrigger(**self.cron, timezone=UTC)
        first: datetime = trigger.get_next_fire_time(None, datetime(2026, 1, 1, tzinfo=UTC))
        second: datetime = trigger.get_next_fire_time(first, first + SHORTEST)
        return second - first


class Scheduler:
    """This process's scheduler."""

    def __init__(self, *, store: Store, clock: Clock, schedules: Sequence[Schedule]) -> None:
        self._store, self._clock = store, clock
        self._schedules = {s.name: (s, CronTrigger(**s.cron, timezone=UTC)) for s in schedules}
        self._busy = defaultdict[str, threading.Lock](threading.Lock)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Take ticks while the context lasts. On exit, waits for work in progress."""
        settings = {"coalesce": True, "misfire_grace_time": int(LATE.total_seconds())}
        ticking = BackgroundScheduler(timezone=UTC, job_defaults=settings)
        for name, (_, trigger) in self._schedules.items():
            ticking.add_job(_tell_listeners, trigger, id=name)
        with ThreadPoolExecutor(thread_name_prefix="schedule") as pool:
            ticking.add_listener(partial(self._hear, pool), EVENT_JOB_SUBMITTED)
            ticking.start()
            try:
                for name in self._schedules:
                    self._catch_up(name)
                yield
            finally:
                ticking.shutdown()

    def _hear(self, pool: ThreadPoolExecutor, event: JobSubmissionEvent) -> None:
        """Only the event says when a job was due. Work that is still in progress here is not begun a second time."""
        name, due = event.job_id, event.scheduled_run_times[-1]
        if self._busy[name].acquire(blocking=False):
            pool.submit(self._tick, name, due).add_done_callback(lambda _: self._busy[name].release())

    def _tick(self, name: str, due: datetime) -> None:
        """Do the work of a tick, unless another scheduler has taken it."""
        try:
            with self._store.begin() as tx:
                mine = tx.ticks.take(name, due, at=self._clock.now())
            if mine:
                self._schedules[name][0].work()
        except OrchestratorError as error:
            log.warning("%s, due at %s, was not done: %s", name, due, error.message)
        except Exception:
            log.exception("%s, due at %s, was not done", name, due)

    def _catch_up(self, name: str) -> None:
        """Take the last tick that was due while no scheduler was running."""
        with self._store.read() as tx:
            last = tx.ticks.last(name)
        due = last and _last_due(self._schedules[name][1], since=last, until=self._clock.now())
        if due:
            self._tick(name, due)


def _tell_listeners() -> None:
    """The body of every job. Only the event of its submission matters."""


def _last_due(trigger: CronTrigger, *, since: datetime, until: datetime) -> datetime | None:
    """The last instant of a trigger after `since` and not after `until`."""
    found = None
    while (following := trigger.get_next_fire_time(found or since, (found or since) + SHORTEST)) and following <= until:
        found = following
    return found
