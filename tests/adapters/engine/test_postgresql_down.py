"""The database goes down during a step, for a short or a long time, and many workers share one PostgreSQL."""

import signal
import time
from pathlib import Path

import pytest

from orchestrator.adapters.engine.liveness import FENCED
from orchestrator.domain.runs.run import RunState
from orchestrator.settings import WorkerSettings
from tests.adapters.engine.conftest import Engine, signalled
from tests.databases import PostgresDatabases
from tests.entrypoints.cli.conftest import PATIENCE, eventually
from tests.entrypoints.http.test_serve import answers, free_port
from tests.postgres import Postgres

pytestmark = pytest.mark.slow

STEP = "alpha.provision"


@pytest.fixture
def url(postgres_databases: PostgresDatabases, tmp_path: Path) -> str:
    return postgres_databases.current(tmp_path)


class TestPostgresql:
    def test_restarted_during_a_step_does_not_disturb_the_run(self, engine: Engine, postgres: Postgres) -> None:
        engine.start(lease=8)
        run = engine.apply(engine.order(seconds=3))
        engine.in_step()
        postgres.stop()
        time.sleep(1)
        postgres.start()
        engine.check_succeeded(run)

    def test_down_when_a_step_ends_gets_its_outcome_later(self, engine: Engine, postgres: Postgres) -> None:
        engine.start(lease=12)
        run = engine.apply(engine.order(seconds=1))
        engine.in_step()
        postgres.stop()
        eventually(lambda: engine.count("ends", STEP) == 1)
        time.sleep(1)
        postgres.start()
        engine.check_succeeded(run)

    def test_down_for_longer_than_the_lease_stops_the_worker_and_its_step(
        self, engine: Engine, postgres: Postgres
    ) -> None:
        worker = engine.start()
        run = engine.apply(engine.order(seconds=2.5))
        engine.in_step()
        postgres.stop()
        try:
            worker.join(PATIENCE)
            assert worker.exitcode == FENCED
            eventually(lambda: engine.left() == [])
        finally:
            postgres.start()
        engine.start()
        engine.check_succeeded(run, again=STEP)

    def test_back_after_a_while_buries_no_worker_that_is_still_alive(self, engine: Engine, postgres: Postgres) -> None:
        """Every lease looks expired when the database comes back: nobody may be declared dead for that."""
        workers = [engine.start(lease=15) for _ in range(3)]
        eventually(lambda: len(engine.app.engine.live_workers()) == 3)
        time.sleep(15.5)
        postgres.stop()
        time.sleep(2.5)
        postgres.start()
        time.sleep(4)
        assert all(w.is_alive() for w in workers)


class TestADeadWorker:
    def test_is_replaced_long_before_its_lease_expires(self, engine: Engine) -> None:
        """The lease is an hour: only the end of its process shows that it is dead."""
        engine.settings = engine.settings.model_copy(update={"worker": WorkerSettings(lease_seconds=3600)})
        workers = [engine.start(), engine.start()]
        eventually(lambda: len(engine.app.engine.live_workers()) == 2)
        run = engine.apply(engine.order(seconds=3))
        engine.in_step()
        victim = next(w for w in workers if f"-{w.pid}-" in engine.at_work(run))
        signalled(victim, signal.SIGKILL)
        eventually(lambda: len(engine.app.engine.live_workers()) == 1)
        engine.in_step(times=2)
        engine.check_succeeded(run, again=STEP)


class TestManyWorkers:
    def test_and_servers_finish_every_run_and_repeat_no_step(self, engine: Engine) -> None:
        ports = [free_port(), free_port()]
        for port in ports:
            engine.start(port=port)
        for _ in range(3):
            engine.start()
        agencies = [f"agency-{number}" for number in range(12)]
        runs = [engine.apply(engine.order(agency, seconds=0.1, services="alpha beta")) for agency in agencies]
        again = []
        for agency, run in zip(agencies, runs, strict=True):
            assert engine.ended(run).state is RunState.SUCCEEDED
            again.append(engine.apply(engine.order(agency, seconds=0.2, services="alpha beta")))
        for run in again:
            assert engine.ended(run).state is RunState.SUCCEEDED
        for run in runs + again:
            assert {s.attempt for s in engine.run(run).steps} == {1}
        lines = [line.split(maxsplit=1)[1] for line in engine.lines()]
        assert len(lines) == len(set(lines)), "every step of every run was done once"
        engine.check_nothing_overlapped()
        assert all(answers(port) for port in ports)
        assert engine.left() == []
