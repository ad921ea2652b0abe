"""The contract of the store: what every database behind it must do, and the stand-in in memory too."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.allocation import Allocation, Holding
from orchestrator.domain.estate.site import Site
from orchestrator.domain.events import TaskFinished
from orchestrator.domain.ordering.agency import AgencyRecord, StoredPlan
from orchestrator.domain.ordering.instance import InstanceState
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.ordering.plan_making import make_plan
from orchestrator.domain.probing.readings import ProbeKey, Standing, StateChange
from orchestrator.domain.recovery.canary import next_canary
from orchestrator.domain.recovery.drills import Drill, DrillState
from orchestrator.domain.recovery.evidence import Approval
from orchestrator.domain.recovery.verdict import Moment, Verdict
from orchestrator.domain.runs.run import Counts, RunState, StepState
from orchestrator.domain.selling.agreement import CallOff, FrameworkAgreement
from orchestrator.domain.selling.catalog import Catalog, Verb
from orchestrator.domain.service_levels.record import State, Transition
from orchestrator.ports.probing import KeptStanding
from orchestrator.ports.store import Store, Transaction
from tests.domain.conftest import agreement, allocate, basis, call_off, catalog, site
from tests.memory.records import ConstraintError
from tests.probed import timelines
from tests.stores import KINDS, open_store

__all__ = ["agreement", "catalog", "site"]

NOW = datetime(2026, 11, 22, 9, 30, 0, 123456, tzinfo=UTC)
REFUSED = (sa.exc.IntegrityError, ConstraintError)
"""What no use-case may try."""


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with open_store(request.param, request, tmp_path) as made:
        yield made


@pytest.fixture
def order() -> CallOff:
    return call_off({"network": {"tier": "standard"}})


@pytest.fixture
def plan(store: Store, order: CallOff, catalog: Catalog, agreement: FrameworkAgreement, site: Site) -> StoredPlan:
    """A stored plan of a recorded agency."""
    given = allocate(order, catalog=catalog, site=site)
    made = make_plan(basis(order, catalog=catalog, agreement=agreement, site=site, allocations=given))
    with store.begin() as tx:
        tx.agencies.put(record(order))
        return tx.plans.add(made, order=order, at=NOW)


def record(order: CallOff, **changes: Any) -> AgencyRecord:
    plain = {"id": "a1", "name": "A One", "framework": "trial", "site": "here", "call_off": order}
    return AgencyRecord(**{**plain, "committed": Decimal("1234.56"), "created_at": NOW, **changes})


def given(block: str, *, agency: str = "a1", name: str = "subnet", pool: str = "networks") -> Allocation:
    return Allocation(site="here", pool=pool, block=block, agency=agency, name=name)


class TestATransaction:
    def test_keeps_everything_or_nothing(self, store: Store, order: CallOff) -> None:
        with pytest.raises(ZeroDivisionError), store.begin() as tx:
            tx.agencies.put(record(order))
            raise ZeroDivisionError
        with store.read() as tx:
            assert tx.agencies.all() == []

    def test_that_reads_does_not_wait_for_one_that_writes(self, store: Store, order: CallOff) -> None:
        with store.begin() as writing:
            writing.agencies.put(record(order))
            with store.read() as reading:
                assert reading.agencies.all() == []


class TestWhatIsStored:
    def test_comes_back_equal(self, store: Store, plan: StoredPlan, order: CallOff) -> None:
        with store.read() as tx:
            assert tx.plans.get(plan.id) == plan
            assert tx.agencies.get("a1") == record(order)
        wish = plan.plan.desired["network"]
        assert wish is not None
        placed = {"hosts": {"main": ("gw2",)}, "elsewhere": {"main": ("gw1",)}}
        changes = {"changed_at": NOW, "state": InstanceState.FAILED, "error": "why", **placed}
        instance = wish.model_copy(update=changes)
        with store.begin() as tx:
            tx.instances.put(instance)
        with store.read() as tx:
            assert tx.instances.of("a1") == {"network": instance}
            assert tx.plans.get(plan.id + 1) is None

    def test_counts_commitments_of_agencies_in_service(self, store: Store, order: CallOff) -> None:
        with store.begin() as tx:
            tx.agencies.put(record(order, id="a1", committed=Decimal("0.01")))
            tx.agencies.put(record(order, id="a2", committed=Decimal("99.99")))
            tx.agencies.put(record(order, id="a3", committed=Decimal("7.00"), offboarded_at=NOW))
            tx.agencies.put(record(order, id="a4", committed=Decimal("9.00"), framework="other"))
        with store.read() as tx:
            assert tx.agencies.committed("trial", without="nobody") == Decimal("100.00")
            assert tx.agencies.committed("trial", without="a1") == Decimal("99.99")


class TestAnAllocation:
    def test_belongs_to_one_agency(self, store: Store) -> None:
        with store.begin() as tx:
            tx.allocations.add(given("10.64.1.0/24"), at=NOW)
        with pytest.raises(OrchestratorError) as refused, store.begin() as tx:
            tx.allocations.add(given("10.64.1.0/24", agency="a2"), at=NOW)
        assert refused.value.kind is Kind.CONFLICT

    def test_that_was_only_reserved_expires(self, store: Store) -> None:
        with store.begin() as tx:
            tx.allocations.add(given("10.64.1.0/24", agency="old"), at=NOW - timedelta(days=2))
            tx.allocations.add(given("10.64.2.0/24", agency="held"), at=NOW - timedelta(days=2))
            tx.allocations.add(given("10.64.3.0/24", agency="new"), at=NOW)
            tx.allocations.hold("held")
            tx.allocations.forget_reserved(before=NOW - timedelta(days=1))
            assert tx.allocations.taken("here", "networks") == {"10.64.2.0/24", "10.64.3.0/24"}
            assert tx.allocations.of("held", site="here")["subnet"].holding is Holding.HELD

    def test_is_the_lowest_free_one_however_many_are_held(self, store: Store) -> None:
        with store.begin() as tx:
            assert tx.allocations.first_gap("here", "networks") == 0
            for position in range(5):
                assert tx.allocations.first_gap("here", "networks") == position
                block = given(f"10.64.{position}.0/24", agency=f"a{position}")
                tx.allocations.add(block, at=NOW, position=position)
            tx.allocations.release("a3", ["subnet"])
            assert tx.allocations.first_gap("here", "networks") == 3
            tx.allocations.release("a0", ["subnet"])
            assert tx.allocations.first_gap("here", "networks") == 0
            assert tx.allocations.first_gap("here", "others") == 0
            assert tx.allocations.held("here", "networks", "10.64.1.0/24")
            assert not tx.allocations.held("here", "networks", "10.64.3.0/24")
            tx.allocations.add(given("10.64.9.0/24", agency="old"), at=NOW)
            assert tx.allocations.first_gap("here", "networks") is None, "nobody knows where that one stands"

    def test_can_be_given_back(self, store: Store) -> None:
        with store.begin() as tx:
            tx.allocations.add(given("10.64.1.0/24"), at=NOW)
            tx.allocations.add(given("7", name="number", pool="numbers"), at=NOW)
            tx.allocations.release("a1", ["subnet", "unknown"])
            assert set(tx.allocations.of("a1", site="here")) == {"number"}


class TestARun:
    def test_has_the_steps_of_its_plan(self, store: Store, plan: StoredPlan) -> None:
        with store.begin() as tx:
            run = tx.runs.open(plan, at=NOW)
        with store.read() as tx:
            assert tx.runs.get(run.id) == run
            steps = tx.runs.steps(run.id)
        assert [s.id for s in steps] == [s.id for s in plan.plan.steps]
        assert {s.state for s in steps} == {StepState.PENDING}

    def test_is_the_only_open_one_of_its_agency(self, store: Store, plan: StoredPlan) -> None:
        with store.begin() as tx:
            run = tx.runs.open(plan, at=NOW)
        with pytest.raises(OrchestratorError) as refused, store.begin() as tx:
            tx.runs.open(plan, at=NOW)
        assert refused.value.kind is Kind.CONFLICT
        assert refused.value.ids == {"run": str(run.id)}

    def test_stays_the_only_open_one_even_if_the_code_forgets_to_check(self, store: Store, plan: StoredPlan) -> None:
        with store.begin() as tx:
            first = tx.runs.open(plan, at=NOW)
            tx.runs.put(first.model_copy(update={"state": RunState.FAILED}))
            tx.runs.open(plan, at=NOW)
        with pytest.raises(OrchestratorError) as refused, store.begin() as tx:
            tx.runs.put(first.model_copy(update={"state": RunState.QUEUED}))
        assert refused.value.kind is Kind.CONFLICT

    def test_opened_twice_at_once_is_opened_once(self, store: Store, plan: StoredPlan) -> None:
        results: list[object] = []

        def open_it() -> None:
            try:
                with store.begin() as tx:
                    results.append(tx.runs.open(plan, at=NOW))
            except OrchestratorError as error:
                results.append(error.kind)

        threads = [threading.Thread(target=open_it) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results.count(Kind.CONFLICT) == 7

    def test_records_how_its_steps_ended(self, store: Store, plan: StoredPlan) -> None:
        with store.begin() as tx:
            run = tx.runs.open(plan, at=NOW)
            step = tx.runs.steps(run.id)[0]
            done = {"state": StepState.FAILED, "attempt": 2, "counts": Counts(ok=1, failed=1), "error": "no"}
            ended = step.model_copy(update={**done, "started_at": NOW, "finished_at": NOW + timedelta(seconds=90)})
            tx.runs.put_step(run.id, ended)
        with store.read() as tx:
            assert tx.runs.steps(run.id)[0] == ended
            [histogram] = tx.figures.step_durations()
        assert histogram.labels == ("network", "precheck", "failed")
        assert (histogram.count, histogram.total_seconds) == (1, 90.0)
        assert histogram.at_most == (0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1)


class TestEvents:
    def test_are_read_from_any_id_without_gap_or_repeat(self, store: Store) -> None:
        def task(number: int) -> TaskFinished:
            return TaskFinished(host="h", task=str(number), outcome="ok", seconds=0.1)

        for start in range(0, 1000, 100):
            with store.begin() as tx:
                tx.events.add([task(n) for n in range(start, start + 100)], agency="a1", at=NOW, run=start % 200 + 1)
        seen: list[str] = []
        last = 0
        with store.read() as tx:
            while batch := tx.events.after(last, run=1, limit=77):
                seen += [e.what.task for e in batch if isinstance(e.what, TaskFinished)]
                last = batch[-1].id
        assert seen == [str(n) for n in range(1000) if n // 100 % 2 == 0]


class TestANumber:
    """People note numbers, and retention deletes what they belong to."""

    LATER = NOW + timedelta(days=1)

    def test_of_a_plan_is_never_reused(self, store: Store, plan: StoredPlan) -> None:
        with store.begin() as tx:
            assert tx.plans.forget_unapplied(before=self.LATER, limit=10) == 1
        with store.begin() as tx:
            assert tx.plans.add(plan.plan, order=plan.order, at=NOW).id > plan.id

    def test_of_an_event_is_never_reused(self, store: Store) -> None:
        def told(tx: Transaction) -> int:
            tx.events.add([TaskFinished(host="h", task="t", outcome="ok", seconds=0.1)], agency="a1", at=NOW)
            return tx.events.after(0)[-1].id

        with store.begin() as tx:
            last = told(tx)
            assert tx.events.forget_of("a1", before=self.LATER, limit=10) == 1
        with store.begin() as tx:
            assert told(tx) > last

    def test_of_a_run_is_never_reused(self, store: Store, plan: StoredPlan) -> None:
        with store.begin() as tx:
            verifying = tx.plans.add(plan.plan.model_copy(update={"purpose": Purpose.VERIFY}), order=None, at=NOW)
            run = tx.runs.open(verifying, at=NOW)
            tx.runs.put(run.model_copy(update={"state": RunState.SUCCEEDED, "finished_at": NOW}))
            assert tx.backups.forget(before=self.LATER, limit=10) == 1
        with store.begin() as tx:
            assert tx.runs.open(plan, at=NOW).id > run.id


class TestAWorker:
    def test_is_alive_while_it_beats(self, store: Store) -> None:
        lease = timedelta(seconds=30)
        with store.begin() as tx:
            tx.workers.join("w1", host="h", runs=4)
            tx.workers.join("w2", host="h", runs=4)
            assert tx.workers.beat("w1")
            assert tx.workers.alive(lease=lease) == {"w1", "w2"}
            tx.workers.leave("w2")
            assert tx.workers.unburied() == {"w1"}
            assert not tx.workers.beat("w2"), "who has left cannot come back by beating"

    def test_that_does_not_beat_is_buried(self, store: Store) -> None:
        with store.begin() as tx:
            tx.workers.join("w1", host="h", runs=4)
            tx.workers.bury(lease=timedelta(seconds=-1))
            assert tx.workers.unburied() == set()
            assert not tx.workers.beat("w1")


def test_a_transaction_offers_what_the_port_promises(store: Store) -> None:
    with store.read() as tx:
        for name in (n for n in vars(Transaction) if not n.startswith("_")):
            assert hasattr(tx, name)


class TestRecovery:
    """Drills, the ledger of canaries, and backups as their steps report them."""

    def drill(self, plan: StoredPlan, **changes: Any) -> Drill:
        plain = {"id": 0, "key": "a1/network/1", "agency": "a1", "component": "network", "site": "here"}
        when = {"scheduled_at": NOW, "created_at": NOW, "moment": Moment.RANDOM, "requested_by": "ann"}
        state = {"state": DrillState.APPROVED, "plan": plan.id, "plan_digest": plan.plan.digest}
        return Drill(**{**plain, **when, **state, **changes})

    def test_a_drill_comes_back_as_it_was_stored(self, store: Store, plan: StoredPlan) -> None:
        approval = Approval(who="bob", at=NOW, plan_digest="d", live_data=True, expires_at=NOW + timedelta(days=1))
        with store.begin() as tx:
            drill = tx.drills.add(self.drill(plan))
            changed = drill.model_copy(update={"approval": approval, "verdict": Verdict.PASS, "rto_seconds": 15.8})
            tx.drills.put(changed)
        with store.read() as tx:
            assert tx.drills.get(drill.id) == tx.drills.by_key(drill.key) == changed
            assert tx.drills.newest(agency="a1") == [changed]
            assert tx.drills.in_state(DrillState.APPROVED) == [changed]

    def test_a_drill_cannot_be_added_twice(self, store: Store, plan: StoredPlan) -> None:
        with store.begin() as tx:
            tx.drills.add(self.drill(plan))
        with pytest.raises(OrchestratorError, match="already exists"), store.begin() as tx:
            tx.drills.add(self.drill(plan))

    def test_evidence_stays_when_the_drill_is_stored_again(self, store: Store, plan: StoredPlan) -> None:
        with store.begin() as tx:
            drill = tx.drills.add(self.drill(plan, finished_at=NOW))
            tx.drills.keep_evidence(drill.id, '{"signed": "\u00e9"}', "digest-1")
            tx.drills.put(drill.model_copy(update={"state": DrillState.REPORTED}))
        with store.read() as tx:
            assert tx.drills.evidence(drill.id) == '{"signed": "\u00e9"}'
            assert tx.drills.last_evidence() == "digest-1"
            assert tx.drills.count_evidence() == 1

    def test_figures_show_outcomes_and_the_newest_results(self, store: Store, plan: StoredPlan) -> None:
        ends = [(Verdict.FAIL, DrillState.REPORTED), (Verdict.PASS, DrillState.REPORTED), (None, DrillState.MISFIRED)]
        with store.begin() as tx:
            for number, (verdict, state) in enumerate(ends):
                how = {"verdict": verdict, "state": state, "finished_at": NOW, "rto_seconds": number + 1.0}
                tx.drills.add(self.drill(plan, key=str(number), **how))
            tx.drills.add(self.drill(plan, key="next", scheduled_at=NOW + timedelta(days=3)))
        with store.read() as tx:
            figures = tx.figures
            assert [outcome for _, _, outcome, _ in figures.drill_outcomes()] == ["fail", "misfired", "pass"]
            assert figures.drills_measured() == [("a1", "network", 2.0, None)]
            assert figures.drills_passed() == [("a1", "network", NOW)]
            assert figures.drills_due() == [("a1", "network", NOW + timedelta(days=3))]

    def test_durations_are_those_of_drills_with_a_verdict(self, store: Store, plan: StoredPlan) -> None:
        with store.begin() as tx:
            for number, verdict in enumerate((Verdict.FAIL, None, Verdict.PASS)):
                run = tx.runs.open(plan, at=NOW)
                ended = {"started_at": NOW, "finished_at": NOW + timedelta(minutes=number + 1)}
                tx.runs.put(run.model_copy(update={**ended, "state": RunState.SUCCEEDED}))
                tx.drills.add(self.drill(plan, key=str(number), verdict=verdict, run=run.id))
        with store.read() as tx:
            took = (timedelta(minutes=1), timedelta(minutes=3))
            assert tx.drills.durations("a1") == tx.drills.durations() == {("a1", "network"): took}
            assert tx.drills.durations("a2") == {}

    def test_plans_of_drills_are_not_forgotten(self, store: Store, plan: StoredPlan) -> None:
        with store.begin() as tx:
            tx.drills.add(self.drill(plan))
            assert tx.plans.forget_unapplied(before=NOW + timedelta(days=999), limit=10) == 0

    def test_canaries_are_kept_by_component(self, store: Store) -> None:
        first = next_canary(b"k", None, at=NOW)
        second = next_canary(b"k", first, at=NOW)
        with store.begin() as tx:
            for canary in (first, second, first.model_copy(update={"acknowledged_at": NOW})):
                tx.canaries.put("a1", "network", canary)
            tx.canaries.put("a1", "desktop", first)
        with store.begin() as tx:
            assert [c.acknowledged_at for c in tx.canaries.of("a1", "network")] == [NOW, None]
            assert tx.canaries.last("a1", "network") == second
            tx.canaries.forget("a1", "network", up_to=1)
            assert tx.canaries.of("a1", "network") == [second]
            tx.canaries.put("a1", "network", first)
            tx.canaries.forget("a1", "network", after=1)
            assert tx.canaries.of("a1", "network") == [first]
            tx.canaries.forget("a1", "network")
            assert tx.canaries.last("a1", "network") is None
            assert tx.canaries.last("a1", "desktop") == first

    def test_only_steps_that_succeeded_are_backups(self, store: Store, plan: StoredPlan) -> None:
        step = plan.plan.steps[0]
        backup = step.model_copy(update={"id": "network.backup", "component": "network", "verb": Verb.BACKUP})
        with store.begin() as tx:
            for minutes, state in ((0, StepState.SUCCEEDED), (60, StepState.FAILED), (90, StepState.SUCCEEDED)):
                begun = NOW + timedelta(minutes=minutes)
                kept = tx.plans.add(plan.plan.model_copy(update={"steps": (backup,)}), order=None, at=NOW)
                run = tx.runs.open(kept, at=begun)
                times = {"started_at": begun, "finished_at": begun + timedelta(minutes=5), "state": state}
                tx.runs.put_step(run.id, tx.runs.step(run.id, backup.id).model_copy(update=times))
                tx.runs.put(run.model_copy(update={"state": RunState.FAILED}))
        with store.read() as tx:
            taken = tx.backups.newest("a1", "network")
            assert [b.started_at for b in taken] == [NOW, NOW + timedelta(minutes=90)]
            assert taken[-1].finished_at == NOW + timedelta(minutes=95)
            assert tx.backups.last_of_all() == {("a1", "network"): taken[-1].started_at}
            assert tx.figures.recovery_points() == [("a1", "network", NOW + timedelta(minutes=90))]


class TestTransitions:
    KEY = ProbeKey("a1", "network", "dns")

    def record(self, store: Store, *changes: tuple[int, State], key: ProbeKey = KEY) -> None:
        made = [(key, StateChange(NOW + timedelta(minutes=m), state, f"{state} at {m}")) for m, state in changes]
        with store.begin() as tx:
            tx.transitions.record(made)

    def test_form_one_timeline_per_probe(self, store: Store) -> None:
        self.record(store, (0, State.UP), (5, State.DOWN))
        self.record(store, (1, State.UP), key=self.KEY._replace(probe="tcp"))
        self.record(store, (2, State.UP), key=self.KEY._replace(agency="a2"))
        with store.read() as tx:
            found = timelines(tx, "a1", "network")
        second = NOW.replace(microsecond=0)
        assert found == {
            "dns": (
                Transition(at=second, state=State.UP),
                Transition(at=second + timedelta(minutes=5), state=State.DOWN),
            ),
            "tcp": (Transition(at=second + timedelta(minutes=1), state=State.UP),),
        }

    def test_of_a_period_begin_with_the_state_in_force(self, store: Store) -> None:
        self.record(store, *((m, State.UP if m % 2 else State.DOWN) for m in range(10)))
        late = self.KEY._replace(probe="tcp")
        self.record(store, (8, State.UP), key=late)

        def states(start: float, end: float) -> dict[str, list[int]]:
            minute = timedelta(minutes=1)
            with store.read() as tx:
                found = tx.transitions.between("a1", "network", NOW + start * minute, NOW + end * minute)
            return {p: [round((t.at - NOW) / minute) for t in timeline] for p, timeline in found.items()}

        assert states(3.5, 6) == {"dns": [3, 4, 5]}
        assert states(3, 4) == {"dns": [3]}
        assert states(7.5, 100) == {"dns": [7, 8, 9], "tcp": [8]}
        assert states(-9, 0) == {}

    def test_can_be_followed(self, store: Store) -> None:
        other = self.KEY._replace(component="desktop")
        self.record(store, (0, State.UP), (1, State.DOWN))
        with store.read() as tx:
            last = tx.transitions.last_change()
            assert [(agency, component) for _, agency, component in tx.transitions.changes(0)] == [self.KEY[:2]] * 2
        self.record(store, (2, State.UP), key=other)
        with store.read() as tx:
            assert tx.transitions.changes(last) == [(tx.transitions.last_change(), *other[:2])]
            assert tx.transitions.changes(tx.transitions.last_change()) == []

    def test_are_recorded_only_once(self, store: Store) -> None:
        self.record(store, (0, State.UP))
        with pytest.raises(REFUSED):
            self.record(store, (0, State.DOWN))

    def test_replace_the_state_in_force(self, store: Store) -> None:
        every = timedelta(seconds=1.5)
        kept = [KeptStanding(self.KEY._replace(agency=a), every, Standing(State.UP, NOW, "fine")) for a in ("a1", "a2")]
        down = kept[0]._replace(standing=Standing(State.DOWN, NOW + every, "broken"))
        for standings in (kept, [down]):
            with store.begin() as tx:
                tx.transitions.keep(standings)
        with store.read() as tx:
            assert tx.transitions.standings("a1") == [down]
            assert sorted(tx.transitions.standings()) == [down, kept[1]]


class TestTheLeaseToProbe:
    LEASE = timedelta(hours=1)
    OVER = timedelta(seconds=-1)
    """A lease that has expired, whenever it was taken."""

    def take(self, store: Store, holder: str, *, lease: timedelta = LEASE) -> bool:
        with store.begin() as tx:
            return tx.prober.take(holder, lease=lease)

    def beat(self, store: Store, holder: str, read_until: datetime = NOW) -> bool:
        with store.begin() as tx:
            return tx.prober.beat(holder, read_until=read_until)

    def test_belongs_to_one_process(self, store: Store) -> None:
        with store.read() as tx:
            assert tx.prober.read_until() is None
        assert self.take(store, "one")
        assert not self.take(store, "two")
        assert self.take(store, "one")
        assert self.beat(store, "one")
        assert not self.beat(store, "two", NOW + timedelta(days=1))
        with store.read() as tx:
            assert tx.prober.read_until() == NOW

    def test_passes_to_another_process_when_it_expires_or_is_given_up(self, store: Store) -> None:
        assert self.take(store, "one")
        assert self.take(store, "two", lease=self.OVER)
        assert not self.beat(store, "one")
        with store.begin() as tx:
            tx.prober.leave("one")
        assert not self.take(store, "one")
        with store.begin() as tx:
            tx.prober.leave("two")
        assert self.take(store, "one")

    def test_goes_to_one_of_many_that_want_it(self, store: Store) -> None:
        barrier, took = threading.Barrier(6), []

        def want(name: str) -> None:
            barrier.wait()
            took.append(self.take(store, name))

        threads = [threading.Thread(target=want, args=(str(n),)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(took) == [False] * 5 + [True]
