"""Following a run: a live table on a terminal, plain lines in a pipe. Without a worker, the run is carried out here."""

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass

from rich.live import Live

from orchestrator.bootstrap import Application
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import (
    Event,
    RunMoved,
    StepFinished,
    StepPostponed,
    StepStarted,
    StepTold,
    TaskFinished,
    WorkOrdered,
)
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.runs.run import RunState, StepState
from orchestrator.entrypoints.cli.output import progress, say
from orchestrator.entrypoints.cli.showing_runs import run_table
from orchestrator.entrypoints.failures import INTERRUPTED
from orchestrator.ports.runs import Errand
from orchestrator.usecases.runs.views import RunView, is_open

POLL_SECONDS = 0.25


def carry(app: Application, run_id: int, *, on_event: Callable[[Event], None] | None = None, after: int = 0) -> RunView:
    """Follow a run to its end, starting after event `after`, and return its final state.

    Live workers carry the run out. When there are none, or the last one dies, this process does.
    """
    gc.enable()
    app.observing.run(run_id)  # raises NOT_FOUND before anything starts
    follower = _Follower(app, run_id, on_event, last=after)
    if app.engine.is_cared_for(run_id):
        run = _watched(follower, mine=False, alive=lambda: app.engine.is_cared_for(run_id))
        if not is_open(run):
            return run
    with _working(app, [run_id]) as alive:
        return _watched(follower, mine=True, alive=alive)


def carry_all(app: Application, run_ids: Sequence[int]) -> list[RunView]:
    """Follow runs to their end, report each, and return their final states. They are carried out as in `carry`."""
    gc.enable()
    ended: dict[int, RunView] = {}
    if run_ids and app.engine.live_workers():
        _ends(app, run_ids, ended, alive=lambda: bool(app.engine.live_workers()))
    if len(ended) < len(run_ids):
        with _working(app, run_ids) as alive:
            try:
                _ends(app, run_ids, ended, alive=alive)
            except KeyboardInterrupt:
                say("\nStopping all runs ...")
                for run_id in run_ids:
                    _cancel(app, run_id)
                _ends(app, run_ids, ended, alive=alive)
                raise
    return [ended.get(run_id) or app.observing.run(run_id) for run_id in run_ids]


def _ends(app: Application, run_ids: Sequence[int], ended: dict[int, RunView], *, alive: Callable[[], bool]) -> None:
    """Wait until all runs are in `ended` or nobody is left to end them."""
    while len(ended) < len(run_ids):
        living = alive()
        for run_id in run_ids:
            if run_id not in ended and not is_open(run := app.observing.run(run_id)):
                ended[run_id] = run
                say(f"run {run_id}: {run.kind} {run.agency} {run.state}" + (f": {run.error}" if run.error else ""))
        if not living:
            return
        time.sleep(POLL_SECONDS)


@contextmanager
def _working(app: Application, run_ids: Sequence[int]) -> Iterator[Callable[[], bool]]:
    """Run a worker for these runs in its own thread while the context lasts. Yields a function: is it alive?"""
    done, hurried = threading.Event(), threading.Event()
    broken: list[BaseException] = []
    told: set[int] = set()

    def hurry(left: Set[int]) -> bool:
        for run_id in sorted(left - told - set(run_ids)):
            say(f"Run {run_id} has lost its worker and is finished here first. Ctrl-C leaves it as it is.")
            told.add(run_id)
        return hurried.is_set()

    def work() -> None:
        try:
            app.engine.work(done.is_set, Errand(frozenset(run_ids), hurry))
        except BaseException as error:  # raised again in the waiting thread
            broken.append(error)

    thread = threading.Thread(target=work, name="worker", daemon=True)
    thread.start()
    try:
        yield thread.is_alive
    except Exception:
        hurried.set()  # nobody shows its progress any more
        raise
    finally:
        done.set()
        try:
            thread.join()
        except KeyboardInterrupt:
            hurried.set()
            thread.join()
        if broken:
            raise broken[0]


def _watched(follower: "_Follower", *, mine: bool, alive: Callable[[], bool]) -> RunView:
    """Watch until the run is over. Ctrl-C cancels a run that is carried out here; other runs continue."""
    stopping, run_id = False, follower.run_id
    while True:
        try:
            run = follower.watch(alive)
            break
        except KeyboardInterrupt:
            if not mine:
                say(f"\nNo longer following; run {run_id} continues. See: orchestrator run follow {run_id}")
                raise
            if stopping:
                os._exit(INTERRUPTED)
            stopping = True
            say(f"\nStopping run {run_id} ... (Ctrl-C again to leave it as it is)")
            _cancel(follower.app, run_id)
    if stopping:
        go_on = "" if run.kind is Purpose.DRILL else f" Resume it: orchestrator run resume {run_id}"
        say(f"Run {run_id} is {run.state}.{go_on}")
        raise KeyboardInterrupt
    return run


