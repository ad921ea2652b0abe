"""Backups of an agency that left: held with their passwords, returned to it alone, destroyed by their own command."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.plan import PlanOptions, Purpose
from orchestrator.domain.runs.assignment import of_writer
from orchestrator.domain.runs.run import RunState, StepState
from orchestrator.domain.selling.catalog import Verb
from orchestrator.usecases.ordering.holding import Holding
from orchestrator.usecases.recovery.protecting import Protecting
from tests.usecases.conftest import House, order

AGENCY, KEEPER = "a-one", "disaster-recovery"
SERVICES = {"alpha": {}, KEEPER: {}}


@dataclass(frozen=True)
class KeepingHouse:
    house: House
    holding: Holding
    protecting: Protecting

    def leave(self, agency: str = AGENCY, *, final_backup: bool = True, **ends: StepState) -> RunState:
        plan = self.house.planning.plan_offboarding(agency, PlanOptions(final_backup=final_backup))
        return self.house.drive(self.house.provisioning.open_run(plan.id), **ends).state

    def secrets(self, agency: str = AGENCY) -> dict[str, bytes]:
        with self.house.store.read() as tx:
            return tx.secrets.of(agency, KEEPER)

    def told(self) -> list[tuple[str, object]]:
        """What the keeper's role was told when it retired, of each time."""
        retired = [a for a in self.house.assigned if a.verb is Verb.RETIRE and a.step.startswith(KEEPER)]
        return [(a.role, v) for a in retired for host in a.variables.values() for k, v in host.items() if "_hold" in k]


@pytest.fixture
def keeping(house: House) -> Iterator[KeepingHouse]:
    parts = {"source": house.planning.source, "store": house.store, "clock": house.clock}
    assigning = house.provisioning.assigning
    holding, protecting = Holding(assigning=assigning, **parts), Protecting(assigning=assigning, **parts)
    consequences = {**house.driving.consequences, Purpose.BACKUP: protecting, Purpose.DESTROY: holding}
    yield KeepingHouse(replace(house, driving=replace(house.driving, consequences=consequences)), holding, protecting)


@pytest.fixture
def left(keeping: KeepingHouse) -> KeepingHouse:
    """An agency that was backed up and has left."""
    keeping.house.apply(order(**SERVICES))
    keeping.house.drive(keeping.protecting.open_run(AGENCY))
    assert keeping.leave() is RunState.SUCCEEDED
    return keeping


class TestHeldBackups:
    def test_are_kept_for_as_long_as_the_agreement_says(self, left: KeepingHouse) -> None:
        [held] = left.holding.held()
        assert (held.agency, held.host) == (AGENCY, "here")
        assert held.until - held.since == timedelta(days=30)
        assert left.house.observing.agency(AGENCY).held_backups == (held,)
        assert left.told() == [("journal", True)]

    def test_can_be_opened_but_no_longer_written_to(self, left: KeepingHouse) -> None:
        assert set(left.secrets()) == {"repository_password"}
        opened = left.house.provisioning.assigning.secrets.open(left.secrets()["repository_password"])
        assert left.holding.password(AGENCY, AGENCY) == f"{opened}\n"
        assert left.holding.password(AGENCY, "desk.d1") == f"{of_writer('desk', 'd1', opened)}\n"
        with pytest.raises(OrchestratorError, match="has no repository called 'desk'"):
            left.holding.password(AGENCY, "desk")

    def test_keep_the_agencys_number_from_others(self, left: KeepingHouse) -> None:
        assert left.house.observing.agency(AGENCY).allocations == {"number": "1"}
        left.house.apply(order("a-two", **SERVICES))
        assert left.house.observing.agency("a-two").allocations["number"] == "2"

    def test_are_none_if_no_backup_was_ever_taken(self, keeping: KeepingHouse) -> None:
        keeping.house.apply(order(**SERVICES))
        assert keeping.leave(final_backup=False) is RunState.SUCCEEDED
        assert (keeping.holding.held(), keeping.secrets()) == ([], {})
        assert keeping.told() == [("journal", False)]
        assert keeping.house.observing.agency(AGENCY).allocations == {}

    def test_remain_when_only_the_keeper_is_removed(self, keeping: KeepingHouse) -> None:
        keeping.house.apply(order(**SERVICES))
        keeping.house.drive(keeping.protecting.open_run(AGENCY))
        keeping.house.apply(order(alpha={}))
        assert [held.host for held in keeping.holding.held(AGENCY)] == ["here"]
        keeping.house.drive(keeping.holding.open_run(AGENCY, early="it was a trial"))
        assert keeping.secrets() == {}
        assert keeping.house.observing.agency(AGENCY).allocations["number"] == "1", "the agency is still there"

    def test_are_not_recorded_before_the_repository_is_stopped(self, keeping: KeepingHouse) -> None:
        keeping.house.apply(order(**SERVICES))
        keeping.house.drive(keeping.protecting.open_run(AGENCY))
        assert keeping.leave(**{"disaster-recovery_retire": StepState.FAILED}) is RunState.FAILED
        assert keeping.holding.held() == []
        assert "writer_password" in keeping.secrets()


