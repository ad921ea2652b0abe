"""Concluding a drill: from the findings of its steps to the verdict and the signed evidence."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

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
    NotExecuted,
    Objectives,
    Phase,
    Pin,
    Promised,
    RecoveryPoint,
    RecoveryTime,
)
from orchestrator.domain.recovery.judgement import Judgement, integrity_of, judge
from orchestrator.domain.recovery.measurement import Measured
from orchestrator.domain.recovery.phase_results import Checked, PhaseResults, Probed, Reported
from orchestrator.domain.recovery.recovery_plan import ALWAYS
from orchestrator.domain.recovery.recovery_time import Stamp, parts
from orchestrator.domain.recovery.verdict import Moment
from orchestrator.domain.runs.run import Run, StepRecord, StepState
from orchestrator.domain.selling.catalog import Verb
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.drilling import Rehearsal, Stopwatch
from orchestrator.ports.outside import Clock
from orchestrator.ports.recovery import TakenBackup
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import find_agency, find_run
from orchestrator.usecases.recovery.phases import results_of

CHECKS = {"backup_tool": 1, "engine": 2, "manifest": 3, "invariants": 5}
"""The level of integrity that each check of the recovery host belongs to."""

PARTS = {"probe": "verify"}
"""Names of phases as parts of a recovery time, if they differ."""

LEFT_OUT = (
    NotExecuted(what="installing the programs of the service", why="they stand by on the recovery host"),
    NotExecuted(what="moving users to the restored copy", why="the live service goes on during a drill"),
    NotExecuted(what="outward actions of the restored copy", why="mail and the like must not reach anybody twice"),
)


@dataclass(frozen=True)
class Concluding:
    """`seal` signs evidence and returns the document and its digest; `report_due` counts working days from the date, in
    the time zone of the agreement; `interval` is the time between canaries."""

    source: CatalogSource
    store: Store
    clock: Clock
    stopwatch: Stopwatch
    name: str
    interval: timedelta
    seal: Callable[[Evidence], tuple[str, str]]
    report_due: Callable[[date], date]

    def report(self, rehearsal: Rehearsal) -> Reported:
        """Judge the drill, and sign and keep its evidence, even if it was stopped. There is none of a drill that was
        stopped before its disaster."""
        with self.store.begin() as tx:
            run = find_run(tx, rehearsal.assignment.run)
            steps = tx.runs.steps(run.id)
            drill = tx.drills.of_run(run.id)
            assert drill is not None
            if not _happened(steps):
                return Reported(evidence=False)
            if tx.drills.evidence(drill.id) is None:  # else a worker kept it, but died before it said so
                self._conclude(tx, drill, run, steps, rehearsal)
            return Reported(evidence=True)

    def _conclude(
        self, tx: Transaction, drill: Drill, run: Run, steps: Sequence[StepRecord], rehearsal: Rehearsal
    ) -> None:
        now = self.clock.now()
        measured = self._measured(tx, drill, run, steps, rehearsal)
        framework = find_agency(tx, drill.agency).framework
        today = now.astimezone(self.source.agreements()[framework].service_levels.hours.zone).date()
        judgement = judge(measured, today=today)
        ended = max(now, measured.t0)  # t0 is later only if the clock was set back, which is one of the reasons
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
        results = results_of(steps)
        t0, pin, check = _t0(results, steps), _pin(results), results.check
        backups = tx.backups.newest(drill.agency, drill.component)
        records = check.records if check else None
        return Measured(
            objectives=self._objectives(tx, drill),
            promised=self._promised(drill, rehearsal),
            clocks=self._clocks(results, records),
            t0=t0,
            pin=pin,
            phases=tuple(_phases(results, steps, t0)),
            rto=_recovery_time(results),
            same_clock=results.probe.same_clock if results.probe else True,
            interrupted=tuple(s.verb.value for s in steps if s.attempt > 1 and s.verb not in ALWAYS),
            stopped=_stopped(drill, run, steps),
            rpo=self._recovery_point(records, backups, t0),
            records=records,
            ledger=check.ledger if check else 0,
            worst_moment_missed=drill.meant is Moment.WORST and drill.moment is not Moment.WORST,
            newest_backup_pinned=_newest_pinned(backups, t0, pin),
            integrity=integrity_of(sorted(_checks(check, records), key=lambda c: c.level)),
            isolation=Isolation(
                attempts=check.leaks if check else (), disabled=results.start.disabled if results.start else ()
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
        promised = self.source.catalog().tier(drill.component, tier).objectives
        return Objectives(
            rto_seconds=promised.rto.total_seconds(),
            rpo_seconds=promised.rpo.total_seconds(),
            clause=f"catalogue, {drill.component}, tier {tier}, recovery",
        )

    def _promised(self, drill: Drill, rehearsal: Rehearsal) -> Promised:
        levels = self.source.catalog().components[drill.component].recovery.integrity
        return Promised(levels=levels, attempts={t["name"]: t["place"] for t in rehearsal.targets})

    def _clocks(self, results: PhaseResults, records: RecoveredRecords | None) -> Clocks:
        assert results.examine
        clock, pinned = results.examine.clock, results.pin
        disaster = Stamp(at=pinned.t0, reading=pinned.reading) if pinned else None
        here = Stamp(at=self.clock.now(), reading=self.stopwatch.read())
        return Clocks(
            orchestrator=self.name,
            recovery_host_offset_seconds=clock.offset_seconds,
            uncertainty_seconds=clock.uncertainty_seconds,
            source="T0: system clock; durations: boot-time clock; offset: quickest of some questions over ssh",
            set_before_seconds=records.clock_set_seconds if records else None,
            set_after_seconds=here.set_since(disaster) if disaster else None,
        )

    def _recovery_point(
        self, records: RecoveredRecords | None, backups: Sequence[TakenBackup], t0: datetime
    ) -> RecoveryPoint:
        by_then = [(b.started_at, b.finished_at) for b in backups if b.finished_at <= t0]
        # If the clock was set back between two backups, the time between them is unknown, and counts as zero.
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
    """Whether the drill reached the disaster."""
    return any(s.verb is Verb.PIN and s.started_at for s in steps)


def _t0(results: PhaseResults, steps: Sequence[StepRecord]) -> datetime:
    """The instant of the disaster; if the pin failed, when the pin began."""
    if results.pin:
        return results.pin.t0
    pin = next(s for s in steps if s.verb is Verb.PIN)
    assert pin.started_at is not None
    return pin.started_at


def _stopped(drill: Drill, run: Run, steps: Sequence[StepRecord]) -> str | None:
    """Why the drill was stopped before everything was measured."""
    measured = any(s.verb is Verb.CHECK and s.state is StepState.SUCCEEDED for s in steps)
    return (drill.reason or "cancelled on request") if run.cancel_requested and not measured else None


def _phases(results: PhaseResults, steps: Sequence[StepRecord], t0: datetime) -> Iterator[Phase]:
    """Every phase that was begun, except the one that writes this. The wait for the disaster does not count."""
    for step in steps:
        if step.started_at is None or step.verb is Verb.REPORT:
            continue
        end = step.finished_at or step.started_at
        start = max(step.started_at, min(t0, end)) if step.verb is Verb.PIN else step.started_at
        result = results.of(step.verb.value)
        yield Phase(
            name=step.verb.value,
            started_at=start,
            finished_at=end,
            seconds=max((end - start).total_seconds(), 0.0),
            outcome=step.state.value,
            error=step.error,
            command_sha256=result.command_sha256 if result else None,
        )


def _recovery_time(results: PhaseResults) -> RecoveryTime:
    probe = results.probe or Probed(seconds=None, censored_limit_seconds=None, attempts=0, longest_gap_seconds=None)
    return RecoveryTime(
        seconds=probe.seconds,
        censored_limit_seconds=probe.censored_limit_seconds,
        parts=_parts(results, took=probe.seconds),
        attempts=probe.attempts,
        longest_gap_seconds=probe.longest_gap_seconds,
    )


def _parts(results: PhaseResults, *, took: float | None) -> dict[str, float]:
    """The parts of a recovery time; empty if a result does not say when its phase was worked on."""
    done = {name: result for name in UNTIL_USERS if (result := results.of(name))}
    worked = [(PARTS.get(name, name), result.worked) for name, result in done.items() if result.worked]
    if results.pin is None or len(worked) < len(done):
        return {}
    disaster = results.pin.reading
    return parts(disaster, worked, served=disaster.seconds + took if took is not None else None)


def _newest_pinned(backups: Sequence[TakenBackup], t0: datetime, pin: Pin) -> bool:
    """Whether the chosen snapshot is that of the newest finished backup. True if the pin failed."""
    by_then = [b for b in backups if b.finished_at <= t0]
    chosen = next((s for s in pin.snapshots if s.id == pin.chosen), None)
    return not by_then or chosen is None or chosen.time >= by_then[-1].started_at - timedelta(seconds=1)


def _checks(check: Checked | None, records: RecoveredRecords | None) -> Iterator[Check]:
    """The checks that were made. A chain without records is not checked."""
    found = check.checks if check else {}
    for key, level in CHECKS.items():
        if key in found:
            yield Check(level=level, name=LEVELS[level], passed=found[key].passed, detail=found[key].detail)
    if records is not None and (records.acknowledged or not records.intact):
        detail = f"{records.recovered} of {records.acknowledged} acknowledged records"
        yield Check(level=CANARIES, name=LEVELS[CANARIES], passed=records.intact, detail=detail)


def _cleanup(results: PhaseResults) -> Cleanup:
    done = results.cleanup
    if done is None:
        return Cleanup(clean=False, leftovers=("unknown: cleanup did not end",))
    return Cleanup(removed=done.removed, leftovers=done.leftovers, clean=not done.leftovers)


def _pin(results: PhaseResults) -> Pin:
    pinned = results.pin
    return Pin(snapshots=pinned.snapshots, chosen=pinned.chosen) if pinned else Pin(snapshots=(), chosen=None)
