"""The verdict on a drill: every problem changes it, and nothing else does."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from orchestrator.domain.recovery.canary import RecoveredRecords
from orchestrator.domain.recovery.evidence import (
    Check,
    Cleanup,
    Clocks,
    Isolation,
    LeakAttempt,
    Objectives,
    Phase,
    Pin,
    PinnedSnapshot,
    Promised,
    RecoveryPoint,
    RecoveryTime,
)
from orchestrator.domain.recovery.judgement import integrity_of, judge
from orchestrator.domain.recovery.measurement import Measured
from orchestrator.domain.recovery.verdict import Verdict

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
RECORDS = RecoveredRecords(
    acknowledged=9,
    recovered=8,
    lost=1,
    holes=(),
    after_disaster=(),
    forged=(),
    in_order=True,
    rpo_seconds=100.0,
    clock_set_seconds=0.0,
)
CHECKS = tuple(Check(level=level, name=f"level {level}", passed=True) for level in range(1, 6))


def phase(outcome: str) -> Phase:
    return Phase(name="restore", started_at=NOW, finished_at=NOW, seconds=0, outcome=outcome, error="no space left")


def point(**changes: Any) -> RecoveryPoint:
    return RecoveryPoint(
        **{"seconds": 100, "upper_seconds": 160, "worst_exposure_seconds": 900, "interval_seconds": 60, **changes}
    )


def pin(**changes: Any) -> Pin:
    """One backup, an hour before the disaster."""
    hour = {"time": NOW - timedelta(hours=1), "received": NOW - timedelta(minutes=59)}
    return Pin(snapshots=(PinnedSnapshot.model_validate({"id": "a", "tree": "t", **hour, **changes}),), chosen="a")


def tried(**controls: bool | None) -> Isolation:
    """Attempts by name, all blocked, and whether they succeeded from the recovery host."""
    return Isolation(
        attempts=tuple(
            LeakAttempt(name=name, address="10.0.0.1", port=443, blocked=True, control=control)
            for name, control in controls.items()
        )
    )


GOOD: dict[str, Any] = {
    "objectives": Objectives(rto_seconds=600, rpo_seconds=3600, clause="catalogue"),
    "promised": Promised(levels=(1, 2, 3, 4, 5), attempts={"ssh": "desk1", "the desk": "desk1", "far": "outside"}),
    "clocks": Clocks(
        orchestrator="o",
        recovery_host_offset_seconds=0.1,
        uncertainty_seconds=0.1,
        source="test",
        set_before_seconds=0.0,
        set_after_seconds=0.0,
    ),
    "t0": NOW,
    "pin": pin(),
    "phases": (phase("succeeded"),),
    "rto": RecoveryTime(seconds=42, attempts=9, longest_gap_seconds=0.3),
    "same_clock": True,
    "interrupted": (),
    "rpo": point(),
    "records": RECORDS,
    "newest_backup_pinned": True,
    "integrity": integrity_of(CHECKS),
    "ledger": 9,
    "isolation": tried(ssh=False, **{"the desk": True, "far": True}),
    "cleanup": Cleanup(clean=True),
}


def records(**changes: Any) -> dict[str, Any]:
    return {"records": RECORDS.model_copy(update=changes)}


def test_a_drill_that_met_every_objective_passes() -> None:
    judged = judge(Measured(**GOOD), today=NOW.date())
    assert (judged.verdict, judged.findings) == (Verdict.PASS, ())


WRONG: list[tuple[str, dict[str, Any], Verdict, str]] = [
    ("rows from after T0", records(after_disaster=(10,)), Verdict.INVALID, "after the disaster: 10"),
    ("a phase failed", {"phases": (phase("failed"),)}, Verdict.FAIL, "restore failed: no space left"),
    ("too slow", {"rto": RecoveryTime(seconds=601)}, Verdict.FAIL, "more than the 600 s promised"),
    ("out of time", {"rto": RecoveryTime(censored_limit_seconds=600)}, Verdict.FAIL, "nobody could work within 600 s"),
    ("too much lost", {"rpo": point(seconds=3590, upper_seconds=3650)}, Verdict.FAIL, "up to 3650 s of work"),
    ("nothing came back", {"rpo": point(seconds=None, upper_seconds=None)}, Verdict.FAIL, "no record that was written"),
    ("a canary missing", records(holes=(4,)), Verdict.FAIL, "missing between others: 4"),
    ("canaries reordered", records(in_order=False), Verdict.FAIL, "in the order"),
    ("a canary changed", records(forged=(5, 6)), Verdict.FAIL, "not as they were written: 5, 6"),
    ("the newest snapshot gone", {"newest_backup_pinned": False}, Verdict.FAIL, "newest backup on record"),
    (
        "a flipped byte",
        {"integrity": integrity_of((Check(level=1, name="restic", passed=False, detail="pack damaged"),))},
        Verdict.FAIL,
        "restic: pack damaged",
    ),
    (
        "an egress leak",
        {"isolation": Isolation(attempts=(LeakAttempt(name="mail", address="a", port=25, blocked=False),))},
        Verdict.FAIL,
        "mail (a) could be reached",
    ),
    ("something left", {"cleanup": Cleanup(clean=False, leftovers=("netns",))}, Verdict.FAIL, "cleanup left netns"),
    (
        "a clock five seconds off",
        {"clocks": GOOD["clocks"].model_copy(update={"recovery_host_offset_seconds": -5.0})},
        Verdict.INCONCLUSIVE,
        "clock is -5.0 s from ours",
    ),
    ("another machine's clock", {"same_clock": False}, Verdict.INCONCLUSIVE, "cannot be compared"),
    ("a worker died", {"interrupted": ("probe",)}, Verdict.INCONCLUSIVE, "restarted probe"),
    ("nobody looked", {"rto": RecoveryTime(seconds=42, longest_gap_seconds=9)}, Verdict.INCONCLUSIVE, "for 9.0 s"),
    (
        "exposure over the objective",
        {"rpo": point(worst_exposure_seconds=3601)},
        Verdict.PASS_WITH_FINDINGS,
        "at the worst moment 3601 s",
    ),
    (
        "no canaries",
        {"records": None, "ledger": 0, "promised": Promised(levels=(1, 2, 3, 5), attempts={"far": "outside"})},
        Verdict.PASS_WITH_FINDINGS,
        "has no canaries",
    ),
    (
        "not at the worst moment",
        {"worst_moment_missed": True},
        Verdict.PASS_WITH_FINDINGS,
        "the next drill makes up for it",
    ),
]


@pytest.mark.parametrize(("change", "verdict", "reason"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_every_problem_changes_the_verdict_and_is_named(change: dict[str, Any], verdict: Verdict, reason: str) -> None:
    judged = judge(Measured(**{**GOOD, **change}), today=NOW.date())
    assert judged.verdict is verdict
    assert any(reason in r for r in judged.reasons), judged.reasons
    assert [f.due for f in judged.findings] == [date(2026, 12, 23)] * len(judged.findings) != []


MISSING: list[tuple[str, dict[str, Any], str]] = [
    *(
        (f"level {level}", {"integrity": integrity_of(CHECKS[: level - 1] + CHECKS[level:])}, f"on level {level}: ")
        for level in (1, 2, 3, 5)
    ),
    ("no check at all", {"integrity": integrity_of(())}, "on level 1: the backup tool's own check"),
    ("no attempt at all", {"isolation": Isolation()}, "no attempt was made to get out to ssh"),
    ("one of three attempts", {"isolation": tried(far=True)}, "no attempt was made to get out to the desk"),
    (
        "attempts that fail from everywhere",
        {"isolation": tried(ssh=False, **{"the desk": False, "far": True})},
        "the blocked attempt to reach desk1 proves nothing",
    ),
    (
        "attempts without a control",
        {"isolation": tried(ssh=None, **{"the desk": None, "far": None})},
        "proves nothing: its programs do not support controls yet",
    ),
    (
        "nowhere to get out to",
        {"promised": Promised(levels=(1,), attempts={})},
        "the destinations that must be unreachable are unknown",
    ),
    (
        "no canaries where there are some in the ledger",
        {"records": None},
        "accepts no canaries, but 9 are in the ledger",
    ),
    (
        "the same of a component that promises none",
        {"records": None, "promised": Promised(levels=(1, 2, 3, 5), attempts={"far": "outside"})},
        "accepts no canaries, but 9 are in the ledger",
    ),
    ("no canaries where some are promised", {"records": None, "ledger": 0}, "no canaries were read"),
    (
        "none before the disaster",
        records(acknowledged=0, recovered=0, rpo_seconds=None),
        "no canary was written before",
    ),
    ("no recovery time", {"rto": RecoveryTime()}, "was not measured"),
    ("no backup", {"pin": Pin(snapshots=(), chosen=None)}, "it is unknown which backup was restored"),
]
"""What a drill without failures may have left unproved."""


@pytest.mark.parametrize(("change", "reason"), [m[1:] for m in MISSING], ids=[m[0] for m in MISSING])
def test_a_promise_that_was_not_shown_to_be_kept_decides_nothing(change: dict[str, Any], reason: str) -> None:
    judged = judge(Measured(**{**GOOD, **change}), today=NOW.date())
    assert judged.verdict is Verdict.INCONCLUSIVE, judged.reasons
    assert any(reason in r for r in judged.reasons), judged.reasons


def test_phases_that_were_not_reached_add_nothing_to_the_reason() -> None:
    change = {"phases": (phase("failed"),), "integrity": integrity_of(()), "isolation": Isolation(), "records": None}
    assert judge(Measured(**{**GOOD, **change}), today=NOW.date()).reasons == ("restore failed: no space left",)


LATE, EARLY = NOW + timedelta(seconds=5), NOW - timedelta(seconds=5)
ARRIVED: list[tuple[str, dict[str, Any], float, Verdict]] = [
    ("begun after it, as far as anybody knows", {"time": LATE, "received": None}, 0.0, Verdict.INVALID),
    ("come after it", {"received": LATE}, 0.0, Verdict.INVALID),
    ("begun and come after it", {"time": LATE, "received": LATE}, 0.0, Verdict.INVALID),
    ("come after it, by a clock as late as that", {"received": LATE}, 5.0, Verdict.INCONCLUSIVE),
    ("come before it, by a clock that is late", {"received": EARLY}, -9.0, Verdict.INVALID),
    ("come before it and begun after it", {"time": LATE, "received": EARLY}, 0.0, Verdict.INCONCLUSIVE),
    ("come before it", {"received": EARLY}, 0.0, Verdict.PASS),
]


@pytest.mark.parametrize(("change", "offset", "verdict"), [a[1:] for a in ARRIVED], ids=[a[0] for a in ARRIVED])
def test_a_backup_from_after_the_disaster_is_detected_by_its_time(
    change: dict[str, Any], offset: float, verdict: Verdict
) -> None:
    clocks = GOOD["clocks"].model_copy(update={"recovery_host_offset_seconds": offset})
    judged = judge(Measured(**{**GOOD, "clocks": clocks, "pin": pin(**change)}), today=NOW.date())
    assert judged.verdict is verdict, judged.reasons
    assert len(judged.findings) == (
        2 if abs(offset) > 1 and verdict is Verdict.INVALID else verdict is not Verdict.PASS
    )


SET: list[tuple[str, dict[str, Any], str]] = [
    ("before", {"set_before_seconds": -90.0}, "our clock was set by -90.0 s between the last record that came back"),
    ("before, for all that is known", {"set_before_seconds": None}, "is unknown"),
    ("after", {"set_after_seconds": 61.5}, "our clock was set by +61.5 s during the drill"),
]


@pytest.mark.parametrize(("change", "reason"), [s[1:] for s in SET], ids=[s[0] for s in SET])
def test_a_clock_that_was_set_decides_nothing(change: dict[str, Any], reason: str) -> None:
    """Not even if too much was lost, or if records are from after the disaster."""
    clocks = GOOD["clocks"].model_copy(update=change)
    judged = judge(Measured(**{**GOOD, "clocks": clocks}), today=NOW.date())
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert any(reason in r for r in judged.reasons), judged.reasons
    if "set_before_seconds" in change:
        worse = {"clocks": clocks, "rpo": point(upper_seconds=9999), **records(after_disaster=(10,))}
        assert judge(Measured(**{**GOOD, **worse}), today=NOW.date()).verdict is Verdict.INCONCLUSIVE


def test_an_absent_recovery_host_does_not_count_against_the_recovery() -> None:
    away = phase("unreachable").model_copy(update={"name": "probe", "error": "recover1 has not answered for 120 s"})
    change = {"phases": (away,), "rto": RecoveryTime(), "integrity": integrity_of(()), "records": None}
    judged = judge(Measured(**{**GOOD, **change}), today=NOW.date())
    assert (judged.verdict, judged.reasons) == (Verdict.INCONCLUSIVE, ("probe: recover1 has not answered for 120 s",))


def test_a_cleanup_that_was_not_observed_is_not_a_leftover() -> None:
    away = phase("unreachable").model_copy(update={"name": "cleanup", "error": "recover1: no answer"})
    change = {"phases": (away,), "cleanup": Cleanup(clean=False, leftovers=("unknown",))}
    judged = judge(Measured(**{**GOOD, **change}), today=NOW.date())
    assert (judged.verdict, judged.reasons) == (Verdict.INCONCLUSIVE, ("cleanup: recover1: no answer",))


def test_a_problem_from_before_the_drill_was_stopped_still_counts() -> None:
    leak = Isolation(attempts=(LeakAttempt(name="far", address="a", port=25, blocked=False),))
    stopped = {"phases": (phase("cancelled"),), "stopped": "cancelled on request"}
    judged = judge(Measured(**{**GOOD, **stopped}), today=NOW.date())
    assert (judged.verdict, judged.reasons) == (
        Verdict.INCONCLUSIVE,
        ("the drill was stopped: cancelled on request",),
    )
    assert judge(Measured(**{**GOOD, **stopped, "isolation": leak}), today=NOW.date()).verdict is Verdict.FAIL


def test_the_gravest_problem_decides_and_the_rest_are_findings() -> None:
    change = {**records(after_disaster=(10,), holes=(3,)), "same_clock": False}
    judged = judge(Measured(**{**GOOD, **change}), today=NOW.date())
    assert judged.verdict is Verdict.INVALID
    assert len(judged.findings) == 3


def test_integrity_is_the_level_up_to_which_every_check_was_made_and_passed() -> None:
    assert integrity_of(CHECKS).level == 5
    assert integrity_of(CHECKS[:2]).level == 2
    assert integrity_of((*CHECKS[:1], *CHECKS[2:])).level == 1
    assert integrity_of((*CHECKS[:3], Check(level=4, name="chain", passed=False), CHECKS[4])).level == 3


@pytest.mark.parametrize(("made", "level"), [((), 0), ((1,), 1), ((1, 2, 3), 3), ((2, 3), 0), ((1, 2, 4, 5), 2)])
def test_the_level_is_the_last_up_to_which_every_check_passed(made: tuple[int, ...], level: int) -> None:
    checks = tuple(Check(level=one, name=str(one), passed=True, detail="") for one in made)
    found = integrity_of(checks)
    assert (found.level, found.checks) == (level, checks)


@pytest.mark.parametrize(
    ("holes", "named"), [(5, "1, 2, 3, 4, 5"), (6, "1, 2, 3, 4, 5 and 1 more"), (9, "1, 2, 3, 4, 5 and 4 more")]
)
def test_of_many_records_the_first_five_are_named(holes: int, named: str) -> None:
    change = records(holes=tuple(range(1, holes + 1)))
    judged = judge(Measured(**{**GOOD, **change}), today=NOW.date())
    assert f"records are missing between others: {named}" in judged.reasons
