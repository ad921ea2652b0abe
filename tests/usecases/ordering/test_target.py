"""A part of an order: the components that are named, and nothing else of it."""

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.plan import Effect, PlanOptions
from orchestrator.domain.runs.run import StepState
from tests.usecases.conftest import House, order


def only(*target: str) -> PlanOptions:
    return PlanOptions(target=target)


LARGE = {"tier": "large"}


class TestATarget:
    def test_is_the_only_thing_that_changes(self, house: House) -> None:
        house.apply(order(alpha={}, gamma={}))
        wanted = order(seats=20, alpha=LARGE, beta={}, gamma={"parameters": {"sleep": 1}})
        stored = house.planning.plan(wanted, only("alpha"))
        assert {c.component: c.effect for c in stored.plan.changes} == {"alpha": Effect.UPDATE, "gamma": Effect.NONE}
        assert stored.plan.contract == ()
        assert stored.order and set(stored.order.services) == {"alpha", "gamma"}
        house.drive(house.provisioning.open_run(stored.id))
        rest = house.planning.plan(wanted).plan
        assert {c.component for c in rest.changes if c.effect is not Effect.NONE} == {"beta", "gamma"}
        assert [f.path for f in rest.contract] == ["agency.seats"]

    def test_can_be_a_component_to_remove(self, house: House) -> None:
        house.apply(order(alpha={}, beta={}, gamma={}))
        stored = house.planning.plan(order(alpha={}), only("beta"))
        assert [step.id for step in stored.plan.steps] == ["beta.retire"]
        house.drive(house.provisioning.open_run(stored.id))
        assert house.states("a-one")["gamma"] == "in_service"

    def test_leaves_what_failed_elsewhere_for_later(self, house: House) -> None:
        house.apply(order(alpha={}, gamma={}), gamma_verify=StepState.FAILED)
        plan = house.planning.plan(order(alpha=LARGE, gamma={}), only("alpha")).plan
        assert {step.component for step in plan.steps} == {"alpha"}
        assert {step.component for step in house.planning.plan(order(alpha=LARGE, gamma={})).plan.steps} == {
            "alpha",
            "gamma",
        }

    def test_can_begin_the_service_of_an_agency(self, house: House) -> None:
        stored = house.planning.plan(order(alpha={}, gamma={}), only("alpha"))
        assert [c.component for c in stored.plan.changes] == ["alpha"]
        house.drive(house.provisioning.open_run(stored.id))
        assert house.states("a-one") == {"alpha": "in_service"}

    def test_is_refused_without_what_it_needs(self, house: House) -> None:
        with pytest.raises(OrchestratorError) as refused:
            house.planning.plan(order(alpha={}, beta={}), only("beta"))
        assert (refused.value.kind, refused.value.hint) == (Kind.CONFLICT, "add --target alpha")
        assert house.planning.plan(order(alpha={}, beta={}), only("alpha", "beta")).plan.steps

    def test_that_does_not_exist_is_refused(self, house: House) -> None:
        with pytest.raises(OrchestratorError) as refused:
            house.planning.plan(order(alpha={}), only("alhpa"))
        assert refused.value.kind is Kind.NOT_FOUND

    def test_waits_for_earlier_removals(self, house: House) -> None:
        house.apply(order(alpha={}, gamma={}))
        house.apply(order(alpha={}), gamma_retire=StepState.FAILED)
        with pytest.raises(OrchestratorError, match="gamma of a-one is still to be removed"):
            house.planning.plan(order(alpha=LARGE), only("alpha"))
