"""The use-cases over a store and the small world's files, with a clock that tests can turn."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.catalog_files.source import CatalogFiles
from orchestrator.adapters.keys.secret_box import SecretBox, make_key
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.runs.admission import Limits
from orchestrator.domain.runs.run import Counts, Run, StepOutcome, StepState
from orchestrator.domain.selling.agreement import CallOff
from orchestrator.ports.runs import Assignment
from orchestrator.ports.store import Store
from orchestrator.usecases.observing import Observing
from orchestrator.usecases.ordering.planning import Planning
from orchestrator.usecases.ordering.provisioning import Provisioning
from orchestrator.usecases.runs.admitting import Admitting
from orchestrator.usecases.runs.assigning import Assigning
from orchestrator.usecases.runs.driving import Driving
from orchestrator.usecases.service_levels.contracts import Contracts
from orchestrator.usecases.service_levels.metering import Metering
from tests.conftest import WORLD
from tests.domain.service_levels.vectors import is_bank_holiday
from tests.stores import KINDS, MEMORY, REAL, HandOver, open_store


class TurnableClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def turn(self, **how: float) -> None:
        self.time += timedelta(**how)


@dataclass
class Handed:
    """The engine's queue: which runs were handed over, and what else happens `then`."""

    runs: list[int] = field(default_factory=list)
    then: HandOver = lambda *_: None

    def __call__(self, session: Any, run: int, attempt: int) -> None:
        self.runs.append(run)
        self.then(session, run, attempt)


@dataclass(frozen=True)
class House:
    """The use-cases of one state directory. `assigned` is what was to be done by steps that were driven here."""

    store: Store
    clock: TurnableClock
    planning: Planning
    provisioning: Provisioning
    driving: Driving
    observing: Observing
    admitting: Admitting
    handed: Handed
    assigned: list[Assignment] = field(default_factory=list)

    def admit(self) -> int:
        """What the queue lets go on, as a worker would ask for it."""
        return self.admitting.admit()

    def drive(self, run: Run, **ends: StepState) -> Run:
        """The run to its end, as the engine would; `alpha_verify=FAILED` makes that step end so."""
        self.admit()
        assert self.driving.begin(run.id, run.attempt)
        while steps := self.driving.next_steps(run.id).ready:
            for step in steps:
                self.clock.turn(seconds=10)
                started = self.driving.start(run.id, step.id, worker="w")
                assert started is not None
                self.assigned.append(started.work)
                end = ends.get(step.id.replace(".", "_"), StepState.SUCCEEDED)
                error = None if end is StepState.SUCCEEDED else f"{step.id} went wrong"
                self.driving.finish(started, StepOutcome(state=end, counts=Counts(ok=1), error=error))
        return self.driving.conclude(run.id, run.attempt)

    def apply(self, order: CallOff, **ends: StepState) -> Run:
        return self.drive(self.provisioning.open_run(self.planning.plan(order).id), **ends)

    def states(self, agency: str) -> dict[str, str]:
        return {s.component: s.status for s in self.observing.agency(agency).services}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """In memory; over real databases what only they can show, and everything when that is asked for."""
    if "store" in metafunc.fixturenames:
        real = metafunc.definition.get_closest_marker("real_databases")
        usual = REAL if real else (MEMORY,)
        metafunc.parametrize("store", KINDS if metafunc.config.getoption("databases") else usual, indirect=True)


@pytest.fixture
def handed() -> Handed:
    return Handed()


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path, handed: Handed) -> Iterator[Store]:
    with open_store(request.param, request, tmp_path, hand_over=handed) as made:
        yield made


@pytest.fixture(scope="session")
def small_world() -> CatalogFiles:
    """Its files, of which the catalog is read once."""
    return CatalogFiles(
        catalog_dir=WORLD / "catalog", inventories_dir=WORLD / "inventories", playbooks_dir=WORLD / "playbooks"
    )


@pytest.fixture
def house(store: Store, handed: Handed, small_world: CatalogFiles, tmp_path: Path) -> House:
    make_key(tmp_path / "key")
    source, clock = small_world, TurnableClock()
    planning = Planning(source=source, store=store, clock=clock)
    secrets = SecretBox(tmp_path / "key")
    assigning = Assigning(source=source, clock=clock, secrets=secrets)
    provisioning = Provisioning(store=store, clock=clock, planning=planning, assigning=assigning)
    changes = dict.fromkeys((Purpose.ONBOARD, Purpose.CHANGE, Purpose.OFFBOARD), provisioning)
    driving = Driving(source=source, store=store, clock=clock, consequences=changes)
    limits = Limits(runs=4, site=3, host=2)
    admitting = Admitting(store=store, limits=limits, lease=timedelta(days=1))
    metering = Metering(Contracts(source, is_bank_holiday, holidays="2026"))
    observing = Observing(source=source, store=store, clock=clock, admitting=admitting, metering=metering)
    with store.begin() as tx:
        for worker in ("w", "v"):
            tx.workers.join(worker, host="here", runs=100)
    return House(store, clock, planning, provisioning, driving, observing, admitting, handed)


def order(agency: str = "a-one", *, site: str = "bench", seats: int = 10, **services: dict[str, Any]) -> CallOff:
    contact = {"role": "manager", "name": "M", "email": "m@a.example"}
    return CallOff.model_validate(
        {
            "framework": "trial",
            "agency": {"id": agency, "name": agency, "class": "agency", "seats": seats, "contacts": [contact]},
            "site": site,
            "term": {"start": "2026-12-01", "months": 12},
            "services": {name: {"tier": "standard", **given} for name, given in (services or {"alpha": {}}).items()},
        }
    )
