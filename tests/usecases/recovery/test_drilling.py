"""Drills as the use-cases see them: who may ask, what each end means, and that cleanup always happens."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import StepTold
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.recovery.canary import next_canary
from orchestrator.domain.recovery.drills import Drill, DrillState
from orchestrator.domain.recovery.evidence import Evidence
from orchestrator.domain.recovery.verdict import Verdict
from orchestrator.domain.runs.assignment import writer_of
from orchestrator.domain.runs.run import Run, RunState, StepOutcome, StepState
from orchestrator.domain.runs.run_options import Priority, RunOptions
from orchestrator.domain.selling.catalog import KEEPER, SecretKind, Verb
from orchestrator.ports.drilling import Rehearsal
from orchestrator.ports.runs import Assignment, Interrupted
from orchestrator.usecases.recovery.backing_up import BackingUp
from orchestrator.usecases.recovery.concluding import Concluding
from orchestrator.usecases.recovery.drilling import Drilling
from orchestrator.usecases.recovery.protecting import Protecting
from orchestrator.usecases.recovery.recalling import Recalling
from orchestrator.usecases.recovery.rehearsing import Rehearsing
from orchestrator.usecases.recovery.witnessing import Witnessing
from orchestrator.usecases.runs.dispatching import Dispatching
from orchestrator.usecases.runs.driving import Driving
from orchestrator.usecases.runs.retaining import Retaining
from tests.usecases.conftest import House, order
from tests.usecases.recovery.memory_host import MemoryHost, Service, TurnableStopwatch, no_answer, refusal

AGENCY = "a-one"
PHASES = ["examine", "pin", "prepare", "restore", "start", "probe", "check", "cleanup", "report"]


@dataclass
class Playbooks:
    """Where the phases are not played by the host: backups and the restore."""

    host: MemoryHost

    def run(self, assignment: Assignment, **_: Any) -> StepOutcome:
        if assignment.verb is Verb.BACKUP:
            self.host.back_up()
        if "restore" in self.host.broken:
            return StepOutcome(state=StepState.FAILED, error=self.host.broken["restore"].message)
        return StepOutcome(state=StepState.SUCCEEDED)


@dataclass
class RecoveryHouse:
    house: House
    host: MemoryHost
    stopwatch: TurnableStopwatch
    drilling: Drilling
    protecting: Protecting
    recalling: Recalling
    witnessing: Witnessing
    runner: Dispatching
    driving: Driving
    said: list[str] = field(default_factory=list)

    def turn(self, **how: float) -> None:
        self.house.clock.turn(**how)

    def canaries(self, count: int) -> None:
        """One a minute."""
        for _ in range(count):
            self.turn(minutes=1)
            assert [w.error for w in self.witnessing.write(AGENCY)] == [None]

    def back_up(self) -> Run:
        return self.drive(self.protecting.open_run(AGENCY))

    def step(self, run: Run, *, worker: str = "w") -> str | None:
        """The next step to its end; None when there is none."""
        ready = self.driving.next_steps(run.id).ready
        if not ready:
            return None
        started = self.driving.start(run.id, ready[0].id, worker=worker)
        assert started is not None
        self.turn(seconds=5)
        outcome = self.runner.run(
            started.work,
            on_events=lambda events: self.said.extend(e.text for e in events if isinstance(e, StepTold)),
            cancelled=lambda: not started.step.always and self.driving.cancel_requested(run.id),
        )
        self.driving.finish(started, outcome)
        return started.step.verb

    def kept(self) -> dict[str, str]:
        """The secrets of who keeps the backups."""
        with self.house.store.begin() as tx:
            return self.protecting.assigning.keeper_secrets(tx, AGENCY)

    def writer(self, component: str, host: str) -> dict[str, str]:
        return writer_of(component, host, self.kept())

    def drive(self, run: Run) -> Run:
        self.house.admit()
        assert self.driving.begin(run.id, run.attempt)
        while self.step(run):
            pass
        return self.driving.conclude(run.id, run.attempt)

    def drill(self, component: str | None = "alpha") -> Drill:
        """One asked for and carried out to its end."""
        drill = self.drilling.request(AGENCY, component, by="ann")
        self.drive(self.drilling.start(drill.id))
        return self.stored(drill)

    def stored(self, drill: Drill) -> Drill:
        with self.house.store.read() as tx:
            found = tx.drills.get(drill.id)
        assert found is not None
        return found

    def evidence(self, drill: Drill) -> Evidence:
        return Evidence.model_validate(json.loads(self.recalling.evidence(drill.id))["evidence"])


@pytest.fixture
def recovery(house: House) -> Iterator[RecoveryHouse]:
    """An agency with something to lose and somebody to keep it, at a site that asks for no approval."""
    host, clock = MemoryHost(house.clock), house.clock
    source, store, assigning = house.planning.source, house.store, house.provisioning.assigning
    drilling = Drilling(source=source, store=store, clock=clock, assigning=assigning, limit=timedelta(minutes=5))
    protecting = Protecting(source=source, store=store, clock=clock, assigning=assigning)
    stopwatch = TurnableStopwatch(clock)
    concluding = Concluding(
        source=source,
        store=store,
        clock=clock,
        stopwatch=stopwatch,
        name="test",
        interval=timedelta(minutes=1),
        seal=lambda evidence: (json.dumps({"evidence": evidence.document()}), f"{evidence.drill:064}"),
        report_due=lambda day: day + timedelta(days=28),
    )
    playbooks = Playbooks(host)
    rehearsing = Rehearsing(
        store=store,
        clock=clock,
        stopwatch=stopwatch,
        hosts=host,
        playbooks=playbooks,
        report=concluding.report,
        pause=lambda seconds: clock.turn(seconds=seconds),
        stopping=lambda: host.worker_stops,
    )
    runner = Dispatching({Assignment: playbooks.run, Rehearsal: rehearsing.run})
    consequences = {**house.driving.consequences, Purpose.BACKUP: protecting, Purpose.DRILL: drilling}
    driving = Driving(source=source, store=store, clock=clock, consequences=consequences)
    witnessing = Witnessing(
        source=source, store=store, clock=clock, assigning=assigning, hosts=host, stopwatch=stopwatch
    )
    house.apply(order(AGENCY, **{"alpha": {}, "disaster-recovery": {}}))
    yield RecoveryHouse(house, host, stopwatch, drilling, protecting, Recalling(store), witnessing, runner, driving)


@pytest.fixture
def ready(recovery: RecoveryHouse) -> RecoveryHouse:
    """Backed up, with canaries before and after."""
    recovery.canaries(3)
    recovery.back_up()
    recovery.canaries(2)
    return recovery


class TestADrill:
    def test_passes_and_reports_what_it_measured(self, ready: RecoveryHouse) -> None:
        drill = ready.drill()
        assert (drill.state, drill.verdict) == (DrillState.REPORTED, Verdict.PASS), drill.reason
        evidence = ready.evidence(drill)
        assert [p.name for p in evidence.phases] == PHASES[:-1]
        assert (evidence.rpo.acknowledged, evidence.rpo.restored, evidence.rpo.lost) == (5, 3, 2)
        assert evidence.rpo.seconds == pytest.approx((evidence.t0 - ready_at(ready, 3)).total_seconds())
        assert evidence.rpo.upper_seconds == evidence.rpo.seconds + 60  # type: ignore[operator]
        assert evidence.rto.seconds == drill.rto_seconds != 0
        assert evidence.integrity.level == 5
        assert evidence.cleanup.clean
        assert {p.name for p in evidence.phases if p.command_sha256 is None} == {"probe"}, "it only uses the service"
        assert not ready.host.bubbles

    def test_of_a_summer_night_is_reported_under_its_local_date(self, ready: RecoveryHouse) -> None:
        """Half past midnight in London is the day before in UTC."""
        ready.house.clock.time = datetime(2027, 6, 30, 23, 30, tzinfo=UTC)
        evidence = ready.evidence(ready.drill())
        assert evidence.finished_at.astimezone(UTC).date() == date(2027, 6, 30)
        assert evidence.report_due == date(2027, 7, 1) + timedelta(days=28)
        assert {finding.due for finding in evidence.findings} <= {date(2027, 7, 1) + timedelta(days=28)}

    def test_opens_only_the_backups_of_the_host_it_rehearses(self, ready: RecoveryHouse) -> None:
        before = len(ready.host.told)
        ready.drill()
        told = [document for document in ready.host.told[before:] if "password" in document]
        [host] = {document["host"] for document in told if "host" in document}
        assert {document["password"] for document in told} == {ready.writer("alpha", host)["repository_password"]}

    def test_names_the_previous_evidence(self, ready: RecoveryHouse) -> None:
        first, second = ready.drill(), ready.drill()
        assert ready.evidence(first).previous is None
        assert ready.evidence(second).previous == f"{first.id:064}"

    def test_names_the_previously_concluded_evidence_whichever_run_ends_first(self, ready: RecoveryHouse) -> None:
        first, second = ready.drill(), ready.drill()
        ready.turn(minutes=1)
        with ready.house.store.begin() as tx:  # its run is closed after the other's
            again = {"state": DrillState.CLEANUP, "finished_at": first.finished_at}
            tx.drills.put(first.model_copy(update=again))
            run = tx.runs.get(first.run or 0)
            assert run is not None
            ready.drilling.end_run(tx, run, [])
        assert ready.stored(first).finished_at == first.finished_at
        third = ready.drill()
        assert ready.evidence(third).previous == f"{second.id:064}"

    def test_asks_for_no_more_canaries_than_are_kept(
        self, ready: RecoveryHouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("orchestrator.usecases.recovery.witnessing.KEPT", 3)
        ready.canaries(1)
        with ready.house.store.read() as tx:
            assert [c.number for c in tx.canaries.of(AGENCY, "alpha")] == [4, 5, 6]
        ready.back_up()
        ready.canaries(1)
        drill = ready.drill()
        assert drill.verdict is Verdict.PASS, drill.reason
        rpo = ready.evidence(drill).rpo
        assert (rpo.acknowledged, rpo.restored, rpo.lost) == (7, 6, 1)

    def test_changes_nothing_of_the_agency_however_it_ends(self, ready: RecoveryHouse) -> None:
        ready.host.broken["start"] = refusal("no such unit")
        drill = ready.drill()
        assert drill.verdict is Verdict.FAIL
        assert set(ready.house.states(AGENCY).values()) == {"in_service"}

    def test_cannot_be_resumed(self, ready: RecoveryHouse) -> None:
        ready.host.broken["start"] = refusal("no such unit")
        drill = ready.drill()
        assert drill.run is not None
        with pytest.raises(OrchestratorError, match="cannot be resumed"):
            ready.driving.resume(drill.run)


def ready_at(recovery: RecoveryHouse, number: int) -> Any:
    with recovery.house.store.read() as tx:
        return tx.canaries.of(AGENCY, "alpha")[number - 1].acknowledged_at


def test_the_component_that_was_rehearsed_longest_ago_comes_first(
    ready: RecoveryHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those never rehearsed come before all others, by name. A drill that was only requested does not count."""
    catalog = ready.drilling.source.catalog()
    beta = catalog.components["beta"]
    kept = beta.model_copy(update={"recovery": beta.recovery.model_copy(update={"data": ("rows",)})})
    both = catalog.model_copy(update={"components": {**catalog.components, "beta": kept}})
    monkeypatch.setattr(type(ready.drilling.source), "catalog", lambda _self: both)
    ready.house.apply(order(AGENCY, **{"alpha": {}, "beta": {}, "disaster-recovery": {}}))
    ready.back_up()
    assert [ready.drill(asked).component for asked in (None, None, "beta", None, None)] == [
        "alpha", "beta", "beta", "alpha", "beta",
    ]  # fmt: skip
    ready.drilling.request(AGENCY, "alpha", by="ann")
    assert ready.drilling.request(AGENCY, None, by="ann").component == "alpha"


