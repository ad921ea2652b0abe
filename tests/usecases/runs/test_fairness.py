"""Concurrent runs: who goes first, who waits and for what, and what is tried again or rolled back."""

from datetime import timedelta

from orchestrator.domain.events import StepPostponed
from orchestrator.domain.runs.run import Run, RunState, StepOutcome, StepState
from orchestrator.domain.runs.run_options import OnFailure, Priority, RunOptions
from orchestrator.domain.runs.waits import ForRetry, ForRun
from orchestrator.domain.selling.agreement import CallOff
from orchestrator.usecases.runs.retaining import Retaining
from tests.usecases.conftest import House, order


def queued(house: House, call_off: CallOff, priority: Priority = Priority.CHANGE) -> Run:
    return house.provisioning.open_run(house.planning.plan(call_off).id, RunOptions(priority=priority))


def states(house: House, *runs: Run) -> list[str]:
    return [house.observing.run(run.id).state.value for run in runs]


def running(house: House, run: Run, *steps: str) -> None:
    """The run with these steps done and nothing else begun."""
    house.admit()
    assert house.driving.begin(run.id, run.attempt)
    for step in steps:
        started = house.driving.start(run.id, step, worker="w")
        assert started
        house.driving.finish(started, StepOutcome(state=StepState.SUCCEEDED))


class TestTheQueue:
    def test_lets_two_runs_onto_one_host_and_names_the_one_that_the_third_waits_for(self, house: House) -> None:
        runs = [queued(house, order(f"agency-{n}")) for n in "abc"]
        assert house.admit() == 2
        assert states(house, *runs) == ["admitted", "admitted", "queued"]
        assert house.observing.run(runs[2].id).waits_for == "for run 1 of agency-a on here"
        assert house.admit() == 0
        house.drive(runs[0])
        assert house.admit() == 1
        assert states(house, *runs) == ["succeeded", "admitted", "admitted"]
        assert house.observing.run(runs[2].id).waits_for == "for a worker"

    def test_takes_an_incident_before_a_change_and_a_change_before_a_drill(self, house: House) -> None:
        urgency = {"agency-a": Priority.DRILL, "agency-b": Priority.CHANGE, "agency-c": Priority.INCIDENT}
        runs = [queued(house, order(agency), priority) for agency, priority in urgency.items()]
        house.admit()
        assert states(house, *runs) == ["queued", "admitted", "admitted"]

    def test_admits_no_more_than_the_living_workers_can_take(self, house: House) -> None:
        with house.store.begin() as tx:
            tx.workers.leave("w")
            tx.workers.leave("v")
        run = queued(house, order())
        assert house.admit() == 0
        assert house.observing.run(run.id).waits_for == "for a worker"


class TestTwoRunsOnOneHost:
    def test_never_change_an_exclusive_component_at_the_same_time(self, house: House) -> None:
        first, second = queued(house, order("agency-a")), queued(house, order("agency-b"))
        running(house, first, "alpha.precheck")
        running(house, second, "alpha.precheck")
        held = house.driving.start(first.id, "alpha.provision", worker="w")
        assert held
        assert house.driving.next_steps(second.id).ready == ()
        reason = ForRun(run=1, agency="agency-a", host="here")
        assert house.driving.next_steps(second.id).waiting == {"alpha.provision": reason}
        assert house.driving.start(second.id, "alpha.provision", worker="v") is None
        view = {s.id: s.waits_for for s in house.observing.run(second.id).steps}
        assert view["alpha.provision"] == "for run 1 of agency-a on here"
        house.driving.finish(held, StepOutcome(state=StepState.SUCCEEDED))
        assert house.driving.start(second.id, "alpha.provision", worker="v")

    def test_change_any_other_component_side_by_side(self, house: House) -> None:
        first, second = queued(house, order("agency-a", epsilon={})), queued(house, order("agency-b", epsilon={}))
        running(house, first, "epsilon.precheck")
        running(house, second, "epsilon.precheck")
        assert house.driving.start(first.id, "epsilon.provision", worker="w")
        assert "epsilon.provision" in [step.id for step in house.driving.next_steps(second.id).ready]
        assert house.driving.start(second.id, "epsilon.provision", worker="v")

    def test_make_their_prechecks_side_by_side(self, house: House) -> None:
        first, second = queued(house, order("agency-a")), queued(house, order("agency-b"))
        running(house, first)
        running(house, second)
        assert house.driving.start(first.id, "alpha.precheck", worker="w")
        assert house.driving.start(second.id, "alpha.precheck", worker="v")


