"""The judgement on a drill: measurements against promises, and whether the measurements can be trusted."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from orchestrator.domain.recovery.evidence import CANARIES, Check, Finding, Integrity
from orchestrator.domain.recovery.measurement import Measured
from orchestrator.domain.recovery.proof import came_after, doubts
from orchestrator.domain.recovery.verdict import Verdict
from orchestrator.domain.value import Value

TO_PUT_RIGHT = timedelta(days=28)


class Judgement(Value):
    verdict: Verdict
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]


def judge(measured: Measured, *, today: date) -> Judgement:
    """The gravest problem decides the verdict. All reasons of that weight are named, and all problems become
    findings."""
    grades = (
        (Verdict.INVALID, tuple(_invalid(measured))),
        (Verdict.FAIL, tuple(_failures(measured))),
        (Verdict.INCONCLUSIVE, tuple(doubts(measured))),
        (Verdict.PASS_WITH_FINDINGS, tuple(_flaws(measured))),
    )
    findings = tuple(Finding(what=what, due=today + TO_PUT_RIGHT) for _, reasons in grades for what in reasons)
    for verdict, reasons in grades:
        if reasons:
            return Judgement(verdict=verdict, reasons=reasons, findings=findings)
    return Judgement(verdict=Verdict.PASS, reasons=("every objective was met",), findings=())


def _invalid(m: Measured) -> Iterator[str]:
    """Data from after the disaster, by its content or by when it arrived."""
    if m.records and m.records.after_disaster and m.clocks_compare:
        yield f"the restored copy holds records from after the disaster: {_numbers(m.records.after_disaster)}"
    if (chosen := m.pin.restored) and came_after(m, chosen):
        said = chosen.received or chosen.time
        yield f"the backup that was restored is from after the disaster: {said:%Y-%m-%d %H:%M:%S} UTC"


def _failures(m: Measured) -> Iterator[str]:
    for phase in m.went_wrong:
        yield f"{phase.name} {phase.outcome.replace('_', ' ')}: {phase.error or 'no reason given'}"
    yield from _time_failures(m)
    yield from _point_failures(m)
    for check in m.integrity.checks:
        if not check.passed:
            yield f"integrity: {check.name}: {check.detail}"
    for attempt in m.isolation.attempts:
        if not attempt.blocked:
            yield f"isolation: {attempt.name} ({attempt.address}) could be reached from the restored copy"
    if not m.cleanup.clean and "cleanup" not in {phase.name for phase in m.broken_off}:
        yield f"cleanup left {', '.join(m.cleanup.leftovers) or 'something that it could not name'}"


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
        yield "no record that was written before the disaster came back"
    if m.clocks_compare and m.rpo.upper_seconds is not None and m.rpo.upper_seconds > m.objectives.rpo_seconds:
        lost, promised = m.rpo.upper_seconds, m.objectives.rpo_seconds
        yield f"up to {lost:.0f} s of work was lost, more than the {promised:.0f} s promised"
    if m.records.holes:
        yield f"records are missing between others: {_numbers(m.records.holes)}"
    if m.records.forged:
        yield f"records are not as they were written: {_numbers(m.records.forged)}"
    if not m.records.in_order:
        yield "the records did not come back in the order in which they were written"


def _flaws(m: Measured) -> Iterator[str]:
    worst = m.rpo.worst_exposure_seconds
    if worst is not None and worst > m.objectives.rpo_seconds:
        yield f"at the worst moment {worst:.0f} s of work would have been lost, more than promised"
    if m.worst_moment_missed:
        yield "it was planned for the worst moment, but no backup was due in its window: the next drill makes up for it"
    if CANARIES not in m.promised.levels and m.records is None:
        yield "the component has no canaries: what was lost is unknown, only the age of the backup is known"


def _numbers(numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers[:5]))
    return named if len(numbers) <= 5 else f"{named} and {len(numbers) - 5} more"


def integrity_of(checks: Sequence[Check]) -> Integrity:
    """The highest level up to which every check was made and passed."""
    level = 0
    for candidate in range(1, 6):
        made = [c for c in checks if c.level == candidate]
        if not made or not all(c.passed for c in made):
            break
        level = candidate
    return Integrity(level=level, checks=tuple(checks))
