"""Comparing what is found with what is recorded, and repairing what differs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import TaskFinished
from orchestrator.domain.ordering.plan import Effect, PlanOptions, Purpose
from orchestrator.domain.runs.run import Counts, Run, RunState, StepOutcome, StepState
from orchestrator.domain.runs.run_options import Priority
from orchestrator.domain.selling.catalog import Verb
from orchestrator.ports.runs import Assignment
from orchestrator.usecases.ordering.comparing import Comparing
from orchestrator.usecases.ordering.verifying import Verifying
from tests.usecases.conftest import House, order


@dataclass(frozen=True)
class Comparison:
    """Drives comparisons that find what a test says."""

    house: House
    comparing: Comparing
    assigned: list[Assignment]

    def drive(self, run: Run, found: Mapping[str, Sequence[str]], state: StepState = StepState.SUCCEEDED) -> Run:
        driving = self.house.driving
        self.house.admit()
        assert driving.begin(run.id, run.attempt)
        for step in driving.next_steps(run.id).ready:
            started = driving.start(run.id, step.id, worker="w")
            assert started is not None
            self.assigned.append(started.work)
            tasks = found.get(step.component, ())
            outcomes = [("Look", "ok"), *((task, "changed") for task in tasks)]
            driving.note(started, [TaskFinished(host="h", task=t, outcome=o, seconds=0.1) for t, o in outcomes])
            counts = Counts(ok=1 + len(tasks), changed=len(tasks))
            driving.finish(started, StepOutcome(state=state, counts=counts, error=None))
        return driving.conclude(run.id, run.attempt)

    def find(self, agency: str = "a-one", **found: Sequence[str]) -> Run:
        return self.drive(self.comparing.open_run(agency), found)

    def figures(self) -> list[tuple[str, str, float]]:
        return list(self.house.observing.snapshot().drift)


@pytest.fixture
def comparison(house: House) -> Comparison:
    source, assigning = house.planning.source, house.provisioning.assigning
    comparing = Comparing(source=source, store=house.store, clock=house.clock, assigning=assigning)
    consequences = {**house.driving.consequences, Purpose.DRIFT: comparing}
    return Comparison(replace(house, driving=replace(house.driving, consequences=consequences)), comparing, [])


class TestAComparison:
    def test_provisions_in_check_mode_what_is_in_service(self, comparison: Comparison) -> None:
        comparison.house.apply(order(alpha={}, beta={}), beta_verify=StepState.FAILED)
        run = comparison.find()
        assert (run.state, run.priority, run.purpose) == (RunState.SUCCEEDED, Priority.DRIFT, Purpose.DRIFT)
        (assignment,) = comparison.assigned
        assert (assignment.step, assignment.verb, assignment.check) == ("alpha.compare", Verb.PROVISION, True)

    def test_changes_nothing_that_is_recorded(self, comparison: Comparison) -> None:
        house = comparison.house
        house.apply(order(alpha={}, beta={}))
        with house.store.read() as tx:
            before = tx.instances.of("a-one")
        comparison.find(alpha=["Write the file"])
        with house.store.read() as tx:
            assert tx.instances.of("a-one") == before

    def test_shows_what_would_change_where(self, comparison: Comparison) -> None:
        comparison.house.apply(order(alpha={}, beta={}))
        found = comparison.comparing.found(comparison.find(beta=["Write the file", "Start it"]).id)
        told = {v.component: (v.changed, [(t.host, t.task) for t in v.tasks]) for v in found}
        assert told == {"alpha": (0, []), "beta": (2, [("h", "Write the file"), ("h", "Start it")])}

    def test_that_failed_shows_nothing(self, comparison: Comparison) -> None:
        comparison.house.apply(order())
        run = comparison.drive(comparison.comparing.open_run("a-one"), {"alpha": ["Half"]}, StepState.UNREACHABLE)
        assert run.state is RunState.FAILED
        assert [v.changed for v in comparison.comparing.found(run.id)] == [None]
        assert comparison.figures() == []
        assert comparison.house.planning.plan(order()).plan.empty

    def test_of_an_agency_without_anything_in_service_is_refused(self, comparison: Comparison) -> None:
        comparison.house.apply(order(), alpha_provision=StepState.FAILED)
        with pytest.raises(OrchestratorError, match="nothing in service") as refused:
            comparison.comparing.open_run("a-one")
        assert refused.value.kind is Kind.CONFLICT

    def test_of_all_agencies_leaves_out_those_that_are_busy_or_have_nothing(self, comparison: Comparison) -> None:
        house = comparison.house
        house.apply(order("a-one"))
        house.apply(order("a-two"))
        house.apply(order("a-three"), alpha_provision=StepState.FAILED)
        busy = comparison.comparing.open_run("a-one")
        assert [run.agency for run in comparison.comparing.open_for_all()] == ["a-two"]
        assert comparison.comparing.open_for_all() == []
        assert house.driving.cancel(busy.id).state is RunState.CANCELLED


class TestAVerification:
    @pytest.fixture
    def verifying(self, comparison: Comparison) -> Verifying:
        parts = {name: getattr(comparison.comparing, name) for name in ("source", "store", "clock", "assigning")}
        verifying = Verifying(**parts)
        comparison.house.driving.consequences[Purpose.VERIFY] = verifying  # type: ignore[index]
        return verifying

    @pytest.mark.parametrize(
        ("component", "steps"), [(None, ["alpha.verify", "beta.verify"]), ("beta", ["beta.verify"])]
    )
    def test_checks_what_is_in_service(
        self, comparison: Comparison, verifying: Verifying, component: str | None, steps: list[str]
    ) -> None:
        comparison.house.apply(order(alpha={}, beta={}))
        run = comparison.drive(verifying.open_run("a-one", component), {}, StepState.FAILED)
        assert (run.state, run.purpose) == (RunState.FAILED, Purpose.VERIFY)
        assert [(one.step, one.verb, one.check) for one in comparison.assigned] == [
            (s, Verb.VERIFY, False) for s in steps
        ]
        assert comparison.house.planning.plan(order(alpha={}, beta={})).plan.empty, "nothing was recorded"

    def test_of_what_is_not_in_service_is_refused(self, comparison: Comparison, verifying: Verifying) -> None:
        comparison.house.apply(order(alpha={}))
        with pytest.raises(OrchestratorError, match="no beta in service"):
            verifying.open_run("a-one", "beta")


class TestForce:
    def test_provisions_unchanged_services_again(self, comparison: Comparison) -> None:
        house = comparison.house
        house.apply(order(alpha={}, beta={}))
        plan = house.planning.plan(order(alpha={}, beta={}), PlanOptions(force=True, target=("alpha",))).plan
        assert [(c.component, c.effect) for c in plan.changes] == [("alpha", Effect.UPDATE), ("beta", Effect.NONE)]
        assert [step.id for step in plan.steps] == ["alpha.precheck", "alpha.provision", "alpha.verify"]


class TestADifference:
    def test_is_in_the_figures_for_as_long_as_it_lasts(self, comparison: Comparison) -> None:
        house = comparison.house
        house.apply(order(alpha={}, beta={}))
        assert comparison.figures() == []
        comparison.find(beta=["Write the file"])
        assert comparison.figures() == [("a-one", "alpha", 0.0), ("a-one", "beta", 1.0)]
        comparison.find(alpha=["Start it"])
        assert comparison.figures() == [("a-one", "alpha", 1.0), ("a-one", "beta", 0.0)]
        house.clock.turn(seconds=1)
        house.apply(order(alpha={}, beta={}))
        assert comparison.figures() == [("a-one", "beta", 0.0)]

    def test_does_not_affect_a_plan_to_leave(self, comparison: Comparison) -> None:
        ordering, store = comparison.house.planning, comparison.house.store
        comparison.house.apply(order(alpha={}))
        leaving, staying = ordering.plan_offboarding("a-one"), ordering.plan(order(alpha={}))
        comparison.find(alpha=["Write the file"])
        with store.read() as tx:
            assert ordering.still_true(ordering.known(tx, leaving), leaving)
            assert not ordering.still_true(ordering.known(tx, staying), staying)

    def test_is_repaired_by_applying_again(self, comparison: Comparison) -> None:
        house = comparison.house
        house.apply(order(alpha={}, beta={}))
        run = comparison.find(beta=["Write the file"])
        plan = house.planning.plan(order(alpha={}, beta={})).plan
        effects = {c.component: c.effect for c in plan.changes}
        assert effects == {"alpha": Effect.NONE, "beta": Effect.UPDATE}
        (difference,) = next(c.fields for c in plan.changes if c.component == "beta")
        assert difference.before == f"changed, as run {run.id} found"
        house.clock.turn(seconds=1)
        assert house.apply(order(alpha={}, beta={})).state is RunState.SUCCEEDED
        assert house.planning.plan(order(alpha={}, beta={})).plan.empty

    def test_makes_an_earlier_plan_stale(self, comparison: Comparison) -> None:
        house = comparison.house
        house.apply(order(alpha={}, beta={}))
        before = house.planning.plan(order(alpha={"tier": "large"}, beta={}))
        comparison.find(beta=["Write the file"])
        with pytest.raises(OrchestratorError) as refused:
            house.provisioning.open_run(before.id)
        assert refused.value.kind is Kind.CONFLICT

    def test_disappears_with_the_agency(self, comparison: Comparison) -> None:
        house = comparison.house
        house.apply(order())
        comparison.find(alpha=["Write the file"])
        house.clock.turn(seconds=1)
        house.drive(house.provisioning.open_run(house.planning.plan_offboarding("a-one").id))
        assert comparison.figures() == []
