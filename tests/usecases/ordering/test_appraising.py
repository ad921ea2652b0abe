"""What is reported of the data that a plan destroys: from the records, and from a look at the hosts."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.adapters import home_weights
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.site import Site
from orchestrator.domain.ordering.loss import LossKind
from orchestrator.domain.ordering.plan import PlanOptions, Purpose
from orchestrator.domain.runs.run import RunState
from orchestrator.domain.selling.catalog import Verb
from orchestrator.domain.selling.homes import Homes
from orchestrator.domain.service_levels.incidents import Incident, IncidentPriority
from orchestrator.usecases.ordering import appraising
from orchestrator.usecases.ordering.appraising import Appraisal, Appraising
from orchestrator.usecases.recovery.protecting import Protecting
from tests.usecases.conftest import House, order

PROGRAM = Path(home_weights.__file__).read_text(encoding="utf-8")
SERVICES = {"alpha": {}, "disaster-recovery": {}}


@dataclass
class ThisMachine:
    """Every host of the site, or none that answers."""

    down: bool = False
    asked: list[Sequence[str]] = field(default_factory=list)

    @contextmanager
    def connect(self, site: Site, host: str) -> Iterator["ThisMachine"]:
        if self.down:
            raise OrchestratorError(Kind.UNAVAILABLE, f"{host} did not answer")
        yield self

    def as_root(self, program: str, arguments: Sequence[str]) -> str:
        self.asked.append(arguments)
        done = subprocess.run(
            [sys.executable, "-", *arguments], input=program, capture_output=True, text=True, check=True
        )
        return done.stdout


@pytest.fixture
def machine() -> ThisMachine:
    return ThisMachine()


@pytest.fixture
def kept(house: House) -> House:
    """With an agency that has alpha and a keeper."""
    assigning = house.provisioning.assigning
    protecting = Protecting(source=house.planning.source, store=house.store, clock=house.clock, assigning=assigning)
    consequences = {**house.driving.consequences, Purpose.BACKUP: protecting}
    house = replace(house, driving=replace(house.driving, consequences=consequences))
    house.apply(order(**SERVICES))
    house.drive(protecting.open_run("a-one"))
    house.clock.turn(hours=3)
    return house


def appraised(house: House, machine: ThisMachine, **services: dict[str, object]) -> list[Appraisal]:
    appraiser = Appraising(house.planning.source, house.store, house.clock, machine, PROGRAM)
    return appraiser.losses(house.planning.plan(order(**services)).plan)


def test_existing_backups_are_counted_and_one_more_is_promised(kept: House, machine: ThisMachine) -> None:
    [one] = appraised(kept, machine, **{"disaster-recovery": {}})
    assert (one.component, one.kind, one.backups, one.final_backup) == ("alpha", LossKind.COMPONENT, 1, True)
    assert one.last_backup_at
    assert 10_000 < (kept.clock.now() - one.last_backup_at).total_seconds() < 11_000


def test_the_backup_is_taken_before_anything_is_removed(kept: House) -> None:
    run = kept.apply(order(**{"disaster-recovery": {}}))
    assert run.state is RunState.SUCCEEDED
    assert [a.step for a in kept.assigned if a.run == run.id] == ["alpha.backup", "alpha.retire"]
    backup = next(a for a in kept.assigned if a.run == run.id and a.verb is Verb.BACKUP)
    assert backup.writers, "it is told where backups go, and how it gets in"
    with kept.store.read() as tx:
        assert len(tx.backups.newest("a-one", "alpha")) == 2


def test_no_backup_is_planned_of_what_cannot_be_backed_up(kept: House) -> None:
    left = kept.planning.plan(order(**{"disaster-recovery": {}}), PlanOptions(final_backup=False)).plan
    assert [step.id for step in left.steps] == ["alpha.retire"]
    alone = kept.planning.plan_offboarding("a-one").plan
    assert [step.id for step in alone.steps if step.verb is Verb.BACKUP] == ["alpha.backup"]


def test_tickets_of_the_desk_are_counted(kept: House, machine: ThisMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appraising, "DESK", "alpha")
    now = kept.clock.now() - timedelta(hours=1)
    with kept.store.begin() as tx:
        tx.incidents.put("a-one", "7", Incident(priority=IncidentPriority.P3, reported_at=now, fixed_at=now))
        tx.incidents.put("a-one", "8", Incident(priority=IncidentPriority.P3, reported_at=now))
    [one] = appraised(kept, machine, **{"disaster-recovery": {}})
    assert (one.tickets, one.open_tickets, one.oldest_ticket_at) == (2, 1, now)


class TestHomes:
    @pytest.fixture
    def homes(self, kept: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The folder of them: Ada has one, Bob never logged in."""
        component = kept.planning.source.catalog().components["alpha"]
        homes = Homes(function="place", people="users", path=f"{tmp_path}/{{agency_id}}-{{person}}")
        monkeypatch.setitem(vars(component), "homes", homes)
        with kept.store.begin() as tx:
            instance = tx.instances.of("a-one")["alpha"]
            people = {**instance.parameters, "users": ["ada", "bob"]}
            tx.instances.put(instance.model_copy(update={"parameters": people}))
        (tmp_path / "a-one-ada").mkdir()
        (tmp_path / "a-one-ada" / "letter").write_bytes(b"x" * 1234)
        return tmp_path

    def test_are_measured_where_they_are(self, kept: House, machine: ThisMachine, homes: Path) -> None:
        [one] = appraised(kept, machine, **{"disaster-recovery": {}})
        [home] = one.homes
        assert (home.host, home.path, home.files, home.bytes) == ("here", f"{homes}/a-one-ada", 1, 1234)
        assert machine.asked == [[f"{homes}/a-one-ada", f"{homes}/a-one-bob"]]

    def test_on_hosts_that_do_not_answer_are_reported_as_unseen(self, kept: House, homes: Path) -> None:
        [one] = appraised(kept, ThisMachine(down=True), **{"disaster-recovery": {}})
        assert (one.homes, one.unseen) == ((), ("here did not answer",))


def test_the_program_follows_no_link_and_ignores_what_does_not_exist(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "deep").mkdir(parents=True)
    (home / "deep" / "letter").write_bytes(b"x" * 1234)
    (home / "elsewhere").symlink_to("/usr")
    (tmp_path / "link").symlink_to(home)
    told = ThisMachine().as_root(PROGRAM, [str(home), str(tmp_path / "nobody"), str(tmp_path / "link")])
    [one] = [home_weights.json.loads(line) for line in told.splitlines()]
    assert (one["path"], one["files"]) == (str(home), 1)
    assert one["bytes"] == 1234
