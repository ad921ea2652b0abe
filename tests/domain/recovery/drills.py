"""Evidence of drills for tests to modify."""

from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.domain.recovery.evidence import Evidence

T0 = datetime(2026, 12, 5, 10, 25, tzinfo=UTC)


def at(seconds: float) -> str:
    return (T0 + timedelta(seconds=seconds)).isoformat()


def phase(name: str, start: float, end: float, outcome: str = "succeeded", **more: Any) -> dict[str, Any]:
    return {"name": name, "started_at": at(start), "finished_at": at(end), "seconds": end - start, "outcome": outcome,
            "command_sha256": f"{len(name):064x}", **more}  # fmt: skip


PHASES = (
    phase("examine", -14, -9), phase("pin", -9, 1.5), phase("prepare", 1.5, 9.8), phase("restore", 9.8, 171.3),
    phase("start", 171.3, 188.0), phase("probe", 188.0, 243.6), phase("check", 243.6, 275.0),
    phase("cleanup", 275.0, 284.0),
)  # fmt: skip


def newer_evidence(**changes: Any) -> Evidence:
    """The same drill as evidence of version 2."""
    old = evidence().document()
    leaks = [
        {**old["isolation"]["attempts"][0], "control": False},
        {**old["isolation"]["attempts"][1], "control": True},
    ]
    snapshots = [{**one, "received": one["time"]} for one in old["pin"]["snapshots"]]
    return evidence(
        **{
            "version": 2,
            "promised": {
                "levels": [1, 2, 3, 4, 5],
                "attempts": {"mail of the live service": "desk1", "the Internet": "out"},
            },
            "witnesses": [{"who": "eve.marsham", "at": at(-60)}],
            "clocks": {**old["clocks"], "set_before_seconds": 0.0004, "set_after_seconds": -0.0001},
            "pin": {**old["pin"], "snapshots": snapshots},
            "isolation": {**old["isolation"], "attempts": leaks},
            "rto": {**old["rto"], "parts": {"pin": 10.5, "verify": 55.6, "recovery_host_wait": 2.5}},
            **changes,
        }
    )


def evidence(**changes: Any) -> Evidence:
    """Evidence, version 1, of a drill that passed with a finding, with a test's changes."""
    return Evidence.model_validate(
        {
            "drill": 7,
            "key": "cabinet-office/service-desk/2026-12-05T10:25:00Z",
            "agency": "cabinet-office",
            "component": "service-desk",
            "site": "practice",
            "framework": "flex",
            "plan_digest": "042e5edfba83" + 52 * "0",
            "requested_by": "schedule",
            "objectives": {"rto_seconds": 14400.0, "rpo_seconds": 86400.0,
                           "clause": "catalogue, service-desk, tier standard, recovery"},
            "approvals": [{"who": "ada.whitehall", "at": at(-86400), "plan_digest": "042e5edfba83" + 52 * "0",
                           "live_data": True, "expires_at": at(86400 * 6)}],
            "clocks": {"orchestrator": "ops1", "recovery_host_offset_seconds": 0.0021, "uncertainty_seconds": 0.0009,
                       "source": "T0: system clock; durations: boot-time clock"},
            "t0": at(0),
            "t0_kind": "worst",
            "pin": {"chosen": "9f3ac1d2", "snapshots": [
                {"id": "5b1e0c77", "time": at(-7200 - 86400), "tree": "a" * 64},
                {"id": "9f3ac1d2", "time": at(-7200), "tree": "b" * 64, "bytes": 48_231_771, "files": 1204,
                 "sha256": "c" * 64}]},
            "phases": PHASES,
            "not_executed": [{"what": "moving users to the restored copy", "why": "the live service goes on"}],
            "rto": {"seconds": 243.6, "parts": {"pin": 10.5, "prepare": 8.3, "restore": 161.5, "start": 16.7,
                                                "probe": 55.6}, "attempts": 56, "longest_gap_seconds": 1.2},
            "rpo": {"seconds": 7110.0, "upper_seconds": 8010.0, "lost": 8, "holes": 0, "acknowledged": 1520,
                    "restored": 1512, "worst_exposure_seconds": 86760.0, "interval_seconds": 900.0},
            "integrity": {"level": 5, "checks": [
                {"level": 1, "name": "the backup tool's own check", "passed": True, "detail": "no errors were found"},
                {"level": 2, "name": "the engine's own check", "passed": True, "detail": "212 tables"},
                {"level": 3, "name": "the manifest taken with the backup", "passed": True, "detail": "1,204 files"},
                {"level": 4, "name": "the chain of canaries", "passed": True, "detail": "1512 of 1520 records"},
                {"level": 5, "name": "the component's own rules", "passed": True, "detail": "no orphaned tickets"}]},
            "isolation": {"disabled": ["outgoing mail", "scheduled reports"], "attempts": [
                {"name": "mail of the live service", "address": "10.63.0.21", "port": 25, "blocked": True,
                 "detail": "no route to host"},
                {"name": "the Internet", "address": "192.0.2.1", "port": 443, "blocked": True,
                 "detail": "no route to host"}]},
            "cleanup": {"clean": True, "removed": ["machine drill-7", "network drill-7", "folder /srv/drills/7"],
                        "leftovers": []},
            "verdict": "pass_with_findings",
            "reasons": ["the worst exposure was longer than promised"],
            "findings": [{"what": "backups are farther apart than 24 h at times", "due": "2027-01-02"}],
            "finished_at": at(285.0),
            "report_due": "2027-01-07",
            "previous": "d" * 64,
            **changes,
        }
    )  # fmt: skip
