"""A worker: admits queued runs, drives those the queue gives it, and takes over from the dead."""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ParamSpec, Protocol, TypeVar

from tenacity import Retrying, retry_if_exception, wait_fixed

from orchestrator.adapters.engine import queueing
from orchestrator.adapters.engine.liveness import Lease
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import Happening
from orchestrator.domain.run import Run, StepOutcome, StepRecord, StepState
from orchestrator.usecases.ports import Interrupted, PlaybookRunner, StartedStep, Store

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)

OUTAGE_PAUSE_SECONDS = 0.5

BURIAL_SHARE = 0.25
"""How often the dead are looked for, in beats: what a takeover takes beyond the lease."""


class RunDriver(Protocol):
    """What the engine asks of the use-cases, run by run."""

    def admit(self, hand_over: Callable[[Any, Run], None]) -> int: ...
    def begin(self, run_id: int, attempt: int) -> bool: ...
    def next_steps(self, run_id: int) -> tuple[StepRecord, ...]: ...
    def start(self, run_id: int, step_id: str, *, worker: str) -> StartedStep: ...
    def note(self, started: StartedStep, happenings: Sequence[Happening]) -> None: ...
    def cancel_requested(self, run_id: int) -> bool: ...
    def finish(self, started: StartedStep, outcome: StepOutcome) -> None: ...
    def conclude(self, run_id: int) -> Run: ...
    def give_up(self, run_id: int, reason: str) -> Run: ...


@dataclass(frozen=True)
class WorkerOptions:
    lease: timedelta
    beat: timedelta
    tick_seconds: float
    runs: int
    steps: int


class _Left(BaseException):
    """This worker is stopping. Not an Exception, which the queue would record as the run's outcome: the run stays
    pending there, and goes to another worker when this one has left."""


def worker_name() -> str:
    """Unique per process: two processes under one name would each take the other's live runs for their own."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


class Worker:
    """One process's share of the engine."""

    def __init__(
        self,
        *,
        name: str,
        url: str,
        store: Store,
        driver: RunDriver,
        runner: PlaybookRunner,
        options: WorkerOptions,
        renew_guards: Callable[[], None],
        stop_guards: Callable[[], None],
    ) -> None:
        self.name = name
        self._url, self._driver, self._runner, self._options = url, driver, runner, options
        self._stop_guards = stop_guards
        self._stopping = threading.Event()
        self._driving: set[int] = set()
        self._lease = Lease(
            store,
            worker=name,
            host=socket.gethostname(),
            lease=options.lease,
            beat=options.beat,
            on_beat=renew_guards,
            on_loss=stop_guards,
        )

    def work(self, until: Callable[[], bool]) -> None:
        """Take runs until told otherwise. On the way out running steps are stopped and their runs left to others."""
        submitter = queueing.Submitter(self._url)
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
            self._loop(submitter, until)
        finally:
            self._leave(submitter)

    def _leave(self, submitter: queueing.Submitter) -> None:
        self._stopping.set()
        if self._driving:
            self._stop_guards()
        while self._driving:
            time.sleep(0.05)
        queueing.stop()
        submitter.close()
        self._lease.stop()

    def _loop(self, submitter: queueing.Submitter, until: Callable[[], bool]) -> None:
        def hand_over(tx: Any, run: Run) -> None:
            submitter.enqueue(tx.session, run=run.id, attempt=run.attempt)

        next_burial = 0.0
        while not until():
            try:
                self._driver.admit(hand_over)
                if time.monotonic() >= next_burial:
                    self._lease.bury_the_dead()
                    next_burial = time.monotonic() + self._options.beat.total_seconds() * BURIAL_SHARE
            except OrchestratorError as error:
                log.warning("%s", error.message)
            time.sleep(self._options.tick_seconds)

    def _drive(self, run_id: int, attempt: int) -> None:
        """One run to its end, or to the end of this worker."""
        if self._stopping.is_set():
            raise _Left
        self._driving.add(run_id)
        try:
            while not self._driven(run_id, attempt):
                self._lease.confirm()
        except Exception:
            reference = uuid.uuid4().hex[:12]
            log.exception("run %s gave up, reference %s", run_id, reference)
            _patiently(self._driver.give_up, run_id, f"internal error, reference {reference} in the log")
        finally:
            self._driving.discard(run_id)

    def _driven(self, run_id: int, attempt: int) -> bool:
        """Whether the run came to its end. False when its guards stopped it because this worker had fallen silent."""
        try:
            if _patiently(self._driver.begin, run_id, attempt):
                self._drive_steps(run_id)
        except Interrupted:
            if self._stopping.is_set():
                raise _Left from None
            return False
        return True

    def _drive_steps(self, run_id: int) -> None:
        """Whatever is ready, side by side, until nothing more may start."""
        running: dict[Future[None], str] = {}
        with ThreadPoolExecutor(self._options.steps, thread_name_prefix=f"run-{run_id}") as pool:
            while True:
                if self._stopping.is_set():
                    raise Interrupted
                for step in _patiently(self._driver.next_steps, run_id):
                    if step.id not in running.values():
                        running[pool.submit(self._perform, run_id, step.id)] = step.id
                if not running:
                    break
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    running.pop(future)
                    future.result()
        self._lease.confirm()
        _patiently(self._driver.conclude, run_id)

    def _perform(self, run_id: int, step_id: str) -> None:
        started = _patiently(self._driver.start, run_id, step_id, worker=self.name)
        outcome = self._outcome(started)
        _patiently(self._driver.finish, started, outcome)

    def _outcome(self, started: StartedStep) -> StepOutcome:
        try:
            return self._runner.run(
                started.assignment,
                on_events=lambda happenings: _patiently(self._driver.note, started, happenings),
                cancelled=lambda: self._cancelled(started.run.id),
            )
        except OrchestratorError as error:
            return StepOutcome(state=StepState.ERRORED, error="\n".join((error.message, *error.details)))

    def _cancelled(self, run_id: int) -> bool:
        try:
            return self._driver.cancel_requested(run_id)
        except OrchestratorError:
            return False  # asked again in a moment; the lease decides when to give up


def _unavailable(error: BaseException) -> bool:
    return isinstance(error, OrchestratorError) and error.kind is Kind.UNAVAILABLE


_retrying = Retrying(retry=retry_if_exception(_unavailable), wait=wait_fixed(OUTAGE_PAUSE_SECONDS), reraise=True)


def _patiently(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Try again while the database does not answer: the lease decides when to give up, not the run."""
    return _retrying.copy()(call, *args, **kwargs)
