"""Properties of every plan and every allocation, not only of the examples."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.allocation import NetworkPool, NumberPool, Pool, lowest_free
from orchestrator.domain.estate.site import Site
from orchestrator.domain.ordering.instance import InstanceState
from orchestrator.domain.ordering.plan import Plan
from orchestrator.domain.ordering.plan_making import make_plan
from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.selling.catalog import Catalog, Verb
from tests.domain.conftest import allocate, basis, call_off
from tests.domain.ordering.test_plan import recorded_instances

tiers = st.sampled_from(["standard", "premium"])
shared = st.fixed_dictionaries(
    {"tier": tiers, "parameters": st.just({}) | st.fixed_dictionaries({"size": st.integers(1, 9)})}
)
dedicated = st.fixed_dictionaries({"tier": tiers, "quantity": st.integers(1, 4)})
orders = st.fixed_dictionaries({"network": shared}, optional={"desk": shared, "desktop": dedicated})


def instance(hosts: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "tier": tiers,
            "quantity": st.just(len(hosts)),
            "hosts": st.just({"main": hosts}),
            "state": st.sampled_from([s.value for s in InstanceState]),
        }
    )


records = st.fixed_dictionaries(
    {}, optional={"network": instance(("gw1",)), "desk": instance(("desk1",)), "desktop": instance(("pc1", "pc2"))}
)


class TestEveryPlan:
    @pytest.fixture(scope="class")
    def make(self, catalog: Catalog, agreement: FrameworkAgreement, site: Site) -> Any:
        def make(wanted: dict[str, Any] | None, recorded: dict[str, Any]) -> Plan:
            order = call_off(wanted) if wanted else None
            given = allocate(order, catalog=catalog, site=site) if order else {}
            world = {"catalog": catalog, "agreement": agreement, "site": site}
            return make_plan(basis(order, **world, recorded=recorded_instances(recorded), allocations=given))

        return make

    @given(wanted=st.none() | orders, recorded=records)
    def test_is_the_same_for_the_same_input(self, make: Any, wanted: Any, recorded: Any) -> None:
        backwards = dict(reversed(wanted.items())) if wanted else None
        first, second = make(wanted, recorded), make(backwards, dict(reversed(recorded.items())))
        assert first.model_dump_json() == second.model_dump_json()
        assert first.digest == second.digest

    @given(wanted=st.none() | orders, recorded=records)
    def test_has_steps_that_can_be_run_to_the_end(self, make: Any, wanted: Any, recorded: Any) -> None:
        plan = make(wanted, recorded)
        done: set[str] = set()
        left = list(plan.steps)
        while left:
            startable = [s for s in left if set(s.needs) <= done]
            assert startable, f"nothing can start of {[s.id for s in left]}"
            done |= {s.id for s in startable}
            left = [s for s in left if s.id not in done]

    @given(wanted=orders, recorded=records)
    def test_changes_nothing_before_every_precheck(self, make: Any, wanted: Any, recorded: Any) -> None:
        plan = make(wanted, recorded)
        prechecks = {s.id for s in plan.steps if s.verb is Verb.PRECHECK}
        assert all(prechecks <= set(s.needs) for s in plan.steps if s.verb is Verb.PROVISION)

    @given(wanted=orders)
    def test_is_empty_once_it_has_been_carried_out(
        self, catalog: Catalog, agreement: FrameworkAgreement, site: Site, wanted: Any
    ) -> None:
        order = call_off(wanted)
        given_ = allocate(order, catalog=catalog, site=site)
        world = {"catalog": catalog, "agreement": agreement, "site": site, "allocations": given_}
        plan = make_plan(basis(order, **world))
        recorded = {
            name: wish.model_copy(update={"state": InstanceState.IN_SERVICE})
            for name, wish in plan.desired.items()
            if wish
        }
        assert make_plan(basis(order, **world, recorded=recorded)).empty

    @given(first=orders, second=orders)
    def test_has_a_different_digest_for_a_different_order(self, make: Any, first: Any, second: Any) -> None:
        same = call_off(first).document() == call_off(second).document()
        assert (make(first, {}).digest == make(second, {}).digest) is same


pools = st.one_of(
    st.builds(NumberPool, first=st.integers(0, 50), last=st.integers(51, 90)),
    st.integers(24, 28).map(lambda p: NetworkPool.model_validate({"network": "10.1.0.0/22", "prefix": p})),
)


class TestEveryAllocation:
    @given(pool=pools)
    def test_gives_every_block_once_and_then_reports_that_the_pool_is_full(self, pool: Pool) -> None:
        taken: set[str] = set()
        for _ in pool.blocks():
            block = lowest_free(pool, taken=taken, named="p").block
            assert block not in taken
            taken.add(block)
        with pytest.raises(OrchestratorError) as full:
            lowest_free(pool, taken=taken, named="the pool")
        assert full.value.kind is Kind.CONFLICT
        assert "the pool is full" in full.value.message

    @given(pool=pools, data=st.data())
    def test_gives_a_returned_block_out_again(self, pool: Pool, data: st.DataObject) -> None:
        blocks = list(pool.blocks())
        returned = data.draw(st.sampled_from(blocks))
        spot = lowest_free(pool, taken=set(blocks) - {returned}, named="p")
        assert spot.block == returned == pool.block(spot.position)
        assert pool.block(len(blocks)) is None