def _cancel(app: Application, run_id: int) -> None:
    try:
        app.engine.driving.cancel(run_id)
    except OrchestratorError as error:
        if error.kind is not Kind.CONFLICT:
            raise


@dataclass
class _Follower:
    """Shows what happens in a run: each event once, starting after `last`."""

    app: Application
    run_id: int
    on_event: Callable[[Event], None] | None
    last: int = 0
    _waited_for: str | None = None

    def watch(self, alive: Callable[[], bool]) -> RunView:
        """Watch until the run has ended or nobody is left to end it."""
        if self.on_event is None and progress.is_terminal:
            with Live(console=progress.console, refresh_per_second=8) as live:
                return self._watch(alive, lambda run: live.update(run_table(run, self.app.base.clock.now())))
        return self._watch(alive, self._tell)

    def _watch(self, alive: Callable[[], bool], show: Callable[[RunView], None]) -> RunView:
        while True:
            living = alive()
            run = self.app.observing.run(self.run_id)
            show(run)
            if not is_open(run) or not living:
                return run
            time.sleep(POLL_SECONDS)

    def _tell(self, run: RunView) -> None:
        if run.waits_for != self._waited_for and self.on_event is None:
            self._waited_for = run.waits_for
            if run.waits_for and not run.only_a_worker:
                say(f"run {run.run} waits {run.waits_for}")
        for event in self.app.observing.events(run=self.run_id, after=self.last):
            (self.on_event or _plain_line)(event)
            self.last = event.id


def _plain_line(event: Event) -> None:
    if line := _sentence(event):
        say(f"{event.at:%H:%M:%S} {line}")


def _sentence(event: Event) -> str | None:
    what = event.what
    if isinstance(what, StepStarted):
        again = f" (attempt {what.attempt})" if what.attempt > 1 else ""
        return f"{event.step} started{again}"
    if isinstance(what, StepFinished):
        counts = f"ok={what.counts.ok} changed={what.counts.changed}"
        return f"{event.step} {what.state.replace('_', ' ')} {counts}"
    if isinstance(what, TaskFinished) and what.outcome in ("failed", "unreachable"):
        return f"{event.step} {what.host}: {what.task}: {what.outcome}: {what.message}"
    if isinstance(what, StepPostponed):
        return f"{event.step} will be retried at {what.until:%H:%M:%S}"
    if isinstance(what, WorkOrdered):
        return f"{event.step} is for people: {what.address}, due {what.due_at:%Y-%m-%d %H:%M}Z"
    if isinstance(what, StepTold):
        return f"{event.step} {what.text}"
    if isinstance(what, RunMoved):
        return f"run {event.run} {what.state}" + (f": {what.reason}" if what.reason else "")
    return None


def carry_back(app: Application, run: RunView) -> RunView | None:
    """Follow the run that rolls back a failed one to its end, if there is one."""
    undoing = app.observing.rolling_back(run.run) if run.state is RunState.FAILED else None
    if undoing is None:
        return None
    say(f"Run {run.run} failed; run {undoing.run} removes what it has built.")
    return carry(app, undoing.run)


def failure(run: RunView, *, undone: RunView | None = None) -> OrchestratorError | None:
    """The error to report for a run, or None if it succeeded or waits for people. `undone` is the run that rolled it
    back."""
    if run.state in (RunState.SUCCEEDED, RunState.WAITING):
        return None
    hint = f"fix the cause, then resume from the failed step: orchestrator run resume {run.run}"
    if run.kind is Purpose.DRILL:  # its measurements would be invalid
        again = f"orchestrator drill start {run.agency}"
        hint = f"orchestrator drill list --agency {run.agency} shows the result; to rehearse again: {again}"
    if undone:
        gone = undone.state is RunState.SUCCEEDED
        hint = "fix the cause, then apply again" if gone else f"orchestrator run resume {undone.run}"
    unreachable = any(s.state is StepState.UNREACHABLE for s in run.steps)
    details = tuple(f"{s.id} {s.state.replace('_', ' ')}: {s.error}" for s in run.steps if s.error)
    return OrchestratorError(
        Kind.UNAVAILABLE if unreachable else Kind.FAILED,
        f"run {run.run} of {run.agency} {run.state}: {run.error or 'its worker stopped'}",
        details=(*details, f"run {undone.run}, which removes what was built, {undone.state}") if undone else details,
        hint=hint,
        ids={"run": str(run.run)},
    )
