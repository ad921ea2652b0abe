"""The verdict on a drill: everything that can be wrong turns it, and nothing else does."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from orchestrator.domain.canary import RecoveredRecords
from orchestrator.domain.evidence import (
    Check,
    Cleanup,
    Clocks,
    Isolation,
    LeakAttempt,
    Objectives,
    Phase,
    RecoveryPoint,
    RecoveryTime,
)
from orchestrator.domain.judgement import Measured, integrity_of, judge
from orchestrator.domain.verdict import Verdict

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
RECORDS = RecoveredRecords(
    acknowledged=9, recovered=8, lost=1, holes=(), after_disaster=(), forged=(), in_order=True, rpo_seconds=100.0
)
CHECKS = tuple(Check(level=level, name=f"level {level}", passed=True) for level in range(1, 6))


def phase(outcome: str) -> Phase:
    return Phase(name="restore", started_at=NOW, finished_at=NOW, seconds=0, outcome=outcome, error="no space left")


def point(**changes: Any) -> RecoveryPoint:
    return RecoveryPoint(
        **{"seconds": 100, "upper_seconds": 160, "worst_exposure_seconds": 900, "interval_seconds": 60, **changes}
    )


GOOD: dict[str, Any] = {
    "objectives": Objectives(rto_seconds=600, rpo_seconds=3600, clause="catalogue"),
    "clocks": Clocks(orchestrator="o", recovery_host_offset_seconds=0.1, uncertainty_seconds=0.1, source="test"),
    "phases": (phase("succeeded"),),
    "rto": RecoveryTime(seconds=42, attempts=9, longest_gap_seconds=0.3),
    "same_clock": True,
    "interrupted": (),
    "rpo": point(),
    "records": RECORDS,
    "newest_backup_pinned": True,
    "integrity": integrity_of(CHECKS),
    "isolation": Isolation(attempts=(LeakAttempt(name="the internet", address="1.1.1.1", port=443, blocked=True),)),
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
    ("nothing came back", {"rpo": point(seconds=None, upper_seconds=None)}, Verdict.FAIL, "not one of the records"),
    ("a canary missing", records(holes=(4,)), Verdict.FAIL, "missing from between others: 4"),
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
    ("another machine's clock", {"same_clock": False}, Verdict.INCONCLUSIVE, "do not compare"),
    ("a worker died", {"interrupted": ("probe",)}, Verdict.INCONCLUSIVE, "began probe again"),
    ("nobody looked", {"rto": RecoveryTime(seconds=42, longest_gap_seconds=9)}, Verdict.INCONCLUSIVE, "for 9.0 s"),
    (
        "exposure over the objective",
        {"rpo": point(worst_exposure_seconds=3601)},
        Verdict.PASS_WITH_FINDINGS,
        "at the worst moment 3601 s",
    ),
    ("no canaries", {"records": None}, Verdict.PASS_WITH_FINDINGS, "has no canaries"),
]


@pytest.mark.parametrize(("change", "verdict", "reason"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_whatever_is_wrong_turns_the_verdict_and_is_named(
    change: dict[str, Any], verdict: Verdict, reason: str
) -> None:
    judged = judge(Measured(**{**GOOD, **change}), today=NOW.date())
    assert judged.verdict is verdict
    assert any(reason in r for r in judged.reasons), judged.reasons
    assert [f.due for f in judged.findings] == [date(2026, 12, 23)] * len(judged.findings) != []


def test_the_gravest_decides_and_the_rest_are_findings() -> None:
    change = {**records(after_disaster=(10,), holes=(3,)), "same_clock": False}
    judged = judge(Measured(**{**GOOD, **change}), today=NOW.date())
    assert judged.verdict is Verdict.INVALID
    assert len(judged.findings) == 3


def test_integrity_is_the_level_up_to_which_everything_was_checked_and_held() -> None:
    assert integrity_of(CHECKS).level == 5
    assert integrity_of(CHECKS[:2]).level == 2
    assert integrity_of((*CHECKS[:1], *CHECKS[2:])).level == 1
    assert integrity_of((*CHECKS[:3], Check(level=4, name="chain", passed=False), CHECKS[4])).level == 3