class TestAStepWhoseHostDidNotAnswer:
    def one_that_waits(self, house: House) -> Run:
        run = queued(house, order(alpha={}, epsilon={}))
        running(house, run, "alpha.precheck", "epsilon.precheck", "alpha.provision", "alpha.verify")
        self.lose(house, run)
        return run

    def lose(self, house: House, run: Run, state: StepState = StepState.UNREACHABLE) -> None:
        started = house.driving.start(run.id, "epsilon.provision", worker="w")
        assert started
        house.driving.finish(started, StepOutcome(state=state, error="no answer"))

    def test_is_tried_again_after_a_pause_that_doubles(self, house: House) -> None:
        run = self.one_that_waits(house)
        begun = house.clock.now()
        told = [e.what for e in house.observing.events(run=run.id)]
        assert [p.until - begun for p in told if isinstance(p, StepPostponed)] == [timedelta(seconds=10)]
        assert isinstance(house.driving.next_steps(run.id).waiting["epsilon.provision"], ForRetry)
        [words] = [s.waits_for for s in house.observing.run(run.id).steps if s.waits_for]
        assert words.endswith("Z, to be retried")
        house.clock.turn(seconds=10)
        assert [s.id for s in house.driving.next_steps(run.id).ready] == ["epsilon.provision"]
        self.lose(house, run, StepState.TIMED_OUT)
        house.clock.turn(seconds=19)
        assert house.driving.next_steps(run.id).ready == ()
        house.clock.turn(seconds=1)
        started = house.driving.start(run.id, "epsilon.provision", worker="w")
        assert started
        house.driving.finish(started, StepOutcome(state=StepState.SUCCEEDED))
        assert house.states("a-one")["epsilon"] == "provisioning"

    def test_fails_the_run_after_its_last_try(self, house: House) -> None:
        run = self.one_that_waits(house)
        for pause in (10, 20):
            house.clock.turn(seconds=pause)
            self.lose(house, run)
        assert not house.driving.next_steps(run.id).waiting
        ended = house.driving.conclude(run.id, run.attempt)
        assert (ended.state, ended.error) == (RunState.FAILED, "epsilon.provision unreachable")
        assert house.states("a-one")["epsilon"] == "failed"
        house.driving.resume(run.id)
        with house.store.read() as tx:
            assert {s.tries for s in tx.runs.steps(run.id) if s.id == "epsilon.provision"} == {0}, "as many again"

    def test_is_tried_again_only_for_that_reason(self, house: House) -> None:
        ended = house.apply(order(alpha={}, epsilon={}), epsilon_provision=StepState.FAILED)
        assert ended.state is RunState.FAILED


class TestAnOnboardingThatFails:
    def fails(self, house: House, on_failure: OnFailure) -> Run:
        plan = house.planning.plan(order(alpha={}, beta={}))
        run = house.provisioning.open_run(plan.id, RunOptions(on_failure=on_failure))
        return house.drive(run, beta_provision=StepState.FAILED)

    def test_is_kept_for_inspection(self, house: House) -> None:
        failed = self.fails(house, OnFailure.KEEP)
        assert house.observing.rolling_back(failed.id) is None
        assert house.states("a-one") == {"alpha": "in_service", "beta": "failed"}

    def test_is_rolled_back_in_reverse_order_if_that_was_chosen(self, house: House) -> None:
        failed = self.fails(house, OnFailure.ROLL_BACK)
        undoing = house.observing.rolling_back(failed.id)
        assert undoing
        assert (undoing.kind, undoing.cause) == ("offboard", failed.id)
        assert [s.id for s in house.observing.run(undoing.run).steps] == ["beta.retire", "alpha.retire"]
        with house.store.read() as tx:
            run = tx.runs.get(undoing.run)
        assert run
        assert house.drive(run).state is RunState.SUCCEEDED
        assert house.states("a-one") == {"alpha": "retired", "beta": "retired"}
        assert house.observing.agency("a-one").allocations == {}
        assert house.apply(order(alpha={}, beta={})).state is RunState.SUCCEEDED

    def test_after_the_agency_was_already_in_service_is_never_rolled_back(self, house: House) -> None:
        house.apply(order(alpha={}))
        plan = house.planning.plan(order(alpha={}, beta={}))
        run = house.provisioning.open_run(plan.id, RunOptions(on_failure=OnFailure.ROLL_BACK))
        failed = house.drive(run, beta_provision=StepState.FAILED)
        assert house.observing.rolling_back(failed.id) is None


class TestHistory:
    def test_is_forgotten_after_a_time_that_may_differ_by_agency(self, house: House) -> None:
        kept, gone = house.apply(order("agency-a")), house.apply(order("agency-b"))
        unused = house.planning.plan(order("agency-c"))
        house.clock.turn(days=31)
        recent = house.apply(order("agency-d"))
        retaining = Retaining(store=house.store, clock=house.clock, days=30, backup_days=35, agencies={"agency-a": 40})
        assert retaining.prune() > 0
        assert list(house.observing.events(run=gone.id)) == []
        assert list(house.observing.events(run=kept.id)) != []
        assert list(house.observing.events(run=recent.id)) != []
        assert house.observing.run(gone.id).state is RunState.SUCCEEDED, "the run itself stays"
        with house.store.read() as tx:
            assert tx.plans.get(unused.id) is None
        assert retaining.prune() == 0
        house.clock.turn(days=10)
        retaining.prune()
        assert list(house.observing.events(run=kept.id)) == []
