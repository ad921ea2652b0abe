"""Planning: what is reserved, for whom, and for how long."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.agency import StoredPlan
from orchestrator.domain.ordering.plan import Basis, Effect, Plan
from orchestrator.domain.ordering.plan_making import make_plan
from orchestrator.domain.selling.agreement import CallOff
from tests.usecases.conftest import House, order


class TestPlansMadeAtOnce:
    def test_never_share_a_block_and_all_can_be_applied(self, house: House) -> None:
        agencies = [f"agency-{letter}" for letter in "abcdef"]
        plans: list[StoredPlan] = []
        barrier = threading.Barrier(len(agencies))

        def plan(agency: str) -> None:
            barrier.wait()
            plans.append(house.planning.plan(order(agency)))

        threads = [threading.Thread(target=plan, args=(agency,)) for agency in agencies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({p.plan.allocations["subnet"] for p in plans}) == 6
        for stored in plans:
            house.provisioning.open_run(stored.id)

    def test_for_dedicated_hosts_get_different_hosts(self, house: House) -> None:
        first = house.planning.plan(order("a-one", epsilon={"quantity": 2}))
        second = house.planning.plan(order("a-two", epsilon={"quantity": 1}))
        hosts = [s.hosts for p in (first, second) for s in p.plan.steps if s.id == "epsilon.provision"]
        assert hosts == [("m1", "m2"), ("m3",)]
        with pytest.raises(OrchestratorError) as full:
            house.planning.plan(order("a-three", epsilon={"quantity": 1}))
        assert full.value.kind is Kind.CONFLICT
        with house.store.read() as tx:
            assert tx.allocations.of("a-three", site="bench") == {}, "nothing half-reserved"


class TestAPlan:
    def test_made_again_is_the_same_plan(self, house: House) -> None:
        first, second = house.planning.plan(order()), house.planning.plan(order())
        assert first.id != second.id
        assert first.plan == second.plan

    def test_releases_its_reservations_after_a_day(self, house: House) -> None:
        old = house.planning.plan(order("a-one"))
        house.clock.turn(hours=25)
        new = house.planning.plan(order("a-two"))
        assert new.plan.allocations == old.plan.allocations
        with pytest.raises(OrchestratorError) as refused:
            house.provisioning.open_run(old.id)
        assert refused.value.kind is Kind.CONFLICT
        assert "has lost its reservations" in refused.value.message

    def test_keeps_what_is_in_use_for_ever(self, house: House) -> None:
        house.apply(order("a-one"))
        house.clock.turn(days=400)
        assert house.planning.plan(order("a-two")).plan.allocations["number"] == "2"
        assert house.planning.plan(order("a-one")).plan.empty

    def test_without_changes_cannot_be_applied(self, house: House) -> None:
        house.apply(order())
        with pytest.raises(OrchestratorError) as refused:
            house.provisioning.open_run(house.planning.plan(order()).id)
        assert refused.value.kind is Kind.CONFLICT

    def test_counts_the_commitments_of_others(self, house: House) -> None:
        """The ceiling is £1,000,000; 62,000 seats at £8 and alpha are £496,100 a year."""
        house.apply(order("a-one", seats=62_000))
        house.planning.plan(order("a-two", seats=62_000))
        house.apply(order("a-two", seats=62_000))
        with pytest.raises(OrchestratorError) as refused:
            house.planning.plan(order("a-three", seats=1_000))
        assert refused.value.kind is Kind.NOT_COVERED
        house.drive(house.provisioning.open_run(house.planning.plan_offboarding("a-one").id))
        house.planning.plan(order("a-three", seats=1_000))


class TestAChangeDuringPlanning:
    """Planning holds nobody up, so others write meanwhile; the result is as if they had come first."""

    @pytest.fixture
    def meanwhile(self, house: House, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
        """Has something done once, between reading the records and keeping what was planned from them."""
        waiting: list[Callable[[], object]] = []

        def planned(basis: Basis) -> Plan:
            made = make_plan(basis)
            while waiting:
                waiting.pop()()
            return made

        monkeypatch.setattr("orchestrator.usecases.ordering.planning.make_plan", planned)
        return waiting.append

    def test_is_taken_into_account(self, house: House, meanwhile: Callable[[Callable[[], object]], None]) -> None:
        meanwhile(lambda: house.apply(order("a-one", alpha={}, beta={})))
        changes = house.planning.plan(order("a-one", alpha={})).plan.changes
        assert [(c.component, c.effect) for c in changes] == [("alpha", Effect.NONE), ("beta", Effect.REMOVE)]

    def test_makes_a_plan_stale(self, house: House, meanwhile: Callable[[Callable[[], object]], None]) -> None:
        stale, other = (
            house.planning.plan(order("a-one", alpha={})),
            house.planning.plan(order("a-one", alpha={}, beta={})),
        )
        meanwhile(lambda: house.drive(house.provisioning.open_run(other.id)))
        with pytest.raises(OrchestratorError) as refused:
            house.provisioning.open_run(stale.id)
        assert refused.value.kind is Kind.CONFLICT
        assert "stale" in refused.value.message

    def test_counts_against_the_ceiling(self, house: House, meanwhile: Callable[[Callable[[], object]], None]) -> None:
        house.apply(order("a-one", seats=62_000))
        meanwhile(lambda: house.apply(order("a-two", seats=62_000)))
        with pytest.raises(OrchestratorError) as refused:
            house.planning.plan(order("a-three", seats=1_000))
        assert refused.value.kind is Kind.NOT_COVERED
        with house.store.read() as tx:
            assert tx.allocations.of("a-three", site="bench") == {}, "what is refused keeps nothing"

    def test_that_happens_again_and_again_is_reported(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        house.apply(order("a-one"))

        def planned(basis: Basis) -> Plan:
            made = make_plan(basis)
            with house.store.begin() as tx:
                [instance] = tx.instances.of("a-one").values()
                tx.instances.put(instance.model_copy(update={"quantity": instance.quantity + 1}))
            return made

        monkeypatch.setattr("orchestrator.usecases.ordering.planning.make_plan", planned)
        with pytest.raises(OrchestratorError) as refused:
            house.planning.plan(order("a-one"))
        assert (refused.value.kind, refused.value.hint) == (Kind.CONFLICT, "plan again")


def with_terms(**terms: Any) -> CallOff:
    return CallOff.model_validate(order().document() | {"recovery": terms})


class TestTermsOfRecovery:
    def test_that_are_absent_leave_older_plans_unchanged(self, house: House) -> None:
        """Neither the order nor the catalogue mentions them then."""
        assert "recovery" not in order().document()
        tiers = house.planning.source.catalog().components["gamma"].model_dump(mode="json")["tiers"]
        assert {tuple(tier["recovery"]) for tier in tiers.values()} == {("rto", "rpo")}

    def test_are_stored_and_read_unchanged(self, house: House) -> None:
        terms = {"windows": [{"days": ["sat"], "start": "22:00", "end": "04:00"}], "worst_moment_share": 0.5,
                 "blackouts": [{"start": "2026-12-20", "end": "2027-01-03", "why": "year end"}]}  # fmt: skip
        house.apply(with_terms(**terms))
        with house.store.read() as tx:
            record = tx.agencies.get(order().agency.id)
        assert record and record.call_off == with_terms(**terms)
        assert house.planning.plan(with_terms(**terms)).plan.empty