class TestWhateverGoesWrong:
    @pytest.mark.parametrize("phase", ["pin", "prepare", "restore", "start", "check"])
    def test_the_bubble_is_cleaned_up_and_the_drill_fails_in_that_phase(self, ready: RecoveryHouse, phase: str) -> None:
        ready.host.broken[phase] = refusal("disk full")
        drill = ready.drill()
        assert not ready.host.bubbles
        assert "cleanup" in ready.host.asked
        assert (drill.state, drill.verdict) == (DrillState.REPORTED, Verdict.FAIL)
        assert f"{phase} failed: disk full" in str(drill.reason)

    def test_a_service_that_does_not_come_back_gives_a_censored_recovery_time(self, ready: RecoveryHouse) -> None:
        ready.host.broken["user"] = no_answer()
        drill = ready.drill()
        assert (drill.verdict, drill.rto_seconds) == (Verdict.FAIL, None)
        assert ready.evidence(drill).rto.censored_limit_seconds == 300
        assert "nobody can work yet" in ready.said[0]

    def test_a_service_that_keeps_users_waiting_counts_as_tried(
        self, ready: RecoveryHouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answering, silences = Service.ask, iter([True, True])

        def ask(service: Service, request: Mapping[str, Any], *, within: timedelta) -> dict[str, Any]:
            if request["op"] == "probe" and next(silences, False):
                ready.turn(seconds=within.total_seconds())
                raise no_answer()
            return answering(service, request, within=within)

        monkeypatch.setattr(Service, "ask", ask)
        drill = ready.drill()
        assert drill.verdict is Verdict.PASS, drill.reason
        recovery = ready.evidence(drill).rto
        assert recovery.attempts == 5
        assert recovery.longest_gap_seconds is not None
        assert recovery.longest_gap_seconds < 2
        assert recovery.seconds is not None
        assert recovery.seconds > 20

    def test_a_host_that_cannot_take_the_drill_blocks_it(self, ready: RecoveryHouse) -> None:
        ready.host.broken["precheck"] = refusal("another drill lives")
        drill = ready.drill()
        assert drill.state is DrillState.BLOCKED
        assert drill.verdict is None

    @pytest.mark.parametrize(
        ("operation", "answer", "wrong"),
        [
            ("precheck", {"time": "noon"}, "clock.offset_seconds"),
            ("pin", {"chosen": "1", "snapshots": [{"id": 7}]}, "snapshots.0"),
            ("prepare", {"address": None}, "address"),
            ("check", {"engine": {"passed": "perhaps"}}, "checks.engine.passed"),
            ("leaks", {"attempts": "none"}, "leaks"),
        ],
    )
    def test_an_invalid_answer_fails_its_phase(
        self, ready: RecoveryHouse, operation: str, answer: dict[str, Any], wrong: str
    ) -> None:
        ready.host.answers[operation] = answer
        drill = ready.drilling.request(AGENCY, "alpha", by="ann")
        run = ready.drive(ready.drilling.start(drill.id))
        assert run.state is RunState.FAILED
        failed = [step.error for step in ready.house.observing.run(run.id).steps if step.state is StepState.FAILED]
        assert f"the recovery host's answer cannot be read: {wrong}" in str(failed)

    def test_a_cleanup_that_fails_is_reported(self, ready: RecoveryHouse) -> None:
        ready.host.broken["cleanup"] = refusal("device busy")
        drill = ready.drill()
        assert (drill.state, drill.verdict) == (DrillState.CLEANUP_FAILED, Verdict.FAIL)

    def test_a_restored_copy_from_after_the_disaster_makes_the_drill_invalid(self, ready: RecoveryHouse) -> None:
        drill = ready.drilling.request(AGENCY, "alpha", by="ann")
        run = ready.drilling.start(drill.id)
        ready.house.admit()
        ready.driving.begin(run.id, run.attempt)
        while ready.step(run) != "restore":
            pass
        ready.canaries(1)
        ready.host.copy.records.append(ready.host.live.records[-1])
        while ready.step(run):
            pass
        ready.driving.conclude(run.id, run.attempt)
        assert ready.stored(drill).verdict is Verdict.INVALID

    @pytest.mark.parametrize("phase", PHASES)
    def test_a_worker_that_dies_is_replaced_by_one_that_cleans_up(self, ready: RecoveryHouse, phase: str) -> None:
        drill = ready.drilling.request(AGENCY, "alpha", by="ann")
        run = ready.drilling.start(drill.id)
        ready.house.admit()
        ready.driving.begin(run.id, run.attempt)
        while (step := ready.driving.next_steps(run.id).ready[0]).verb != phase:
            ready.step(run)
        ready.driving.start(run.id, step.id, worker="w")  # and is never heard of again
        assert ready.driving.begin(run.id, run.attempt)
        while ready.step(run, worker="v"):
            pass
        ready.driving.conclude(run.id, run.attempt)
        after = ready.stored(drill)
        assert not ready.host.bubbles
        measured = phase not in ("cleanup", "report")
        assert after.verdict is (Verdict.INCONCLUSIVE if measured else Verdict.PASS), after.reason

    @pytest.mark.parametrize("phase", PHASES[1:7])
    def test_a_stopped_drill_is_cleaned_up_and_aborted(self, ready: RecoveryHouse, phase: str) -> None:
        drill = ready.drilling.request(AGENCY, "alpha", by="ann")
        run = ready.drilling.start(drill.id)
        ready.house.admit()
        ready.driving.begin(run.id, run.attempt)
        while ready.driving.next_steps(run.id).ready[0].verb != phase:
            ready.step(run)
        ready.driving.cancel(run.id)
        while ready.step(run):
            pass
        assert ready.driving.conclude(run.id, run.attempt).state is RunState.CANCELLED
        assert ready.stored(drill).state is DrillState.ABORTED
        assert not ready.host.bubbles

    def test_a_worker_that_is_stopping_leaves_the_phase_to_another(self, ready: RecoveryHouse) -> None:
        """Also while it waits for a service that may take hours to come back."""
        drill = ready.drilling.request(AGENCY, "alpha", by="ann")
        run = ready.drilling.start(drill.id)
        ready.house.admit()
        ready.driving.begin(run.id, run.attempt)
        while ready.driving.next_steps(run.id).ready[0].verb != "probe":
            ready.step(run)
        ready.host.broken["user"], ready.host.worker_stops = no_answer(), True
        with pytest.raises(Interrupted):
            ready.step(run)
        ready.host.broken.clear()
        ready.host.worker_stops = False
        while ready.step(run, worker="v"):
            pass
        ready.driving.conclude(run.id, run.attempt)
        assert ready.stored(drill).verdict is Verdict.INCONCLUSIVE

    def test_a_drill_with_nothing_in_its_way_is_started_only_once(self, ready: RecoveryHouse) -> None:
        drill = ready.drilling.request(AGENCY, "alpha", by="ann")
        run = ready.drilling.start_if_due(drill.id)
        assert run and ready.stored(drill).run == run.id
        assert ready.drilling.start_if_due(drill.id) is None

    def test_a_drill_gives_way_to_an_incident(self, ready: RecoveryHouse) -> None:
        drill = ready.drilling.request(AGENCY, "alpha", by="ann")
        run = ready.drilling.start(drill.id)
        assert ready.drilling.make_way(AGENCY, Priority.CHANGE, ready.driving) == run
        assert ready.stored(drill).state is DrillState.SCHEDULED, "only an incident stops it"
        assert ready.drilling.make_way(AGENCY, Priority.INCIDENT, ready.driving) == run
        assert ready.drilling.make_way(AGENCY, Priority.INCIDENT, ready.driving) is None
        assert ready.stored(drill).state is DrillState.PREEMPTED
        change = order(AGENCY, **{"alpha": {"tier": "large"}, "disaster-recovery": {}})
        ready.house.provisioning.open_run(ready.house.planning.plan(change).id, RunOptions(priority=Priority.INCIDENT))


def test_a_requested_backup_is_taken_after_a_canary(ready: RecoveryHouse) -> None:
    before = len(ready.host.live.records)
    run = BackingUp(ready.witnessing, ready.protecting).now(AGENCY)
    assert run.purpose is Purpose.BACKUP
    assert len(ready.host.live.records) == before + 1


class TestApproval:
    @pytest.fixture
    def strict(self, ready: RecoveryHouse, monkeypatch: pytest.MonkeyPatch) -> RecoveryHouse:
        """The same at a site that wants an approval, which is the default."""
        site = ready.drilling.source.site("bench")
        facts = {k: v for k, v in site.facts.items() if k != "site_drills_need_approval"}
        asking = site.model_copy(update={"facts": facts})
        monkeypatch.setattr(type(ready.drilling.source), "site", lambda _self, _name: asking)
        return ready

    def ask(self, strict: RecoveryHouse) -> Drill:
        drill = strict.drilling.request(AGENCY, "alpha", by="ann")
        assert drill.state is DrillState.APPROVAL_PENDING
        with pytest.raises(OrchestratorError, match="cannot schedule"):
            strict.drilling.start(drill.id)
        assert strict.drilling.start_if_due(drill.id) is None
        return drill

    def test_must_come_from_somebody_else(self, strict: RecoveryHouse) -> None:
        drill = self.ask(strict)
        with pytest.raises(OrchestratorError) as refused:
            strict.drilling.approve(drill.id, by="ann", live_data=True)
        assert refused.value.kind is Kind.NOT_COVERED

    def test_must_cover_the_use_of_live_data_separately(self, strict: RecoveryHouse) -> None:
        drill = self.ask(strict)
        with pytest.raises(OrchestratorError, match="live data"):
            strict.drilling.approve(drill.id, by="bob", live_data=False)

    def test_lets_the_drill_go_on_and_is_part_of_the_evidence(self, strict: RecoveryHouse) -> None:
        drill = strict.drilling.approve(self.ask(strict).id, by="bob", live_data=True)
        strict.drive(strict.drilling.start(drill.id))
        [approval] = strict.evidence(drill).approvals
        assert (approval.who, approval.plan_digest, approval.live_data) == ("bob", drill.plan_digest, True)

    def test_expires(self, strict: RecoveryHouse) -> None:
        drill = strict.drilling.approve(self.ask(strict).id, by="bob", live_data=True)
        strict.turn(days=15)
        with pytest.raises(OrchestratorError, match="expired"):
            strict.drilling.start(drill.id)

    def test_is_valid_for_one_plan_only(self, strict: RecoveryHouse) -> None:
        drill = strict.drilling.approve(self.ask(strict).id, by="bob", live_data=True)
        strict.house.apply(order(AGENCY, **{"alpha": {"tier": "large"}, "disaster-recovery": {}}))
        with pytest.raises(OrchestratorError, match="another plan"):
            strict.drilling.start(drill.id)

    def test_can_be_refused(self, strict: RecoveryHouse) -> None:
        rejected = strict.drilling.reject(self.ask(strict).id, by="bob", reason="not this week")
        assert (rejected.state, rejected.reason) == (DrillState.REJECTED, "bob: not this week")


class TestBackups:
    def test_are_due_at_once_and_then_twice_in_the_time_that_may_be_lost(self, recovery: RecoveryHouse) -> None:
        [run] = recovery.protecting.open_due()
        assert recovery.protecting.open_due() == []
        recovery.drive(run)
        recovery.turn(hours=11, minutes=50)
        assert recovery.protecting.open_due() == []
        recovery.turn(minutes=10)
        assert len(recovery.protecting.open_due()) == 1

    def test_are_written_with_each_hosts_own_credentials(self, recovery: RecoveryHouse) -> None:
        [run] = recovery.protecting.open_due()
        recovery.house.admit()
        assert recovery.driving.begin(run.id, run.attempt)
        started = recovery.driving.start(run.id, recovery.driving.next_steps(run.id).ready[0].id, worker="w")
        assert started
        told = started.work
        assert isinstance(told, Assignment)
        assert told.writers == {host: recovery.writer("alpha", host) for host in told.variables}
        assert told.keeper in told.site.hosts
        assert not told.hidden & set(recovery.kept().values()), "what they are derived from stays here"

    def test_that_failed_are_tried_again_after_a_while(self, recovery: RecoveryHouse) -> None:
        recovery.host.broken["restore"] = refusal("repository locked")
        [run] = recovery.protecting.open_due()
        assert recovery.drive(run).state is RunState.FAILED
        assert recovery.protecting.open_due() == []
        recovery.turn(minutes=15)
        assert len(recovery.protecting.open_due()) == 1

    def test_show_how_much_could_be_lost_at_the_worst_moment(self, recovery: RecoveryHouse) -> None:
        recovery.back_up()
        recovery.turn(hours=2)
        recovery.back_up()
        [view] = recovery.protecting.protection(AGENCY)
        assert view.worst_exposure_seconds == pytest.approx(2 * 3600 + 5, abs=10)

    def test_are_kept_on_record_for_as_long_as_configured(self, recovery: RecoveryHouse) -> None:
        recovery.back_up()
        recovery.turn(days=30)
        newer = recovery.back_up()
        recovery.turn(days=10)
        store, clock = recovery.house.store, recovery.house.clock
        retaining = Retaining(store=store, clock=clock, days=400, backup_days=35, agencies={})
        assert retaining.prune() == 1
        with store.read() as tx:
            assert [b.run for b in tx.backups.newest(AGENCY, "alpha")] == [newer.id]
        assert retaining.prune() == 0

    def test_are_refused_for_an_agency_that_did_not_order_them(self, house: House, recovery: RecoveryHouse) -> None:
        house.apply(order("a-two"))
        with pytest.raises(OrchestratorError, match="not backed up"):
            recovery.protecting.open_run("a-two")
        with pytest.raises(OrchestratorError, match="has no backup"):
            recovery.drilling.request("a-two", None, by="ann")


def test_a_canary_that_is_lost_on_the_way_is_written_again_under_its_number(ready: RecoveryHouse) -> None:
    ready.host.broken["user"] = no_answer()
    assert ready.witnessing.write(AGENCY)[0].error
    del ready.host.broken["user"]
    [written] = ready.witnessing.write(AGENCY)
    assert written.number == 6


def test_canaries_are_recognised_whichever_key_they_were_signed_with(ready: RecoveryHouse) -> None:
    sealing, kept = ready.protecting.assigning.secrets, ready.kept()
    with ready.house.store.begin() as tx:
        token = sealing.seal(sealing.generate(SecretKind.KEY))
        tx.secrets.propose((AGENCY, KEEPER, "canary_key"), token)
        tx.secrets.accept(AGENCY, KEEPER, at=ready.house.clock.now())
    assert ready.kept()["canary_key"] != kept["canary_key"]
    ready.canaries(2)
    ready.back_up()
    rpo = ready.evidence(ready.drill()).rpo
    assert (rpo.acknowledged, rpo.restored, rpo.lost, rpo.holes) == (7, 7, 0, 0)
    with ready.house.store.read() as tx:
        *_, before, last = tx.canaries.of(AGENCY, "alpha")
    forged = next_canary(base64.b64decode(kept["canary_key"]), before, at=last.sent_at)
    assert forged.code != last.code, "who has the old key makes none that fits"


def test_only_drills_that_reached_their_disaster_have_evidence(ready: RecoveryHouse, tmp_path: Path) -> None:
    ready.host.broken["precheck"] = refusal("no")
    drill = ready.drill()
    with pytest.raises(OrchestratorError, match="no evidence"):
        ready.recalling.evidence(drill.id)
