"""Drills whose measurement cannot be relied on: they end, as inconclusive, and leave evidence that says why."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any

import pytest

from orchestrator.domain.errors import OrchestratorError
from orchestrator.domain.recovery.drills import Drill, DrillState
from orchestrator.domain.recovery.recovery_time import WAITING
from orchestrator.domain.recovery.verdict import Verdict
from orchestrator.domain.runs.run import Run, StepState
from orchestrator.ports.drilling import DrillGoneError, TooSlowError
from orchestrator.usecases.recovery import leasing
from orchestrator.usecases.recovery.leasing import DRILL_LEASE, HostReach, Lease
from tests.usecases.recovery.memory_host import MemoryHost, Service, no_answer, refusal
from tests.usecases.recovery.test_drilling import AGENCY, RecoveryHouse, ready, recovery

__all__ = ["ready", "recovery"]


def drill_in_which(house: RecoveryHouse, before: str, happens: Callable[[], object]) -> Drill:
    """A drill to its end, and something that happens before one of its phases."""
    drill, run = opened(house)
    while house.driving.next_steps(run.id).ready[0].verb != before:
        house.step(run)
    happens()
    while house.step(run):
        pass
    house.driving.conclude(run.id, run.attempt)
    return house.stored(drill)


def opened(house: RecoveryHouse) -> tuple[Drill, Run]:
    drill = house.drilling.request(AGENCY, "alpha", by="ann")
    run = house.drilling.start(drill.id)
    house.house.admit()
    house.driving.begin(run.id, run.attempt)
    return drill, run


def stop_after(house: RecoveryHouse, run: Run, phase: str) -> None:
    """Have a drill do as far as this phase, stop it, and let what always comes last come."""
    while house.step(run) != phase:
        pass
    house.driving.cancel(run.id)
    while house.step(run):
        pass
    house.driving.conclude(run.id, run.attempt)


def in_doubt(house: RecoveryHouse, drill: Drill, *reasons: str) -> None:
    assert (drill.state, drill.verdict) == (DrillState.REPORTED, Verdict.INCONCLUSIVE), drill.reason
    for reason in reasons:
        assert reason in str(drill.reason)
        assert reason in "; ".join(house.evidence(drill).reasons)


class TestADrill:
    def test_that_checked_no_level_is_inconclusive(self, ready: RecoveryHouse, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(MemoryHost, "check", lambda *_: {})
        levels = [f"on level {level}" for level in (1, 2, 3, 5)]
        in_doubt(ready, ready.drill(), *levels)

    def test_that_made_no_attempt_to_get_out_is_inconclusive(self, ready: RecoveryHouse) -> None:
        ready.host.answers["leaks"] = {"attempts": []}
        in_doubt(ready, ready.drill(), "no attempt was made to get out to the outside, 1.1.1.1:443")

    @pytest.mark.parametrize(("answers_took", "passes"), [((9, 4, 0.2), True), ((9, 9, 9, 9, 9), False)])
    def test_goes_by_the_quickest_answer_about_the_recovery_hosts_clock(
        self, ready: RecoveryHouse, monkeypatch: pytest.MonkeyPatch, answers_took: Sequence[float], passes: bool
    ) -> None:
        """A busy machine answers late, which says nothing about its clock."""
        late = iter(answers_took)

        def precheck(host: MemoryHost, _: object) -> dict[str, float]:
            told = host.time()
            ready.turn(seconds=next(late))
            return {"time": told}

        monkeypatch.setattr(MemoryHost, "precheck", precheck)
        drill = ready.drill()
        assert (drill.verdict is Verdict.PASS) == passes, drill.reason
        assert passes or "the recovery host's clock is" in str(drill.reason)
        assert list(late) == []

    def test_that_made_only_one_attempt_of_three_is_inconclusive(
        self, ready: RecoveryHouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        all_of_them = MemoryHost.leaks
        monkeypatch.setattr(MemoryHost, "leaks", lambda *asked: {"attempts": all_of_them(*asked)["attempts"][-1:]})
        in_doubt(ready, ready.drill(), "no attempt was made to get out to production host")

    def test_whose_attempts_fail_from_everywhere_is_inconclusive(
        self, ready: RecoveryHouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        all_of_them = MemoryHost.leaks
        shut = {"control": False}
        monkeypatch.setattr(
            MemoryHost, "leaks", lambda *asked: {"attempts": [one | shut for one in all_of_them(*asked)["attempts"]]}
        )
        in_doubt(ready, ready.drill(), "the blocked attempt to reach the outside proves nothing")

    def test_whose_copy_accepts_no_canaries_is_inconclusive(self, ready: RecoveryHouse) -> None:
        ready.host.copy.keeps = False
        drill = ready.drill()
        in_doubt(ready, drill, "the restored copy accepts no canaries, but 5 are in the ledger")
        assert "has no canaries" not in str(ready.evidence(drill).findings)

    def test_whose_backup_is_from_after_the_disaster_is_invalid(self, ready: RecoveryHouse) -> None:
        later = ready.house.clock.now() + timedelta(minutes=5)
        ready.host.backups[-1] = (later.isoformat(), ready.host.backups[-1][1])
        drill = ready.drill()
        assert drill.verdict is Verdict.INVALID
        assert "is from after the disaster" in str(drill.reason)


class TestAClock:
    @pytest.mark.parametrize("since_its_start", [5.0, 90_000_000_000.0])
    @pytest.mark.parametrize("phase", ["prepare", "restore", "start", "probe"])
    def test_that_restarted_after_the_disaster_leaves_the_drill_in_doubt(
        self, ready: RecoveryHouse, since_its_start: float, phase: str
    ) -> None:
        """The machine was restarted, or another took over: seconds since another start cannot be compared."""

        def restart() -> None:
            ready.stopwatch.boot = "another"
            ready.stopwatch.ahead = since_its_start - ready.house.clock.now().timestamp()

        drill = drill_in_which(ready, phase, restart)
        in_doubt(ready, drill, "were read from clocks that cannot be compared")
        assert ready.evidence(drill).rto.seconds is None

    def test_that_restarted_does_not_keep_the_drill_waiting_for_ever(self, ready: RecoveryHouse) -> None:
        def restart() -> None:
            ready.stopwatch.boot = "another"
            ready.stopwatch.ahead = 5.0 - ready.house.clock.now().timestamp()
            ready.host.broken["user"] = refusal("nobody there")

        drill = drill_in_which(ready, "probe", restart)
        assert ready.evidence(drill).rto.censored_limit_seconds == 300
        assert "cannot be compared" in str(ready.evidence(drill).findings)

    def test_that_was_set_back_between_a_record_and_the_disaster_leaves_the_drill_in_doubt(
        self, ready: RecoveryHouse
    ) -> None:
        truly = ready.house.clock.now()
        with ready.house.store.read() as tx:
            last = tx.canaries.of(AGENCY, "alpha")[2].acknowledged_at
        ready.stopwatch.set_clock(-90)
        ready.host.fast = 90
        drill = ready.drill()
        in_doubt(ready, drill, "our clock was set by -90.0 s between the last record that came back and the disaster")
        evidence = ready.evidence(drill)
        assert last is not None
        assert evidence.rpo.seconds == pytest.approx((truly - last).total_seconds(), abs=30)
        assert (evidence.rpo.acknowledged, evidence.rpo.lost) == (5, 2)

    def test_that_was_set_along_with_the_recovery_hosts_leaves_the_drill_in_doubt(self, ready: RecoveryHouse) -> None:
        ready.stopwatch.set_clock(-90)
        in_doubt(ready, ready.drill(), "our clock was set by -90.0 s")

    def test_of_a_restarted_machine_is_compared_with_the_recovery_hosts(self, ready: RecoveryHouse) -> None:
        ready.stopwatch.boot = "another"
        drill = ready.drill()
        assert drill.verdict is Verdict.PASS, drill.reason

    def test_of_a_restarted_machine_that_was_also_set_leaves_the_drill_in_doubt(self, ready: RecoveryHouse) -> None:
        ready.stopwatch.boot = "another"
        ready.stopwatch.set_clock(-90)
        ready.host.fast = 90
        in_doubt(ready, ready.drill(), "our clock was set by -90.0 s")

    def test_that_was_never_compared_leaves_the_drill_in_doubt(
        self, ready: RecoveryHouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The recovery host's programs are too old to be asked for its time."""
        with ready.house.store.begin() as tx:
            for canary in tx.canaries.of(AGENCY, "alpha"):
                tx.canaries.put(AGENCY, "alpha", canary.model_copy(update={"host_offset_seconds": None}))
        ready.stopwatch.boot = "another"
        in_doubt(ready, ready.drill(), "whether our clock was set")

    @pytest.mark.parametrize("seconds", [-4_000.0, 4_000.0])
    def test_that_was_set_during_the_drill_leaves_it_in_doubt(self, ready: RecoveryHouse, seconds: float) -> None:
        drill = drill_in_which(ready, "check", lambda: ready.stopwatch.set_clock(seconds))
        in_doubt(ready, drill, f"our clock was set by {seconds:+.1f} s during the drill")
        assert ready.evidence(drill).rto.seconds is not None

    def test_that_was_set_back_does_not_break_the_chain(self, ready: RecoveryHouse) -> None:
        drills = []
        for _ in range(3):
            drills.append(ready.drill())
            ready.stopwatch.set_clock(-7_200)
        assert [ready.evidence(drill).previous for drill in drills] == [None, *(f"{d.id:064}" for d in drills[:2])]
        with ready.house.store.read() as tx:
            assert tx.drills.count_evidence() == 3

    def test_that_was_set_back_between_two_backups_gives_no_negative_exposure(self, recovery: RecoveryHouse) -> None:
        recovery.canaries(2)
        recovery.back_up()
        recovery.stopwatch.set_clock(-50_000)
        recovery.back_up()
        exposure = recovery.evidence(recovery.drill()).rpo.worst_exposure_seconds
        assert exposure is None or exposure >= 0


