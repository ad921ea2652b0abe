"""A database, real worker processes on it, and what they did."""

import multiprocessing
import multiprocessing.process
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.bootstrap import Application
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import StepStarted
from orchestrator.domain.runs.run import OPEN_RUN, RunState
from orchestrator.domain.selling.agreement import CallOff
from orchestrator.settings import DatabaseSettings, Settings, WorkerSettings
from orchestrator.usecases.runs.views import RunView
from tests.adapters.engine import program
from tests.adapters.engine.program import Mishap
from tests.conftest import WORLD
from tests.databases import install
from tests.entrypoints.cli.conftest import eventually, processes_mentioning
from tests.usecases.conftest import order

QUICK = WorkerSettings(beat_seconds=0.3, tick_seconds=0.1)

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([program.__name__])

Worker = multiprocessing.process.BaseProcess


@dataclass
class Engine:
    """One database, and the workers of a test."""

    settings: Settings
    journal: Path
    workers: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.app = Application(self.settings)

    def start(
        self,
        *,
        mishap: Mishap | None = None,
        port: int | None = None,
        lease: float | None = None,
        version: str | None = None,
    ) -> Worker:
        settings = self.settings
        if lease:
            knobs = settings.worker.model_copy(update={"lease_seconds": lease, "beat_seconds": lease / 4})
            settings = settings.model_copy(update={"worker": knobs})
        worker = _processes.Process(target=program.main, args=(settings, port, mishap, version))
        worker.start()
        self.workers.append(worker)
        return worker

    def order(self, agency: str = "a-one", *, seconds: float = 0, services: str = "alpha") -> CallOff:
        parameters = {"journal": str(self.journal), "sleep": seconds}
        return order(agency, **{name: {"parameters": parameters} for name in services.split()})

    def apply(self, call_off: CallOff) -> int:
        """Queue a run and return its id. Retries when the database times out on a busy machine."""

        def opened() -> int | None:
            try:
                return self.app.ordering.provisioning.open_run(self.app.ordering.planning.plan(call_off).id).id
            except OrchestratorError as error:
                if error.kind is not Kind.UNAVAILABLE:
                    raise
                return None

        run: int = eventually(opened)
        return run

    def run(self, run: int) -> RunView:
        return self.app.observing.run(run)

    def ended(self, run: int) -> RunView:
        """Return the run when it is over. Retries when the database times out on a busy machine."""

        def over() -> RunView | None:
            try:
                view = self.run(run)
            except OrchestratorError as error:
                if error.kind is not Kind.UNAVAILABLE:
                    raise
                return None
            return view if view.state not in OPEN_RUN else None

        found: RunView = eventually(over)
        return found

    def at_work(self, run: int) -> str:
        """The worker that started the run's latest step."""
        return [e.what.worker for e in self.app.observing.events(run=run) if isinstance(e.what, StepStarted)][-1]

    def lines(self, what: str = "") -> list[str]:
        """The journal's lines with this word: `AGENCY RUN STEP`, without the time and the word."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return [line for line in lines if what in line]

    def count(self, word: str, step: str) -> int:
        return sum(line.split()[1] == word and line.split()[4] == step for line in self.lines())

    def in_step(self, step: str = "alpha.provision", times: int = 1) -> None:
        """Return when the step has been started this often."""
        eventually(lambda: self.count("starts", step) >= times)

    def check_succeeded(self, run: int, *, again: str | None = None, attempts: int = 2) -> None:
        """Check that the run succeeded, every step ran once (`again` as often as attempted), and nothing is left."""
        view = self.ended(run)
        assert view.state is RunState.SUCCEEDED, view
        assert {s.id: s.attempt for s in view.steps} == {s.id: attempts if s.id == again else 1 for s in view.steps}
        for step in view.steps:
            assert self.count("starts", step.id) <= step.attempt
            assert step.id == again or self.count("ends", step.id) == 1
        self.check_nothing_overlapped()
        assert self.left() == []

    def check_nothing_overlapped(self) -> None:
        assert self.lines(" overlaps ") == []
        agencies: dict[str, list[str]] = {}
        for line in self.lines():
            agencies.setdefault(line.split()[2], []).append(line.split()[3])
        for runs in agencies.values():
            changes = [b for a, b in pairwise(runs) if a != b]
            assert len(changes) == len(set(runs)) - 1, "one run of an agency after the other"

    def end_workers(self) -> None:
        """Kill the remaining workers."""
        for worker in self.workers:
            if worker.is_alive():
                worker.kill()
                worker.join(10)

    def close(self) -> None:
        self.end_workers()
        self.app.close()

    def left(self) -> list[str]:
        """Remaining processes of steps."""
        return processes_mentioning(str(self.journal))


def settings_for(url: str, folder: Path) -> Settings:
    """The small world on a database, with room for many agencies."""
    inventories = folder / "inventories"
    shutil.copytree(WORLD / "inventories", inventories)
    facts = inventories / "bench" / "group_vars" / "all.yml"
    facts.write_text(facts.read_text().replace("last: 6", "last: 99"))
    settings = Settings(
        home=folder,
        catalog=WORLD / "catalog",
        playbooks=WORLD / "playbooks",
        inventories=inventories,
        database=DatabaseSettings(url=url),
        worker=QUICK,
    )
    install(settings)
    return settings


@pytest.fixture
def engine(url: str, tmp_path: Path) -> Iterator[Engine]:
    """The engine; its workers are killed afterwards."""
    engine = Engine(settings_for(url, tmp_path), tmp_path / "journal")
    yield engine
    engine.close()


def signalled(worker: Worker, sign: signal.Signals) -> None:
    assert worker.pid
    os.kill(worker.pid, sign)