class TestComingBack:
    def test_gives_the_agency_its_backups_back(self, left: KeepingHouse) -> None:
        before = left.secrets()["repository_password"]
        assert left.house.apply(order(**SERVICES)).state is RunState.SUCCEEDED
        assert left.holding.held() == []
        assert left.secrets()["repository_password"] == before
        assert left.house.observing.agency(AGENCY).allocations["number"] == "1"

    def test_is_refused_to_another_agency_of_the_same_id(self, left: KeepingHouse) -> None:
        other = order(**SERVICES)
        other = other.model_copy(update={"agency": other.agency.model_copy(update={"name": "Another One"})})
        with pytest.raises(OrchestratorError) as refused:
            left.house.planning.plan(other)
        assert refused.value.kind is Kind.CONFLICT
        assert "belongs to a-one" in refused.value.message
        left.house.drive(left.holding.open_run(AGENCY, early="another agency takes the id"))
        assert left.house.planning.plan(other, renamed=True)


class TestDestroying:
    def test_is_refused_before_the_date_unless_a_reason_is_given(self, left: KeepingHouse) -> None:
        left.house.clock.turn(days=29)
        with pytest.raises(OrchestratorError, match="must be held until") as refused:
            left.holding.open_run(AGENCY)
        assert "--early" in (refused.value.hint or "")
        with pytest.raises(OrchestratorError, match="one line of printable text"):
            left.holding.open_run(AGENCY, early="two\nlines")
        assert all(run.state == "succeeded" for run in left.house.observing.runs(agency=AGENCY))
        run = left.holding.open_run(AGENCY, early="asked for in writing")
        assert left.house.store.read().__enter__().runs.steps(run.id)[0].because.endswith(": asked for in writing")

    def test_leaves_nothing_once_it_has_succeeded(self, left: KeepingHouse) -> None:
        left.house.clock.turn(days=30)
        run = left.house.drive(left.holding.open_run(AGENCY))
        assert (run.state, run.purpose) == (RunState.SUCCEEDED, Purpose.DESTROY)
        assert left.told()[-1] == ("journal", False)
        assert (left.holding.held(), left.secrets()) == ([], {})
        assert left.house.observing.agency(AGENCY).allocations == {}
        with pytest.raises(OrchestratorError, match="no backups of a-one are held"):
            left.holding.open_run(AGENCY)
        left.house.apply(order(**SERVICES))
        left.leave(final_backup=False)
        assert left.holding.held() == [], "what was destroyed is not held once more"

    def test_forgets_nothing_when_it_fails_and_can_be_resumed(self, left: KeepingHouse) -> None:
        left.house.clock.turn(days=30)
        run = left.house.drive(left.holding.open_run(AGENCY), **{"disaster-recovery_retire": StepState.FAILED})
        assert run.state is RunState.FAILED
        assert (len(left.holding.held()), "repository_password" in left.secrets()) == (1, True)
        assert left.house.drive(left.house.driving.resume(run.id)).state is RunState.SUCCEEDED
        assert left.secrets() == {}

    def test_needs_the_host_that_has_the_backups(self, left: KeepingHouse) -> None:
        with left.house.store.begin() as tx:
            [held] = tx.backups.held(AGENCY)
            tx.backups.hold(held.model_copy(update={"host": "gone"}))
        with pytest.raises(OrchestratorError, match="gone, where backups of a-one are held"):
            left.holding.open_run(AGENCY, early="why not")
