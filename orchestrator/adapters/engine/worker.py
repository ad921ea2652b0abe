"""A worker: admits queued runs, drives those the queue gives it, and takes over those of dead workers."""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ParamSpec, Protocol, TypeVar

from tenacity import Retrying, retry_if_exception, wait_fixed

from orchestrator.adapters.engine import queueing
from orchestrator.adapters.engine.liveness import Lease
from orchestrator.adapters.engine.presence import Presence
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import Happening
from orchestrator.domain.runs.run import Run, StepOutcome, StepState
from orchestrator.ports.runs import Errand, Interrupted, NextSteps, StartedStep, StepRunner
from orchestrator.ports.store import Store

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)

OUTAGE_PAUSE_SECONDS = 0.5
TIDYING = timedelta(minutes=15)
FINISHED_KEPT = timedelta(days=1)
"""How long the queue remembers finished runs: long enough for a late worker to learn that a run has ended."""

WAITING_SECONDS = 0.5
"""How often, in seconds, a run checks whether a waiting step may start."""

BURIAL_SHARE = 0.25
"""How often to look for dead workers, in beats: the delay of a takeover beyond the lease."""


class RunDriver(Protocol):
    """What the engine calls in the use-cases, run by run."""

    def begin(self, run_id: int, attempt: int, *, worker: str) -> bool: ...
    def next_steps(self, run_id: int) -> NextSteps: ...
    def start(self, run_id: int, step_id: str, *, worker: str) -> StartedStep | None: ...
    def note(self, started: StartedStep, happenings: Sequence[Happening]) -> None: ...
    def cancel_requested(self, run_id: int) -> bool: ...
    def finish(self, started: StartedStep, outcome: StepOutcome) -> None: ...
    def conclude(self, run_id: int, attempt: int) -> Run: ...
    def give_up(self, run_id: int, attempt: int, reason: str) -> Run: ...


class Admitter(Protocol):
    def admit(self, *, only: Collection[int] | None) -> int: ...


@dataclass(frozen=True)
class WorkerOptions:
    lease: timedelta
    beat: timedelta
    tick_seconds: float
    runs: int
    steps: int


class _Left(BaseException):
    """This worker is stopping. It is not an Exception, which the queue would record as the run's outcome: the run stays
    pending and goes to another worker once this one has left."""


