"""Concluding a drill: from what its steps found to the verdict and the signed evidence."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from orchestrator.domain.recovery.canary import RecoveredRecords, exposures
from orchestrator.domain.recovery.drills import Drill
from orchestrator.domain.recovery.evidence import (
    CANARIES,
    LEVELS,
    UNTIL_USERS,
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
    Promised,
    RecoveryPoint,
    RecoveryTime,
)
from orchestrator.domain.recovery.judgement import Judgement, integrity_of, judge
from orchestrator.domain.recovery.measurement import Measured
from orchestrator.domain.recovery.recovery_plan import ALWAYS
from orchestrator.domain.recovery.recovery_time import Reading, Stamp, Worked, parts
from orchestrator.domain.recovery.verdict import Moment
from orchestrator.domain.runs.run import Run, StepRecord, StepState
from orchestrator.domain.selling.catalog import Verb
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.drilling import Rehearsal, Stopwatch
from orchestrator.ports.outside import Clock
from orchestrator.ports.recovery import TakenBackup
from orchestrator.ports.runs import Assignment
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import find_agency, find_run

Results = Mapping[Verb, Mapping[str, Any]]

CHECKS = {"backup_tool": 1, "engine": 2, "manifest": 3, "invariants": 5}
"""The level of integrity that each check of the recovery host is of."""

PARTS = {Verb.PROBE: "verify"}
"""What phases are called as parts of a recovery time, if not as themselves."""

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
    stopwatch: Stopwatch
    name: str
    interval: timedelta
    seal: Callable[[Evidence], tuple[str, str]]
    report_due: Callable[[date], date]

    def report(self, assignment: Assignment) -> dict[str, Any]:
        """Judge, sign and keep, also of a drill that was stopped. Nothing to report of one that did not come to a
        disaster."""
        assert assignment.rehearsal is not None
        with self.store.begin() as tx:
            run = find_run(tx, assignment.run)
            steps = tx.runs.steps(run.id)
            drill = tx.drills.of_run(run.id)
            assert drill is not None
            if not _happened(steps):
                return {"evidence": False}
            if tx.drills.evidence(drill.id) is None:  # else the worker that kept it died before it could say so
                self._conclude(tx, drill, run, steps, assignment.rehearsal)
            return {"evidence": True}

    def _conclude(
        self, tx: Transaction, drill: Drill, run: Run, steps: Sequence[StepRecord], rehearsal: Rehearsal
    ) -> None:
        now = self.clock.now()
        measured = self._measured(tx, drill, run, steps, rehearsal)
        framework = find_agency(tx, drill.agency).framework
        today = now.astimezone(self.source.agreements()[framework].service_levels.hours.zone).date()
        judgement = judge(measured, today=today)
        ended = max(now, measured.t0)  # else the clock was set back, which is among the reasons
        evidence = self._evidence(tx, drill, measured, judgement, finished_at=ended, today=today)
        document, digest = self.seal(evidence)
        tx.drills.put(
            drill.model_copy(
                update={
                    "verdict": judgement.verdict,
                    "rto_seconds": measured.rto.seconds,
                    "rpo_seconds": measured.rpo.upper_seconds,
                    "reason": drill.reason if measured.stopped and drill.reason else "; ".join(judgement.reasons),
                    "finished_at": now,
                }
            )
        )
        tx.drills.keep_evidence(drill.id, document, digest)

    def _measured(
        self, tx: Transaction, drill: Drill, run: Run, steps: Sequence[StepRecord], rehearsal: Rehearsal
    ) -> Measured:
        results = {s.verb: s.result for s in steps if s.result is not None}
        t0, probe, check = _t0(steps), results.get(Verb.PROBE, {}), results.get(Verb.CHECK, {})
        backups = tx.backups.newest(drill.agency, drill.component)
        found = check.get("records")
        records = RecoveredRecords.model_validate(found) if found else None
        return Measured(
            objectives=self._objectives(tx, drill),
            promised=self._promised(drill, rehearsal),
            clocks=self._clocks(results, records),
            t0=t0,
            pin=_pin(results),
            phases=tuple(_phases(steps, t0)),
            rto=_recovery_time(results),
            same_clock=bool(probe.get("same_clock", True)),
            interrupted=tuple(s.verb.value for s in steps if s.attempt > 1 and s.verb not in ALWAYS),
            stopped=_stopped(drill, run, steps),
            rpo=self._recovery_point(records, backups, t0),
            records=records,
            ledger=check.get("ledger", 0),
            worst_moment_missed=drill.meant is Moment.WORST and drill.moment is not Moment.WORST,
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
        finished_at: datetime,
        today: date,
    ) -> Evidence:
        same = measured.model_dump(exclude=Measured.model_fields.keys() - Evidence.model_fields.keys())
        return Evidence(
            **same,
            version=2,
            drill=drill.id,
            key=drill.key,
            agency=drill.agency,
            component=drill.component,
            site=drill.site,
            framework=find_agency(tx, drill.agency).framework,
            plan_digest=drill.plan_digest or "",
            requested_by=drill.requested_by,
            approvals=(drill.approval,) if drill.approval else (),
            witnesses=drill.witnesses,
            t0_kind=drill.moment,
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

    def _promised(self, drill: Drill, rehearsal: Rehearsal) -> Promised:
        levels = self.source.catalog().components[drill.component].recovery.integrity
        return Promised(levels=levels, attempts={t["name"]: t["place"] for t in rehearsal.targets})

    def _clocks(self, results: Results, records: RecoveredRecords | None) -> Clocks:
        clock, pinned = results[Verb.EXAMINE]["clock"], results.get(Verb.PIN)
        disaster = Stamp(at=pinned["t0"], reading=pinned["reading"]) if pinned else None
        here = Stamp(at=self.clock.now(), reading=self.stopwatch.read())
        return Clocks(
            orchestrator=self.name,
            recovery_host_offset_seconds=clock["offset_seconds"],
            uncertainty_seconds=clock["uncertainty_seconds"],
            source="T0: system clock; durations: boot-time clock; offset: one question over ssh, half its round trip",
            set_before_seconds=records.clock_set_seconds if records else None,
            set_after_seconds=here.set_since(disaster) if disaster else None,
        )

    def _recovery_point(
        self, records: RecoveredRecords | None, backups: Sequence[TakenBackup], t0: datetime
    ) -> RecoveryPoint:
        by_then = [(b.started_at, b.finished_at) for b in backups if b.finished_at <= t0]
        # Where a clock was set back between two backups, what lies between them is not known, and not less than none.
        worst = max((max(one, timedelta(0)) for one in exposures(by_then, now=t0)), default=None)
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


def _stopped(drill: Drill, run: Run, steps: Sequence[StepRecord]) -> str | None:
    """Why somebody ended the drill before everything was measured."""
    measured = any(s.verb is Verb.CHECK and s.state is StepState.SUCCEEDED for s in steps)
    return (drill.reason or "cancelled on request") if run.cancel_requested and not measured else None


def _phases(steps: Sequence[StepRecord], t0: datetime) -> Iterator[Phase]:
    """Every phase that was begun, apart from the one that is writing this. Waiting for the disaster is no part of
    what came of it."""
    for step in steps:
        if step.started_at is None or step.verb is Verb.REPORT:
            continue
        end = step.finished_at or step.started_at
        start = max(step.started_at, min(t0, end)) if step.verb is Verb.PIN else step.started_at
        yield Phase(
            name=step.verb.value,
            started_at=start,
            finished_at=end,
            seconds=max((end - start).total_seconds(), 0.0),
            outcome=step.state.value,
            error=step.error,
            command_sha256=(step.result or {}).get("command_sha256"),
        )


def _recovery_time(results: Results) -> RecoveryTime:
    probe, done = results.get(Verb.PROBE, {}), [Verb(name) for name in UNTIL_USERS if name in results]
    took, made_of = probe.get("seconds"), {}
    if Verb.PIN in results and all("worked" in results[verb] for verb in done):
        disaster = Reading.model_validate(results[Verb.PIN]["reading"])
        worked = [(PARTS.get(verb, verb.value), Worked.model_validate(results[verb]["worked"])) for verb in done]
        made_of = parts(disaster, worked, served=disaster.seconds + took if took is not None else None)
    return RecoveryTime(
        seconds=took,
        censored_limit_seconds=probe.get("censored_limit_seconds"),
        parts=made_of,
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
    """What was looked at. Of a chain without a record there is nothing to be seen."""
    found = check.get("checks", {})
    for key, level in CHECKS.items():
        if key in found:
            said = str(found[key].get("detail", ""))
            yield Check(level=level, name=LEVELS[level], passed=found[key]["passed"], detail=said)
    if records is not None and (records.acknowledged or not records.intact):
        detail = f"{records.recovered} of {records.acknowledged} acknowledged records"
        yield Check(level=CANARIES, name=LEVELS[CANARIES], passed=records.intact, detail=detail)


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
    fields = PinnedSnapshot.model_fields.keys()
    snapshots = tuple(PinnedSnapshot.model_validate({k: s[k] for k in fields if k in s}) for s in result["snapshots"])
    return Pin(snapshots=snapshots, chosen=result["chosen"])