class TestARecoveryHostThatIsAway:
    def away(self, house: RecoveryHouse, **how_long: float) -> Callable[[], None]:
        def go() -> None:
            house.host.away_until = house.house.clock.now() + timedelta(**how_long)

        return go

    @pytest.fixture
    def goes_away(self, ready: RecoveryHouse, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """While the first user tries."""

        def arrange(after: Callable[[], object] = lambda: None, **how_long: float) -> None:
            answering, first = Service.ask, iter([True])

            def ask(service: Service, request: Mapping[str, Any], *, within: timedelta) -> dict[str, Any]:
                if request["op"] == "probe" and next(first, False):
                    self.away(ready, **how_long)()
                    after()
                    raise no_answer()
                return answering(service, request, within=within)

            monkeypatch.setattr(Service, "ask", ask)

        return arrange

    @pytest.mark.parametrize("phase", ["pin", "prepare", "restore", "start", "check"])
    def test_for_a_moment_is_waited_for(self, ready: RecoveryHouse, phase: str) -> None:
        drill = drill_in_which(ready, phase, self.away(ready, seconds=65))
        assert drill.verdict is Verdict.PASS, drill.reason
        waited = ready.evidence(drill).rto.parts[WAITING]
        assert waited == pytest.approx(20 if phase in ("pin", "check") else 80, abs=3), "five seconds before each phase"

    @pytest.mark.parametrize("phase", ["pin", "prepare", "restore", "start", "probe", "check"])
    def test_for_longer_than_a_lease_ends_the_drill(self, ready: RecoveryHouse, phase: str) -> None:
        drill = drill_in_which(ready, phase, self.away(ready, seconds=DRILL_LEASE.total_seconds() + 10))
        in_doubt(ready, drill, f"{phase}: recovery host: no answer")
        assert not ready.evidence(drill).never_recovered

    def test_for_longer_than_a_lease_while_users_try_ends_the_drill_too(
        self, ready: RecoveryHouse, goes_away: Any
    ) -> None:
        goes_away(seconds=DRILL_LEASE.total_seconds() + 10)
        drill = ready.drill()
        in_doubt(ready, drill, "has not answered for 120 s, and keeps drills no longer than that")
        assert "could work" not in str(ready.evidence(drill).reasons)
        [run] = [r for r in [drill.run] if r]
        with ready.house.store.read() as tx:
            assert tx.runs.open_of(AGENCY) is None
        assert run

    def test_and_comes_back_without_the_drill_ends_it_at_once(self, ready: RecoveryHouse, goes_away: Any) -> None:
        goes_away(seconds=40, after=lambda: ready.host.bubbles.clear())
        began = ready.house.clock.now()
        in_doubt(ready, ready.drill(), "no such drill")
        assert (ready.house.clock.now() - began).total_seconds() < 40 + 60, "long before anybody gives up"

    def test_for_a_moment_while_users_try_leaves_the_drill_in_doubt(self, ready: RecoveryHouse, goes_away: Any) -> None:
        goes_away(seconds=60)
        in_doubt(ready, ready.drill(), "nobody tried the service for")

    @pytest.mark.parametrize("phase", ["prepare", "restore", "start", "probe", "check"])
    def test_and_no_longer_has_the_drill_ends_it_at_once(self, ready: RecoveryHouse, phase: str) -> None:
        drill = drill_in_which(ready, phase, lambda: ready.host.bubbles.clear())
        in_doubt(ready, drill, f"{phase}: recovery host: no such drill")

    def test_without_the_drill_is_detected_while_the_service_does_not_come(
        self, ready: RecoveryHouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The host answers, and so does the user program: only renewing the lease shows that the drill is gone."""
        monkeypatch.setattr(leasing, "RENEWED", timedelta(milliseconds=1))

        def ask(service: Service, request: Mapping[str, Any], *, within: timedelta) -> dict[str, Any]:
            ready.host.bubbles.clear()
            while any(thread.name == "drill-lease" for thread in threading.enumerate()):
                time.sleep(0.001)
            return {"ok": False, "detail": "connection refused"}

        monkeypatch.setattr(Service, "ask", ask)
        in_doubt(ready, ready.drill(), "probe: recovery host: no such drill")

    def test_at_the_end_leaves_open_whether_anything_is_left_behind(self, ready: RecoveryHouse) -> None:
        drill = drill_in_which(ready, "cleanup", self.away(ready, minutes=10))
        assert (drill.state, drill.verdict) == (DrillState.CLEANUP_FAILED, Verdict.INCONCLUSIVE), drill.reason
        assert "cleanup: recovery host: no answer" in str(drill.reason)

    def test_is_distinguished_from_one_that_is_too_slow(self, ready: RecoveryHouse) -> None:
        ready.host.broken["start"] = TooSlowError("recovery host: drill start took longer than 2 minutes")
        drill = ready.drill()
        assert drill.verdict is Verdict.FAIL
        assert "start timed out" in str(drill.reason)


class TestALease:
    @pytest.fixture
    def lease(self, ready: RecoveryHouse) -> Lease:
        site = ready.drilling.source.site("bench")
        reach = HostReach(
            ready.host, site, "any", ready.stopwatch, lambda seconds: ready.turn(seconds=seconds), lambda: False
        )
        return Lease(reach, 7, renewed=ready.stopwatch.read())

    def test_of_a_drill_that_has_yet_to_begin_waits_for_it(self, ready: RecoveryHouse, lease: Lease) -> None:
        lease.begun = False
        lease.confirm()
        ready.host.bubbles.add(7)
        lease.confirm()
        ready.host.bubbles.clear()
        with pytest.raises(DrillGoneError):
            lease.confirm()

    def test_of_a_drill_that_never_begins_ends_in_time(self, ready: RecoveryHouse, lease: Lease) -> None:
        lease.begun = False
        ready.turn(seconds=DRILL_LEASE.total_seconds() + 1)
        with pytest.raises(OrchestratorError, match="has not answered for 120 s"):
            lease.confirm()

    def test_that_is_refused_is_over_whatever_the_reason(self, ready: RecoveryHouse, lease: Lease) -> None:
        """Older programs do not distinguish one error from another."""
        ready.host.bubbles.add(7)
        ready.host.broken["renew"] = refusal("drill 7 has no lease any more; start another drill")
        with pytest.raises(DrillGoneError, match="no lease any more"):
            lease.confirm()


class TestADrillThatWasStopped:
    @pytest.mark.parametrize("phase", ["prepare", "restore", "start", "probe", "check"])
    def test_leaves_evidence_in_the_chain(self, ready: RecoveryHouse, phase: str) -> None:
        before = ready.drill()
        drill, run = opened(ready)
        while ready.driving.next_steps(run.id).ready[0].verb != phase:
            ready.step(run)
        ready.driving.cancel(run.id)
        while ready.step(run):
            pass
        ready.driving.conclude(run.id, run.attempt)
        stopped = ready.stored(drill)
        assert (stopped.state, stopped.verdict) == (DrillState.ABORTED, Verdict.INCONCLUSIVE)
        evidence = ready.evidence(drill)
        assert evidence.stopped == "cancelled on request"
        assert evidence.reasons == ("the drill was stopped: cancelled on request",)
        assert evidence.previous == f"{before.id:064}"
        assert not evidence.never_recovered
        assert "canaries" not in str(evidence.findings), "nobody came to reading any"
        assert ready.evidence(ready.drill()).previous == f"{drill.id:064}"

    def test_while_it_waits_for_the_recovery_host_stops_waiting(self, ready: RecoveryHouse) -> None:
        _, run = opened(ready)
        while ready.step(run) != "pin":
            pass
        ready.host.away_until = ready.house.clock.now() + timedelta(seconds=60)
        started = ready.driving.start(run.id, ready.driving.next_steps(run.id).ready[0].id, worker="w")
        assert started is not None
        ready.driving.cancel(run.id)
        outcome = ready.runner.run(started.work, on_events=lambda _: None, cancelled=lambda: True)
        assert (outcome.state, outcome.error) == (StepState.CANCELLED, "cancelled on request")
        assert ready.house.clock.now() < ready.host.away_until

    def test_for_an_incident_names_that_as_the_reason(self, ready: RecoveryHouse) -> None:
        drill, run = opened(ready)
        while ready.step(run) != "pin":
            pass
        ready.drilling.preempt(run.id, ready.driving)
        while ready.step(run):
            pass
        ready.driving.conclude(run.id, run.attempt)
        stopped = ready.stored(drill)
        assert (stopped.state, stopped.reason) == (DrillState.PREEMPTED, "made way for an incident")
        assert ready.evidence(drill).stopped == "made way for an incident"

    def test_before_its_disaster_leaves_no_evidence(self, ready: RecoveryHouse) -> None:
        drill, run = opened(ready)
        ready.step(run)
        ready.driving.cancel(run.id)
        while ready.step(run):
            pass
        ready.driving.conclude(run.id, run.attempt)
        with ready.house.store.read() as tx:
            assert tx.drills.evidence(drill.id) is None

    def test_after_everything_was_measured_is_judged_as_usual(self, ready: RecoveryHouse) -> None:
        drill, run = opened(ready)
        stop_after(ready, run, "check")
        assert (ready.stored(drill).state, ready.stored(drill).verdict) == (DrillState.REPORTED, Verdict.PASS)

    def test_does_not_count_in_how_long_drills_take(self, ready: RecoveryHouse) -> None:
        _, run = opened(ready)
        stop_after(ready, run, "pin")
        with ready.house.store.read() as tx:
            assert tx.drills.durations(AGENCY) == {}


class TestWaitingForUsers:
    def test_records_who_could_not_work_and_why(self, ready: RecoveryHouse, monkeypatch: pytest.MonkeyPatch) -> None:
        """Some users can work, but never three in a row."""
        turns, answering = cycle([False, True, True, False, True, False, True]), Service.ask

        def ask(service: Service, request: Mapping[str, Any], *, within: timedelta) -> dict[str, Any]:
            if request["op"] != "probe":
                return answering(service, request, within=within)
            if next(turns):
                return {"ok": True, "detail": "ticket 5 opened, read and resolved"}
            return {"ok": False, "detail": "connection refused"}

        monkeypatch.setattr(Service, "ask", ask)
        assert ready.drill().verdict is Verdict.FAIL
        assert ready.said
        assert not [said for said in ready.said if "resolved" in said]
        waiting, working = ([said for said in ready.said if ("nobody" in said) is it] for it in (True, False))
        assert {said.partition(": ")[2] for said in waiting} == {"connection refused"}
        assert set(working) == {"1 of 3 in a row could work", "2 of 3 in a row could work"}

    def test_continues_beyond_the_limit_to_see_whether_others_follow(
        self, ready: RecoveryHouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first could work just in time; the next is kept waiting until after."""
        began = ready.house.clock.now()

        def ask(service: Service, request: Mapping[str, Any], *, within: timedelta) -> dict[str, Any]:
            if request["op"] != "probe":
                return {"ok": True, "canary": True, "records": list(service.records)}
            if ready.house.clock.now() - began < timedelta(seconds=290):
                return {"ok": False, "detail": "connection refused"}
            ready.turn(seconds=9)
            return {"ok": True}

        monkeypatch.setattr(Service, "ask", ask)
        rto = ready.evidence(ready.drill()).rto
        assert rto.censored_limit_seconds is None
        assert rto.seconds is not None
        assert 280 < rto.seconds <= 300


def test_a_recovery_time_is_reported_in_parts_that_add_up(ready: RecoveryHouse) -> None:
    rto = ready.evidence(ready.drill()).rto
    assert list(rto.parts) == ["pin", "prepare", "restore", "start", "verify", WAITING]
    assert sum(rto.parts.values()) == pytest.approx(rto.seconds)


class TestWitnesses:
    def test_are_named_in_the_evidence(self, ready: RecoveryHouse) -> None:
        drill = ready.drilling.request(AGENCY, "alpha", by="ann", witnesses=["eve"])
        run = ready.drilling.start(drill.id)
        ready.house.admit()
        ready.driving.begin(run.id, run.attempt)
        ready.step(run)
        for _ in range(2):
            ready.drilling.witness(drill.id, by="bob")
        while ready.step(run):
            pass
        ready.driving.conclude(run.id, run.attempt)
        named = ready.evidence(drill).witnesses
        assert [witness.who for witness in named] == ["eve", "bob"]
        assert all(isinstance(witness.at, datetime) and witness.at.tzinfo == UTC for witness in named)

    def test_are_not_who_requested_the_drill_and_are_named_before_its_end(self, ready: RecoveryHouse) -> None:
        drill = ready.drilling.request(AGENCY, "alpha", by="ann")
        with pytest.raises(Exception, match="ann requested the drill and cannot witness it"):
            ready.drilling.witness(drill.id, by="ann")
        ready.drive(ready.drilling.start(drill.id))
        with pytest.raises(Exception, match="is over, and its evidence cannot change"):
            ready.drilling.witness(drill.id, by="bob")
