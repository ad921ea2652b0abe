"""The judgement on a drill: what was measured against what was promised, and whether the measurement can be trusted."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from orchestrator.domain.canary import RecoveredRecords
from orchestrator.domain.evidence import (
    Check,
    Cleanup,
    Clocks,
    Finding,
    Integrity,
    Isolation,
    Objectives,
    Phase,
    RecoveryPoint,
    RecoveryTime,
)
from orchestrator.domain.value import Value
from orchestrator.domain.verdict import Verdict

TRUSTED_CLOCK = timedelta(seconds=1)
"""How far the recovery host's clock may be from ours, its uncertainty included."""

TRUSTED_GAP = timedelta(seconds=2)
"""How long nobody may have tried the service, or the instant it came back is not known well enough."""

TO_PUT_RIGHT = timedelta(days=28)


class Measured(Value):
    """Everything the verdict rests on. `records` is None where the component has no canaries."""

    objectives: Objectives
    clocks: Clocks
    phases: tuple[Phase, ...]
    rto: RecoveryTime
    same_clock: bool
    """Whether T0 and the recovery were read from the same stopwatch."""
    interrupted: tuple[str, ...]
    """Phases that had to be begun again because a worker died."""
    rpo: RecoveryPoint
    records: RecoveredRecords | None
    newest_backup_pinned: bool
    """Whether the newest backup on record was among what was pinned."""
    integrity: Integrity
    isolation: Isolation
    cleanup: Cleanup


class Judgement(Value):
    verdict: Verdict
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]


def judge(measured: Measured, *, today: date) -> Judgement:
    """The gravest thing that is the case decides; every reason of that weight is named, and all become findings."""
    grades = (
        (Verdict.INVALID, tuple(_invalid(measured))),
        (Verdict.FAIL, tuple(_failures(measured))),
        (Verdict.INCONCLUSIVE, tuple(_doubts(measured))),
        (Verdict.PASS_WITH_FINDINGS, tuple(_flaws(measured))),
    )
    findings = tuple(Finding(what=what, due=today + TO_PUT_RIGHT) for _, reasons in grades for what in reasons)
    for verdict, reasons in grades:
        if reasons:
            return Judgement(verdict=verdict, reasons=reasons, findings=findings)
    return Judgement(verdict=Verdict.PASS, reasons=("every objective was met",), findings=())


def _invalid(m: Measured) -> Iterator[str]:
    if m.records and m.records.after_disaster:
        yield f"the restored copy holds records from after the disaster: {_numbers(m.records.after_disaster)}"


def _failures(m: Measured) -> Iterator[str]:
    for phase in m.phases:
        if phase.outcome != "succeeded" and phase.name not in m.interrupted:
            yield f"{phase.name} {phase.outcome.replace('_', ' ')}: {phase.error or 'no reason given'}"
    yield from _time_failures(m)
    yield from _point_failures(m)
    for check in m.integrity.checks:
        if not check.passed:
            yield f"integrity: {check.name}: {check.detail}"
    for attempt in m.isolation.attempts:
        if not attempt.blocked:
            yield f"isolation: {attempt.name} ({attempt.address}) could be reached from the restored copy"
    if not m.cleanup.clean:
        yield f"cleanup left {', '.join(m.cleanup.leftovers) or 'what it could not name'}"


def _time_failures(m: Measured) -> Iterator[str]:
    if m.rto.seconds is not None and m.rto.seconds > m.objectives.rto_seconds:
        yield f"recovery took {m.rto.seconds:.1f} s, more than the {m.objectives.rto_seconds:.0f} s promised"
    if m.rto.censored_limit_seconds is not None:
        yield f"nobody could work within {m.rto.censored_limit_seconds:.0f} s"


def _point_failures(m: Measured) -> Iterator[str]:
    if not m.newest_backup_pinned:
        yield "the newest backup on record is not in the repository"
    if m.records is None:
        return
    if m.records.acknowledged and m.rpo.upper_seconds is None:
        yield "not one of the records that were written before the disaster came back"
    if m.rpo.upper_seconds is not None and m.rpo.upper_seconds > m.objectives.rpo_seconds:
        lost, promised = m.rpo.upper_seconds, m.objectives.rpo_seconds
        yield f"up to {lost:.0f} s of work was lost, more than the {promised:.0f} s promised"
    if m.records.holes:
        yield f"records are missing from between others: {_numbers(m.records.holes)}"
    if m.records.forged:
        yield f"records are not as they were written: {_numbers(m.records.forged)}"
    if not m.records.in_order:
        yield "the records did not come back in the order in which they were written"


def _doubts(m: Measured) -> Iterator[str]:
    off = abs(m.clocks.recovery_host_offset_seconds) + m.clocks.uncertainty_seconds
    if off > TRUSTED_CLOCK.total_seconds():
        yield f"the recovery host's clock is {m.clocks.recovery_host_offset_seconds:+.1f} s from ours"
    if not m.same_clock:
        yield "the disaster and the recovery were read from clocks that do not compare"
    if m.interrupted:
        yield f"the worker died, and another began {', '.join(m.interrupted)} again"
    gap = m.rto.longest_gap_seconds
    if gap is not None and gap > TRUSTED_GAP.total_seconds():
        yield f"for {gap:.1f} s nobody tried the service"


def _flaws(m: Measured) -> Iterator[str]:
    worst = m.rpo.worst_exposure_seconds
    if worst is not None and worst > m.objectives.rpo_seconds:
        yield f"at the worst moment {worst:.0f} s of work would have been lost, more than promised"
    if m.records is None:
        yield "the component has no canaries: what was lost is not known, only how old the backup was"
    elif not m.records.acknowledged:
        yield "no canary was written before the disaster: what was lost is not known"


def _numbers(numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers[:5]))
    return named if len(numbers) <= 5 else f"{named} and {len(numbers) - 5} more"


def integrity_of(checks: Sequence[Check]) -> Integrity:
    """The highest level up to which every check passed, and was made."""
    level = 0
    for candidate in range(1, 6):
        made = [c for c in checks if c.level == candidate]
        if not made or not all(c.passed for c in made):
            break
        level = candidate
    return Integrity(level=level, checks=tuple(checks))
