"""Runs, as the engine drives them: what is recorded at every turn."""

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import InstanceMoved, RunMoved, StepFinished
from orchestrator.domain.runs.run import RunState, StepOutcome, StepState
from orchestrator.domain.selling.catalog import Verb
from orchestrator.ports.runs import Interrupted
from tests.usecases.conftest import House, order


class TestARun:
    def test_that_succeeds_brings_the_agency_into_service(self, house: House) -> None:
        run = house.apply(order(alpha={}, beta={}))
        assert run.state is RunState.SUCCEEDED
        assert house.states("a-one") == {"alpha": "in_service", "beta": "in_service"}

    def test_reports_its_events_in_order(self, house: House) -> None:
        run = house.apply(order())
        told = [e.what for e in house.observing.events(run=run.id)]
        assert [m.state for m in told if isinstance(m, RunMoved)] == ["queued", "running", "succeeded"]
        assert [m.state for m in told if isinstance(m, InstanceMoved)] == ["provisioning", "in_service"]

    def test_that_fails_leaves_what_worked_in_service(self, house: House) -> None:
        run = house.apply(order(alpha={}, beta={}), beta_provision=StepState.FAILED)
        assert (run.state, run.error) == (RunState.FAILED, "beta.provision failed")
        assert house.states("a-one") == {"alpha": "in_service", "beta": "failed"}

    def test_that_is_resumed_does_only_what_is_left(self, house: House) -> None:
        run = house.apply(order(alpha={}, beta={}), beta_verify=StepState.UNREACHABLE)
        resumed = house.drive(house.driving.resume(run.id))
        assert (resumed.state, resumed.attempt) == (RunState.SUCCEEDED, 2)
        attempts = {s.id: s.attempt for s in house.observing.run(run.id).steps}
        assert {a for step, a in attempts.items() if step != "beta.verify"} == {1}
        assert attempts["beta.verify"] == 2
        assert house.states("a-one")["beta"] == "in_service"

    @pytest.mark.parametrize("way", ["resumed", "planned again"])
    def test_that_is_continued_tells_its_steps_what_was_begun_before(self, house: House, way: str) -> None:
        run = house.apply(order(alpha={}, beta={}), beta_provision=StepState.FAILED)
        assert [a.step for a in house.assigned if a.again] == []
        if way == "resumed":
            house.drive(house.driving.resume(run.id))
        else:
            house.apply(order(alpha={}, beta={}))
        assert {a.step for a in house.assigned if a.again and a.verb is Verb.PROVISION} == {"beta.provision"}
        assert {a.step for a in house.assigned if a.again} <= {"beta.precheck", "beta.provision"}

    def test_cannot_be_resumed_after_a_later_run(self, house: House) -> None:
        first = house.apply(order(), alpha_provision=StepState.FAILED)
        house.apply(order())
        with pytest.raises(OrchestratorError) as refused:
            house.driving.resume(first.id)
        assert refused.value.kind is Kind.CONFLICT

    def test_cancelled_before_it_began_never_begins(self, house: House) -> None:
        run = house.provisioning.open_run(house.planning.plan(order()).id)
        assert house.driving.cancel(run.id).state is RunState.CANCELLED
        assert house.states("a-one") == {"alpha": "failed"}
        assert house.drive(house.driving.resume(run.id)).state is RunState.SUCCEEDED

    def test_that_is_given_up_fails_and_leaves_no_step_running(self, house: House) -> None:
        run = house.provisioning.open_run(house.planning.plan(order()).id)
        house.admit()
        house.driving.begin(run.id, run.attempt)
        house.driving.start(run.id, "alpha.precheck", worker="w")
        assert house.driving.give_up(run.id, run.attempt, "internal error").state is RunState.FAILED
        assert house.observing.run(run.id).steps[0].state is StepState.ERRORED

    def test_that_has_ended_is_not_driven_again_by_a_late_worker(self, house: House) -> None:
        run = house.apply(order(), alpha_verify=StepState.FAILED)
        assert not house.driving.begin(run.id, 1)
        house.driving.resume(run.id)
        house.admit()
        assert not house.driving.begin(run.id, 1), "the first attempt is over"
        assert house.driving.begin(run.id, 2)

    def test_in_the_way_of_another_is_named_instead_of_calling_the_plan_stale(self, house: House) -> None:
        first, second = house.planning.plan(order()), house.planning.plan(order())
        run = house.provisioning.open_run(first.id)
        with pytest.raises(OrchestratorError) as refused:
            house.provisioning.open_run(second.id)
        assert f"run {run.id} of a-one is queued" in refused.value.message

    def test_counts_only_the_last_attempt_of_a_step(self, house: House) -> None:
        run = house.provisioning.open_run(house.planning.plan(order()).id)
        house.admit()
        house.driving.begin(run.id, 1)
        lost = house.driving.start(run.id, "alpha.precheck", worker="w")
        house.driving.start(run.id, "alpha.precheck", worker="w")
        with pytest.raises(Interrupted):
            house.driving.finish(lost, StepOutcome(state=StepState.FAILED))
        assert house.observing.run(run.id).steps[0].state is StepState.RUNNING

    def test_records_an_outcome_once_even_if_its_commit_was_not_confirmed(self, house: House) -> None:
        run = house.provisioning.open_run(house.planning.plan(order()).id)
        house.admit()
        house.driving.begin(run.id, 1)
        started = house.driving.start(run.id, "alpha.precheck", worker="w")
        house.driving.finish(started, StepOutcome(state=StepState.SUCCEEDED))
        with pytest.raises(Interrupted):
            house.driving.finish(started, StepOutcome(state=StepState.SUCCEEDED))
        told = [e.what for e in house.observing.events(run=run.id)]
        assert len([t for t in told if isinstance(t, StepFinished)]) == 1

    def test_has_no_step_started_by_a_worker_declared_dead(self, house: House) -> None:
        run = house.provisioning.open_run(house.planning.plan(order()).id)
        house.admit()
        house.driving.begin(run.id, 1)
        with house.store.begin() as tx:
            tx.workers.leave("w")
        with pytest.raises(Interrupted):
            house.driving.start(run.id, "alpha.precheck", worker="w")
        assert house.observing.run(run.id).steps[0].state is StepState.PENDING

    def test_that_ends_leaves_no_step_running(self, house: House) -> None:
        """One of two steps failed, and the worker died in the other."""
        run = house.provisioning.open_run(house.planning.plan(order(alpha={}, beta={})).id)
        house.admit()
        house.driving.begin(run.id, 1)
        failed = house.driving.start(run.id, "alpha.precheck", worker="w")
        house.driving.start(run.id, "beta.precheck", worker="w")
        house.driving.finish(failed, StepOutcome(state=StepState.FAILED, error="no"))
        assert house.driving.begin(run.id, 1), "another worker takes over"
        assert house.driving.next_steps(run.id).ready == ()
        ended = house.driving.conclude(run.id, run.attempt)
        assert (ended.state, ended.error) == (RunState.FAILED, "alpha.precheck failed")
        states = {s.id: s.state for s in house.observing.run(run.id).steps}
        assert states["beta.precheck"] is StepState.CANCELLED
        assert house.drive(house.driving.resume(run.id)).state is RunState.SUCCEEDED


