"""Workers that die, sleep or lose their database, and who continues their runs."""

import os
import signal
import time

import pytest

from orchestrator.adapters.ansible.guard import descendants
from orchestrator.adapters.engine.liveness import FENCED
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.runs.run import RunState
from tests.adapters.engine.conftest import Engine, signalled
from tests.adapters.engine.program import Mishap
from tests.entrypoints.cli.conftest import PATIENCE, eventually
from tests.entrypoints.http.test_serve import answers, free_port

pytestmark = pytest.mark.slow

STEP = "alpha.provision"
LEASE = 6.0
"""The lease, in seconds, of workers that a test pauses for longer."""
NOTICED = 1.5
"""Seconds in which a worker has long seen that a run is cancelled."""


class TestADeadWorker:
    def test_detected_by_several_workers_is_replaced_by_one(self, engine: Engine) -> None:
        victim = engine.start()
        run = engine.apply(engine.order(seconds=1))
        engine.in_step()
        for _ in range(3):
            engine.start()
        signalled(victim, signal.SIGKILL)
        engine.check_succeeded(run, again=STEP)

    def test_that_was_a_server_is_replaced_by_the_next_server(self, engine: Engine) -> None:
        port = free_port()
        victim = engine.start(port=port)
        eventually(lambda: answers(port))
        run = engine.apply(engine.order(seconds=1))
        engine.in_step()
        signalled(victim, signal.SIGKILL)
        victim.join(PATIENCE)
        engine.start(port=port)
        engine.check_succeeded(run, again=STEP)


class TestAPausedWorker:
    def test_never_overlaps_its_successor(self, engine: Engine) -> None:
        sleeper = engine.start(lease=LEASE)
        run = engine.apply(engine.order(seconds=1.5))
        engine.in_step()
        signalled(sleeper, signal.SIGSTOP)
        engine.start(lease=LEASE)
        engine.in_step(times=2)
        signalled(sleeper, signal.SIGCONT)
        sleeper.join(PATIENCE)
        assert sleeper.exitcode == FENCED
        engine.check_succeeded(run, again=STEP)

    @pytest.mark.parametrize("call", ["start", "conclude"])
    def test_that_wakes_while_another_runs_its_step_does_not_interfere(self, engine: Engine, call: str) -> None:
        """It had decided to start the step, or to end the run, when it was paused."""
        count = 2 if call == "start" else 1
        sleeper = engine.start(lease=LEASE, mishap=Mishap(call, "entering", count, signal.SIGSTOP))
        run = engine.apply(engine.order(seconds=1))
        eventually(lambda: engine.count("ends", "alpha.precheck") == 1)
        engine.start(lease=LEASE)
        if call == "start":
            engine.in_step()
        else:
            engine.ended(run)
        signalled(sleeper, signal.SIGCONT)
        sleeper.join(PATIENCE)
        assert sleeper.exitcode == FENCED
        engine.check_succeeded(run)


class TestCancel:
    def test_keeps_the_agency_busy_until_the_last_process_is_dead(self, engine: Engine) -> None:
        """The step and its guard are paused, so that none of them can die before it goes on."""
        worker = engine.start()
        run = engine.apply(engine.order(seconds=60))
        other = engine.app.ordering.planning.plan(engine.order())
        engine.in_step()
        assert worker.pid
        step = descendants(worker.pid)
        for pid in step:
            os.kill(pid, signal.SIGSTOP)
        engine.app.engine.driving.cancel(run)
        cancelled_at = time.monotonic()
        while time.monotonic() < cancelled_at + NOTICED:
            with pytest.raises(OrchestratorError) as refused:
                engine.app.ordering.provisioning.open_run(other.id)
            assert refused.value.kind is Kind.CONFLICT
            assert engine.run(run).state is RunState.RUNNING
        for pid in step:
            os.kill(pid, signal.SIGCONT)
        assert engine.ended(run).state is RunState.CANCELLED
        assert engine.left() == []
        assert {s.state for s in engine.run(run).steps if s.id == STEP} == {"cancelled"}

    def test_requested_after_the_worker_died_leaves_no_step_running(self, engine: Engine) -> None:
        victim = engine.start()
        run = engine.apply(engine.order(seconds=60))
        engine.in_step()
        signalled(victim, signal.SIGKILL)
        victim.join(PATIENCE)
        assert engine.app.engine.driving.cancel(run).state is RunState.RUNNING, "nobody knows yet that it is dead"
        engine.start()
        view = engine.ended(run)
        assert view.state is RunState.CANCELLED
        assert {s.state for s in view.steps if s.id == STEP} == {"cancelled"}
        engine.app.engine.driving.resume(run)
        eventually(lambda: engine.count("starts", STEP) == 2)
        assert engine.run(run).attempt == 2


class TestAStoppedWorker:
    def test_stops_its_steps_and_leaves_the_run_to_others(self, engine: Engine) -> None:
        first = engine.start()
        run = engine.apply(engine.order(seconds=1))
        engine.in_step()
        signalled(first, signal.SIGTERM)
        first.join(PATIENCE)
        assert first.exitcode == 0
        assert engine.left() == []
        assert engine.run(run).state is RunState.RUNNING
        engine.start()
        engine.check_succeeded(run, again=STEP)

    def test_ends_even_while_runs_keep_arriving(self, engine: Engine) -> None:
        """A worker that is stopped while the queue hands it a run neither keeps the run nor waits for ever."""
        for number in range(4):
            worker = engine.start()
            run = engine.apply(engine.order(f"a-{number}", seconds=0.2))
            eventually(lambda: engine.run(run).state is not RunState.QUEUED)  # noqa: B023
            signalled(worker, signal.SIGTERM)
            worker.join(PATIENCE)
            assert worker.exitcode == 0
        engine.start()
        for run in range(1, 5):
            assert engine.ended(run).state is RunState.SUCCEEDED
        engine.check_nothing_overlapped()


class TestANewVersion:
    def test_leaves_runs_in_flight_to_workers_of_the_old_version(self, engine: Engine) -> None:
        """Runs that a worker of the new version must not continue wait for one of the old version, and are not lost."""
        old = engine.start()
        run = engine.apply(engine.order(seconds=1))
        engine.in_step()
        signalled(old, signal.SIGKILL)
        new = engine.start(version="raised")
        eventually(lambda: engine.left() == [])
        time.sleep(4)
        assert engine.count("starts", STEP) == 1
        assert engine.run(run).state is RunState.RUNNING
        other = engine.apply(engine.order("a-two", services="epsilon"))
        assert engine.ended(other).state is RunState.SUCCEEDED
        signalled(new, signal.SIGTERM)
        engine.start()
        engine.check_succeeded(run, again=STEP)
