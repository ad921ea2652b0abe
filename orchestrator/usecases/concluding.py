"""Concluding a drill: from what its steps found to the verdict and the signed evidence."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from orchestrator.domain.canary import RecoveredRecords, exposures
from orchestrator.domain.catalog import Verb
from orchestrator.domain.drill import Drill
from orchestrator.domain.evidence import (
    Check,
    Cleanup,
    Clocks,
    Evidence,
    Isolation,
    LeakAttempt,
    NotExecuted,
    Objectives,
    Phase,
    Pin,
    PinnedSnapshot,
    RecoveryPoint,
    RecoveryTime,
)
from orchestrator.domain.judgement import Judgement, Measured, integrity_of, judge
from orchestrator.domain.recovery_plan import ALWAYS
from orchestrator.domain.run import StepRecord
from orchestrator.usecases.driving_ports import Assignment
from orchestrator.usecases.finding import find_agency, find_run
from orchestrator.usecases.ports import CatalogSource, Clock, Store, Transaction
from orchestrator.usecases.recovery_ports import TakenBackup

Results = Mapping[Verb, Mapping[str, Any]]

LEVELS = (
    (1, "backup_tool", "the backup tool's own check"),
    (2, "engine", "the engine's own check"),
    (3, "manifest", "the manifest taken with the backup"),
    (5, "invariants", "the component's own rules"),
)
CANARIES = 4
COUNTED = (Verb.PIN, Verb.PREPARE, Verb.RESTORE, Verb.START, Verb.PROBE)
"""Phases that lie between the disaster and the first user who could work."""

LEFT_OUT = (
    NotExecuted(what="installing the programs of the service", why="they stand by on the recovery host"),
    NotExecuted(what="moving users to the restored copy", why="the live service goes on during a drill"),
    NotExecuted(what="outward actions of the restored copy", why="mail and the like must not reach anybody twice"),
)


@dataclass(frozen=True)
class Concluding:
    """`seal` signs evidence and returns it as a document with its digest; `report_due` counts working days from the
    date by the clocks of the agreement; `interval` is how far canaries are apart."""

    source: CatalogSource
    store: Store
    clock: Clock
    name: str
    interval: timedelta
    seal: Callable[[Evidence], tuple[str, str]]
    report_due: Callable[[date], date]

    def report(self, assignment: Assignment) -> dict[str, Any]:
        """Judge, sign and keep. Nothing to report of a drill that did not come to a disaster, or that was stopped."""
        with self.store.begin() as tx:
            run = find_run(tx, assignment.run)
            steps = tx.runs.steps(run.id)
            drill = tx.drills.of_run(run.id)
            assert drill is not None
            results = {s.verb: s.result for s in steps if s.result is not None}
            if not _happened(steps) or run.cancel_requested:
                return {"evidence": False}
            if tx.drills.evidence(drill.id) is None:  # else the worker that kept it died before it could say so
                self._conclude(tx, drill, steps, results)
            return {"evidence": True}

    def _conclude(self, tx: Transaction, drill: Drill, steps: Sequence[StepRecord], results: Results) -> None:
        now = self.clock.now()
        measured = self._measured(tx, drill, steps, results)
        framework = find_agency(tx, drill.agency).framework
        today = now.astimezone(self.source.agreements()[framework].service_levels.hours.zone).date()
        judgement = judge(measured, today=today)
        evidence = self._evidence(
            tx, drill, measured, judgement, t0=_t0(steps), pin=_pin(results), finished_at=now, today=today
        )
        document, digest = self.seal(evidence)
        tx.drills.put(
            drill.model_copy(
                update={
                    "verdict": judgement.verdict,
                    "rto_seconds": measured.rto.seconds,
                    "rpo_seconds": measured.rpo.upper_seconds,
                    "reason": "; ".join(judgement.reasons),
                    "finished_at": now,
                }
            )
        )
        tx.drills.keep_evidence(drill.id, document, digest)

    def _measured(self, tx: Transaction, drill: Drill, steps: Sequence[StepRecord], results: Results) -> Measured:
        t0, probe, check = _t0(steps), results.get(Verb.PROBE, {}), results.get(Verb.CHECK, {})
        backups = tx.backups.newest(drill.agency, drill.component)
        found = check.get("records")
        records = RecoveredRecords.model_validate(found) if found else None
        return Measured(
            objectives=self._objectives(tx, drill),
            clocks=self._clocks(results),
            phases=tuple(_phases(steps)),
            rto=_recovery_time(steps, probe),
            same_clock=bool(probe.get("same_clock", True)),
            interrupted=tuple(s.verb.value for s in steps if s.attempt > 1 and s.verb not in ALWAYS),
            rpo=self._recovery_point(records, backups, t0),
            records=records,
            newest_backup_pinned=_newest_pinned(backups, t0, _pin(results)),
            integrity=integrity_of(sorted(_checks(check, records), key=lambda c: c.level)),
            isolation=Isolation(
                attempts=tuple(LeakAttempt.model_validate(a) for a in check.get("leaks", ())),
                disabled=tuple(results.get(Verb.START, {}).get("disabled", ())),
            ),
            cleanup=_cleanup(results),
        )

    def _evidence(
        self,
        tx: Transaction,
        drill: Drill,
        measured: Measured,
        judgement: Judgement,
        *,
        t0: datetime,
        pin: Pin,
        finished_at: datetime,
        today: date,
    ) -> Evidence:
        same = measured.model_dump(exclude={"same_clock", "interrupted", "records", "newest_backup_pinned"})
        return Evidence(
            **same,
            drill=drill.id,
            key=drill.key,
            agency=drill.agency,
            component=drill.component,
            site=drill.site,
            framework=find_agency(tx, drill.agency).framework,
            plan_digest=drill.plan_digest or "",
            requested_by=drill.requested_by,
            approvals=(drill.approval,) if drill.approval else (),
            t0=t0,
            t0_kind=drill.moment,
            pin=pin,
            not_executed=LEFT_OUT,
            verdict=judgement.verdict,
            reasons=judgement.reasons,
            findings=judgement.findings,
            finished_at=finished_at,
            report_due=self.report_due(today),
            previous=tx.drills.last_evidence(),
        )

    def _objectives(self, tx: Transaction, drill: Drill) -> Objectives:
        tier = tx.instances.of(drill.agency)[drill.component].tier
        promised = self.source.catalog().components[drill.component].tiers[tier].recovery
        return Objectives(
            rto_seconds=promised.rto.total_seconds(),
            rpo_seconds=promised.rpo.total_seconds(),
            clause=f"catalogue, {drill.component}, tier {tier}, recovery",
        )

    def _clocks(self, results: Results) -> Clocks:
        clock = results[Verb.EXAMINE]["clock"]
        return Clocks(
            orchestrator=self.name,
            recovery_host_offset_seconds=clock["offset_seconds"],
            uncertainty_seconds=clock["uncertainty_seconds"],
            source="T0: system clock; durations: boot-time clock; offset: one question over ssh, half its round trip",
        )

    def _recovery_point(
        self, records: RecoveredRecords | None, backups: Sequence[TakenBackup], t0: datetime
    ) -> RecoveryPoint:
        by_then = [(b.started_at, b.finished_at) for b in backups if b.finished_at <= t0]
        worst = max(exposures(by_then, now=t0), default=None)
        known = {
            "interval_seconds": self.interval.total_seconds(),
            "worst_exposure_seconds": worst.total_seconds() if worst is not None else None,
        }
        if records is None:
            return RecoveryPoint(**known)
        lost_for = records.rpo_seconds
        return RecoveryPoint(
            **known,
            seconds=lost_for,
            upper_seconds=lost_for + self.interval.total_seconds() if lost_for is not None else None,
            lost=records.lost,
            holes=len(records.holes),
            acknowledged=records.acknowledged,
            restored=records.recovered,
        )


def _happened(steps: Sequence[StepRecord]) -> bool:
    """Whether the drill came to the disaster."""
    return any(s.verb is Verb.PIN and s.started_at for s in steps)


def _t0(steps: Sequence[StepRecord]) -> datetime:
    """The instant of the disaster; of a pin that failed, when it was begun."""
    pin = next(s for s in steps if s.verb is Verb.PIN)
    if pin.result is not None:
        return datetime.fromisoformat(pin.result["t0"])
    assert pin.started_at is not None
    return pin.started_at


def _phases(steps: Sequence[StepRecord]) -> Iterator[Phase]:
    """Every phase that was begun, apart from the one that is writing this."""
    for step in steps:
        if step.started_at is None or step.verb is Verb.REPORT:
            continue
        end = step.finished_at or step.started_at
        yield Phase(
            name=step.verb.value,
            started_at=step.started_at,
            finished_at=end,
            seconds=max((end - step.started_at).total_seconds(), 0.0),
            outcome=step.state.value,
            error=step.error,
            command_sha256=(step.result or {}).get("command_sha256"),
        )


def _recovery_time(steps: Sequence[StepRecord], probe: Mapping[str, Any]) -> RecoveryTime:
    parts = {p.name: p.seconds for p in _phases(steps) if p.name in COUNTED}
    return RecoveryTime(
        seconds=probe.get("seconds"),
        censored_limit_seconds=probe.get("censored_limit_seconds"),
        parts=parts,
        attempts=probe.get("attempts", 0),
        longest_gap_seconds=probe.get("longest_gap_seconds"),
    )


def _newest_pinned(backups: Sequence[TakenBackup], t0: datetime, pin: Pin) -> bool:
    """Whether the snapshot that was chosen is the one that the newest finished backup took. A pin that failed says
    nothing of that."""
    by_then = [b for b in backups if b.finished_at <= t0]
    chosen = next((s for s in pin.snapshots if s.id == pin.chosen), None)
    return not by_then or chosen is None or chosen.time >= by_then[-1].started_at - timedelta(seconds=1)


def _checks(check: Mapping[str, Any], records: RecoveredRecords | None) -> Iterator[Check]:
    found = check.get("checks", {})
    for level, key, name in LEVELS:
        if key in found:
            yield Check(level=level, name=name, passed=found[key]["passed"], detail=str(found[key].get("detail", "")))
    if records is not None:
        detail = f"{records.recovered} of {records.acknowledged} acknowledged records"
        yield Check(level=CANARIES, name="the chain of canaries", passed=records.intact, detail=detail)


def _cleanup(results: Results) -> Cleanup:
    done = results.get(Verb.CLEANUP)
    if done is None:
        return Cleanup(clean=False, leftovers=("unknown: cleanup did not end",))
    leftovers = tuple(done.get("leftovers", ()))
    return Cleanup(removed=tuple(done.get("removed", ())), leftovers=leftovers, clean=not leftovers)


def _pin(results: Results) -> Pin:
    result = results.get(Verb.PIN)
    if result is None:
        return Pin(snapshots=(), chosen=None)
    fields = PinnedSnapshot.model_fields
    snapshots = tuple(PinnedSnapshot.model_validate({k: s[k] for k in fields if k in s}) for s in result["snapshots"])
    return Pin(snapshots=snapshots, chosen=result["chosen"])