def worker_name() -> str:
    """A name unique to this process: two processes with one name would each think they own the other's runs."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


class Worker:
    """One process's share of the engine."""

    def __init__(
        self,
        *,
        name: str,
        url: str,
        store: Store,
        presence: Presence,
        driver: RunDriver,
        admission: Admitter,
        runner: StepRunner,
        options: WorkerOptions,
        renew_guards: Callable[[], None],
        stop_guards: Callable[[], None],
        errand: Errand | None = None,
    ) -> None:
        self.name = name
        self._url, self._driver, self._admission, self._runner = url, driver, admission, runner
        self._options, self._errand = options, errand
        self._stop_guards = stop_guards
        self._stopping = threading.Event()
        self._driving: set[int] = set()
        self._lease = Lease(
            store,
            presence=presence,
            worker=name,
            host=socket.gethostname(),
            runs=0 if errand else options.runs,
            lease=options.lease,
            beat=options.beat,
            on_beat=renew_guards,
            on_loss=stop_guards,
        )

    def work(self, until: Callable[[], bool]) -> None:
        """Take runs until `until` returns true. Then running steps are stopped and their runs left to others; a worker
        on an errand finishes its runs instead."""
        self._lease.start()
        queueing.launch(
            self._url,
            worker=self.name,
            drive=self._drive,
            runs=self._options.runs,
            poll_seconds=self._options.tick_seconds,
        )
        try:
            self._lease.requeue_orphans()
            self._loop(until)
            while self._driving and self._errand and not self._errand.hurry(set(self._driving)):
                time.sleep(self._options.tick_seconds)
        finally:
            self._leave()

    def _leave(self) -> None:
        self._stopping.set()
        if self._driving:
            self._stop_guards()
        while self._driving:
            time.sleep(0.05)
        queueing.stop()
        self._lease.stop()

    def _loop(self, until: Callable[[], bool]) -> None:
        only = self._errand.runs if self._errand else None
        burying = _Chore(self._lease.bury_the_dead, every=self._options.beat * BURIAL_SHARE)
        tidying = _Chore(self._tidy, every=TIDYING)
        while not until():
            try:
                self._admission.admit(only=only)
                burying.do_when_due()
                tidying.do_when_due()
            except OrchestratorError as error:
                log.warning("%s", error.message)
            time.sleep(self._options.tick_seconds)

    def _tidy(self) -> None:
        queueing.forget_finished(datetime.now(UTC) - FINISHED_KEPT)

    def _drive(self, run_id: int, attempt: int) -> None:
        """Drive one run to its end, or until this worker stops."""
        if self._stopping.is_set():
            raise _Left
        self._driving.add(run_id)
        try:
            while not self._driven(run_id, attempt):
                self._lease.confirm()
        except Exception:
            reference = uuid.uuid4().hex[:12]
            log.exception("run %s gave up, reference %s", run_id, reference)
            _patiently(self._driver.give_up, run_id, attempt, f"internal error, reference {reference} in the log")
        finally:
            self._driving.discard(run_id)

    def _driven(self, run_id: int, attempt: int) -> bool:
        """Drive the run; return whether it ended. False when its guards stopped it because this worker fell silent."""
        try:
            if _patiently(self._driver.begin, run_id, attempt, worker=self.name):
                self._drive_steps(run_id)
                self._lease.confirm()
                _patiently(self._driver.conclude, run_id, attempt)
        except Interrupted:
            if self._stopping.is_set():
                raise _Left from None
            return False
        return True

    def _drive_steps(self, run_id: int) -> None:
        """Run all steps that are ready, in parallel, until nothing more may start."""
        running: dict[Future[None], str] = {}
        with ThreadPoolExecutor(self._options.steps, thread_name_prefix=f"run-{run_id}") as pool:
            while True:
                if self._stopping.is_set():
                    raise Interrupted
                steps = _patiently(self._driver.next_steps, run_id)
                for step in steps.ready:
                    if step.id not in running.values():
                        running[pool.submit(self._perform, run_id, step.id)] = step.id
                if not running and not steps.waiting:
                    break
                self._await(running, waiting=bool(steps.waiting))

    def _await(self, running: dict[Future[None], str], *, waiting: bool) -> None:
        """Wait until a step has ended, or it is time to ask again for a waiting one."""
        if not running:
            self._stopping.wait(WAITING_SECONDS)
            return
        done, _ = wait(running, timeout=WAITING_SECONDS if waiting else None, return_when=FIRST_COMPLETED)
        for future in done:
            running.pop(future)
            future.result()

    def _perform(self, run_id: int, step_id: str) -> None:
        started = _patiently(self._driver.start, run_id, step_id, worker=self.name)
        if started is None:
            return  # somebody else was faster; ask again in a moment
        outcome = self._outcome(started)
        _patiently(self._driver.finish, started, outcome)

    def _outcome(self, started: StartedStep) -> StepOutcome:
        try:
            return self._runner.run(
                started.work,
                on_events=lambda happenings: _patiently(self._driver.note, started, happenings),
                cancelled=lambda: not started.step.always and self._cancelled(started.run.id),
            )
        except OrchestratorError as error:
            return StepOutcome(state=StepState.ERRORED, error="\n".join((error.message, *error.details)))

    def _cancelled(self, run_id: int) -> bool:
        try:
            return self._driver.cancel_requested(run_id)
        except OrchestratorError:
            return False  # ask again in a moment; the lease decides when to give up


class _Chore:
    """A repeated task. The first time is after one interval."""

    def __init__(self, work: Callable[[], None], *, every: timedelta) -> None:
        self._work, self._pause = work, every.total_seconds()
        self._due = time.monotonic() + self._pause

    def do_when_due(self) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._pause
            self._work()


def _unavailable(error: BaseException) -> bool:
    return isinstance(error, OrchestratorError) and error.kind is Kind.UNAVAILABLE


_retrying = Retrying(retry=retry_if_exception(_unavailable), wait=wait_fixed(OUTAGE_PAUSE_SECONDS), reraise=True)


def _patiently(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Retry while the database does not answer: the lease decides when to give up, not the run."""
    return _retrying.copy()(call, *args, **kwargs)
