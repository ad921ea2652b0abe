"""Failing over and returning as the use-cases see them: what is recorded, what is measured, and what is refused."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.instance import InstanceState, ServiceInstance
from orchestrator.domain.ordering.plan import MOVES, Purpose
from orchestrator.domain.recovery.verdict import Verdict
from orchestrator.domain.runs.run import Run, RunState, StepOutcome, StepState
from orchestrator.domain.runs.run_options import Priority
from orchestrator.domain.selling.catalog import KEEPER, Verb
from orchestrator.ports.drilling import Rehearsal, Survey
from orchestrator.ports.runs import Assignment
from orchestrator.usecases.recovery.failing_over import FailingOver, MoveView
from orchestrator.usecases.recovery.surveying import Surveying
from orchestrator.usecases.runs.dispatching import Dispatching
from orchestrator.usecases.runs.driving import Driving
from tests.usecases.conftest import order
from tests.usecases.recovery.test_drilling import AGENCY, Playbooks, RecoveryHouse, ready, recovery

__all__ = ["ready", "recovery"]

SERVICES: dict[str, Any] = {"alpha": {}, KEEPER: {}}


@dataclass
class InPlace(Playbooks):
    """Brings the service itself back to what the newest backup holds. A step that is `broken` fails."""

    done: list[Assignment] = field(default_factory=list)
    broken: str = ""

    def run(self, assignment: Assignment, **told: Any) -> StepOutcome:
        self.done.append(assignment)
        if assignment.step == self.broken:
            return StepOutcome(state=StepState.FAILED, error="it broke")
        if assignment.verb is Verb.RESTORE and assignment.keeper:
            self.host.live.records = list(self.host.backups[-1][1])
        return super().run(assignment, **told)


@dataclass
class Disaster:
    """An agency whose service is lost."""

    recovery: RecoveryHouse
    failing_over: FailingOver
    playbooks: InPlace

    def open(self, purpose: Purpose, component: str = "alpha", **told: Any) -> Run:
        return self.failing_over.open_run(self.failing_over.plan(AGENCY, component, purpose, **told).id)

    def fail_over(self, **told: Any) -> Run:
        return self.recovery.drive(self.open(Purpose.FAILOVER, **told))

    def fail_back(self) -> Run:
        return self.recovery.drive(self.open(Purpose.FAILBACK))

    def instance(self) -> ServiceInstance:
        with self.recovery.house.store.read() as tx:
            return tx.instances.of(AGENCY)["alpha"]

    def where(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return dict(self.instance().hosts), dict(self.instance().elsewhere)

    def canaries(self) -> list[int]:
        with self.recovery.house.store.read() as tx:
            return [canary.number for canary in tx.canaries.of(AGENCY, "alpha")]

    def newest(self) -> MoveView:
        return self.failing_over.moves(AGENCY)[0]

    def refusal(self, purpose: Purpose, component: str = "alpha", **told: Any) -> OrchestratorError:
        with pytest.raises(OrchestratorError) as refused:
            self.open(purpose, component, **told)
        return refused.value

    def plans_nothing(self, **services: Any) -> bool:
        return self.recovery.house.planning.plan(order(AGENCY, **(services or SERVICES))).plan.empty


def disaster_of(recovery: RecoveryHouse) -> Disaster:
    """The same house, which can fail over."""
    house, playbooks = recovery.house, InPlace(recovery.host)
    source, store, assigning = house.planning.source, house.store, house.provisioning.assigning
    failing_over = FailingOver(source, store, house.clock, assigning, changing=house.provisioning)
    consequences = {**recovery.driving.consequences, **dict.fromkeys(MOVES, failing_over)}
    recovery.driving = Driving(source=source, store=store, clock=house.clock, consequences=consequences)
    rehearsals = recovery.runner.runners[Rehearsal]
    surveys = Surveying(store=store, hosts=recovery.host).run
    recovery.runner = Dispatching({Assignment: playbooks.run, Rehearsal: rehearsals, Survey: surveys})
    return Disaster(recovery, failing_over, playbooks)


@pytest.fixture
def disaster(ready: RecoveryHouse) -> Disaster:
    """Three canaries were backed up, two more written since."""
    return disaster_of(ready)


class TestAFailover:
    def test_moves_the_service_to_the_host_that_stands_by(self, disaster: Disaster) -> None:
        run = disaster.fail_over()
        assert (run.state, run.priority) == (RunState.SUCCEEDED, Priority.INCIDENT)
        assert disaster.where() == ({"place": ("spare",)}, {"place": ("here",)})
        assert disaster.instance().state is InstanceState.IN_SERVICE
        assert disaster.plans_nothing()
        assert "here" not in {host for one in disaster.playbooks.done if one.role for host in one.variables} - {"here"}

    def test_reads_the_backups_of_the_lost_host_and_then_writes_its_own(self, disaster: Disaster) -> None:
        disaster.fail_over()
        written = {one.verb: {h: w["name"] for h, w in one.writers.items()} for one in disaster.playbooks.done}
        assert written[Verb.RESTORE] == {"spare": "alpha.here"}
        assert written[Verb.BACKUP] == {"spare": "alpha.spare"}
        assert not any("here" in one.variables for one in disaster.playbooks.done if one.step.startswith("alpha"))

    def test_is_measured_by_what_came_back(self, disaster: Disaster) -> None:
        declared = disaster.recovery.house.clock.now()
        disaster.recovery.turn(minutes=2)
        run = disaster.fail_over(since=declared)
        told = disaster.newest()
        assert (told.run, told.kind, told.moved_from, told.moved_to) == (run.id, "failover", ("here",), ("spare",))
        assert (told.known_by, told.acknowledged, told.lost) == ("canaries", 5, 2)
        assert told.declared_at == declared
        assert told.recovered_at is not None
        assert told.rto_seconds == (told.recovered_at - declared).total_seconds() > 120
        assert told.rpo_seconds is not None
        assert 120 < told.rpo_seconds < told.rpo_objective_seconds

    def test_goes_on_with_the_canaries_that_came_back(self, disaster: Disaster) -> None:
        disaster.fail_over()
        assert disaster.canaries() == [1, 2, 3]
        disaster.recovery.canaries(1)
        disaster.recovery.back_up()
        drill = disaster.recovery.drill()
        assert drill.verdict is Verdict.PASS, drill.reason

    def test_that_is_given_up_leaves_the_service_where_it_was(self, disaster: Disaster) -> None:
        disaster.playbooks.broken = "alpha.provision"
        failed = disaster.fail_over()
        assert failed.state is RunState.FAILED
        assert disaster.where() == ({"place": ("here",)}, {"place": ("spare",)})
        assert disaster.instance().state is InstanceState.FAILED
        run = disaster.fail_back()
        assert [s.id for s in self.steps(disaster, run)] == ["alpha.retire", f"{KEEPER}.provision", f"{KEEPER}.verify"]
        assert disaster.where() == ({"place": ("here",)}, {})

    def test_can_be_resumed_where_it_stopped(self, disaster: Disaster) -> None:
        disaster.playbooks.broken = "alpha.provision"
        failed = disaster.fail_over()
        disaster.playbooks.broken = ""
        run = disaster.recovery.drive(disaster.recovery.driving.resume(failed.id))
        assert run.state is RunState.SUCCEEDED
        assert disaster.where() == ({"place": ("spare",)}, {"place": ("here",)})
        assert {s.id: s.attempt for s in self.steps(disaster, run)}["alpha.restore"] == 1

    def test_tells_the_services_that_need_it(self, recovery: RecoveryHouse) -> None:
        services = {**SERVICES, "beta": {}}
        recovery.house.apply(order(AGENCY, **services))
        recovery.canaries(1)
        recovery.back_up()
        disaster = disaster_of(recovery)
        run = disaster.fail_over()
        steps = {step.id: step.needs for step in self.steps(disaster, run)}
        assert steps["beta.provision"] == ("alpha.verify",)
        (told,) = [one for one in disaster.playbooks.done if one.step == "beta.provision"]
        needs = told.variables["here"]["journal_needs"]
        assert [host["name"] for host in needs["alpha"]["place"]] == ["spare"]
        assert disaster.plans_nothing(**services)

    def test_is_stale_when_there_is_a_newer_backup(self, disaster: Disaster) -> None:
        plan = disaster.failing_over.plan(AGENCY, "alpha", Purpose.FAILOVER)
        disaster.recovery.turn(minutes=1)
        disaster.recovery.back_up()
        with pytest.raises(OrchestratorError, match="is stale"):
            disaster.failing_over.open_run(plan.id)

    def steps(self, disaster: Disaster, run: Run) -> list[Any]:
        with disaster.recovery.house.store.read() as tx:
            return tx.runs.steps(run.id)


class TestAReturn:
    def test_brings_the_service_home_and_removes_every_other_copy(self, disaster: Disaster) -> None:
        disaster.fail_over()
        disaster.recovery.canaries(2)
        disaster.playbooks.done.clear()
        assert disaster.fail_back().state is RunState.SUCCEEDED
        assert disaster.where() == ({"place": ("here",)}, {})
        done = [(one.step, *one.variables) for one in disaster.playbooks.done if one.step.startswith("alpha")]
        assert done == [
            ("alpha.precheck", "here"),
            ("alpha.retire.stale", "here"),
            ("alpha.backup", "spare"),
            ("alpha.restore", "here"),
            ("alpha.provision", "here"),
            ("alpha.verify", "here"),
            ("alpha.retire", "spare"),
            ("alpha.backup.again", "here"),
        ]
        (restored,) = [one for one in disaster.playbooks.done if one.verb is Verb.RESTORE]
        assert restored.writers["here"]["name"] == "alpha.spare"
        assert disaster.canaries() == [1, 2, 3, 4, 5], "nothing is lost"
        assert (disaster.newest().known_by, disaster.newest().lost) == ("backup", 0)
        assert disaster.plans_nothing()

    def test_lets_nobody_write_what_would_be_lost(self, recovery: RecoveryHouse) -> None:
        services = {**SERVICES, "beta": {}}
        recovery.house.apply(order(AGENCY, **services))
        recovery.back_up()
        disaster = disaster_of(recovery)
        disaster.fail_over()
        disaster.playbooks.broken = "alpha.backup"
        assert disaster.fail_back().state is RunState.FAILED
        assert recovery.house.states(AGENCY)["beta"] == "failed", "the next plan opens it again"
        disaster.playbooks.broken = ""
        recovery.drive(recovery.driving.resume(disaster.newest().run))
        done = [one.step for one in disaster.playbooks.done]
        assert done.index("beta.provision.shut") < done.index("alpha.backup", done.index("beta.provision.shut"))
        assert done.index("alpha.verify") < len(done) - 1 - done[::-1].index("beta.provision")
        assert disaster.newest().rpo_seconds == 0
        assert disaster.plans_nothing(**services)


class TestRefusals:
    def test_name_what_is_in_the_way(self, disaster: Disaster) -> None:
        refusals = [
            (disaster.refusal(Purpose.FAILBACK), "has not failed over"),
            (disaster.refusal(Purpose.FAILOVER, "gamma"), "is not backed up"),
        ]
        disaster.fail_over()
        refusals.append((disaster.refusal(Purpose.FAILOVER), "has failed over already: spare serves it"))
        assert {refused.kind for refused, _ in refusals} == {Kind.CONFLICT}
        for refused, says in refusals:
            assert says in refused.message
        late = disaster.recovery.house.clock.now() + timedelta(hours=1)
        assert disaster.refusal(Purpose.FAILBACK, since=late).kind is Kind.INVALID

    def test_include_a_site_without_hosts_that_stand_by(
        self, disaster: Disaster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = disaster.failing_over.source
        site = source.site("bench")
        hosts = {name: host for name, host in site.hosts.items() if name != "spare"}
        monkeypatch.setattr(type(source), "site", lambda *_: site.model_copy(update={"hosts": hosts}))
        assert "no host of site bench stands by for places" in disaster.refusal(Purpose.FAILOVER).message

    def test_include_what_was_never_backed_up_and_an_agency_with_an_open_run(self, recovery: RecoveryHouse) -> None:
        disaster = disaster_of(recovery)
        assert "was never backed up" in disaster.refusal(Purpose.FAILOVER).message
        recovery.back_up()
        run = recovery.protecting.open_run(AGENCY)
        assert f"run {run.id}" in disaster.refusal(Purpose.FAILOVER).message


def test_an_agency_that_leaves_after_a_failover_is_removed_from_both_hosts(disaster: Disaster) -> None:
    disaster.fail_over()
    house = disaster.recovery.house
    plan = house.planning.plan_offboarding(AGENCY)
    (retire,) = [step for step in plan.plan.steps if step.id == "alpha.retire"]
    assert retire.hosts == ("here", "spare")
    disaster.recovery.drive(house.provisioning.open_run(plan.id))
    assert disaster.where()[1] == {}
    again = house.planning.plan(order(AGENCY, **SERVICES)).plan.desired["alpha"]
    assert again is not None
    assert again.hosts == {"place": ("here",)}