class TestAnUpdate:
    def test_records_what_was_ordered(self, house: House) -> None:
        house.apply(order(alpha={}))
        house.apply(order(alpha={"tier": "large"}))
        assert house.observing.agency("a-one").services[0].tier == "large"
        assert house.planning.plan(order(alpha={"tier": "large"})).plan.empty

    def test_to_fewer_hosts_releases_the_others(self, house: House) -> None:
        house.apply(order(epsilon={"quantity": 3}))
        run = house.apply(order(epsilon={"quantity": 1}))
        assert [s.id for s in house.observing.run(run.id).steps][-1] == "epsilon.retire"
        assert house.states("a-one") == {"epsilon": "in_service"}
        second = house.planning.plan(order("a-two", epsilon={"quantity": 2}))
        assert next(s.hosts for s in second.plan.steps) == ("m2", "m3")

    def test_without_a_component_retires_it_and_forgets_its_secrets(self, house: House) -> None:
        house.apply(order(alpha={}, beta={}))
        with house.store.read() as tx:
            before = tx.secrets.of("a-one", "alpha")
        house.apply(order(alpha={}))
        assert house.states("a-one") == {"alpha": "in_service", "beta": "retired"}
        with house.store.read() as tx:
            assert tx.secrets.of("a-one", "beta") == {}
            assert tx.secrets.of("a-one", "alpha") == before


class TestOffboarding:
    def test_returns_everything_and_the_agency_may_come_back(self, house: House) -> None:
        house.apply(order(alpha={}, epsilon={"quantity": 2}))
        house.drive(house.provisioning.open_run(house.planning.plan_offboarding("a-one").id))
        view = house.observing.agency("a-one")
        assert view.offboarded_at == house.clock.now()
        assert view.allocations == {}
        assert house.states("a-one") == {"alpha": "retired", "epsilon": "retired"}
        assert house.apply(order(alpha={})).state is RunState.SUCCEEDED
        assert house.observing.agency("a-one").offboarded_at is None

    def test_that_fails_half_way_keeps_what_is_still_there(self, house: House) -> None:
        house.apply(order(alpha={}, beta={}))
        plan = house.planning.plan_offboarding("a-one")
        house.drive(house.provisioning.open_run(plan.id), alpha_retire=StepState.FAILED)
        view = house.observing.agency("a-one")
        assert house.states("a-one") == {"alpha": "failed", "beta": "retired"}
        assert view.allocations["subnet"]
        assert view.offboarded_at is None
