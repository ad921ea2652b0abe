"""What a pass must be based on, and what of it is missing. A drill with too little evidence decides nothing."""

from collections.abc import Iterator
from datetime import timedelta

from orchestrator.domain.recovery.evidence import CANARIES, LEVELS, PinnedSnapshot
from orchestrator.domain.recovery.measurement import TRUSTED_STEP, Measured

TRUSTED_CLOCK = timedelta(seconds=1)
"""Maximum offset of the recovery host's clock from ours, including its uncertainty."""

TRUSTED_GAP = timedelta(seconds=2)
"""Maximum time without an attempt to use the service. Beyond it, the instant of recovery is not known well enough."""


def doubts(m: Measured) -> Iterator[str]:
    """Why the measurements are unreliable or insufficient."""
    yield from _clock_doubts(m)
    yield from _interruptions(m)
    if not (m.went_wrong or m.broken_off or m.stopped):  # otherwise that already explains the gaps
        yield from _gaps(m)


def _clock_doubts(m: Measured) -> Iterator[str]:
    off = abs(m.clocks.recovery_host_offset_seconds) + m.clocks.uncertainty_seconds
    if off > TRUSTED_CLOCK.total_seconds():
        yield f"the recovery host's clock is {m.clocks.recovery_host_offset_seconds:+.1f} s from ours"
    if not m.same_clock:
        yield "the disaster and the recovery were read from clocks that cannot be compared"
    before, after = m.clocks.set_before_seconds, m.clocks.set_after_seconds
    if not m.clocks_compare:
        between = "between the last record that came back and the disaster"
        yield (
            f"our clock was set by {before:+.1f} s {between}"
            if before is not None
            else (f"whether our clock was set {between} is unknown: the machines that noted the two cannot be compared")
        )
    if after is not None and abs(after) > TRUSTED_STEP:
        yield f"our clock was set by {after:+.1f} s during the drill"
    if m.records and m.records.after_disaster and not m.clocks_compare:
        yield "records may be from after the disaster, if the clock is right"
    chosen = m.pin.restored
    if chosen and chosen.received and chosen.time > m.t0 and not came_after(m, chosen):
        yield "the restored backup arrived before the disaster, but claims to have begun after it"


def came_after(m: Measured, snapshot: PinnedSnapshot) -> bool:
    """Whether a backup is from after the disaster: by when it arrived or, if that was not noted, by its own time."""
    if snapshot.received is None:
        return snapshot.time > m.t0
    by_our_clock = snapshot.received - timedelta(seconds=m.clocks.recovery_host_offset_seconds)
    return by_our_clock > m.t0 + timedelta(seconds=m.clocks.uncertainty_seconds)


def _interruptions(m: Measured) -> Iterator[str]:
    if m.stopped:
        yield f"the drill was stopped: {m.stopped}"
    for phase in m.broken_off:
        if phase.outcome == "unreachable":
            yield f"{phase.name}: {phase.error or 'the recovery host did not answer'}"
    if m.interrupted:
        yield f"the worker died, and another restarted {', '.join(m.interrupted)}"
    gap = m.rto.longest_gap_seconds
    if gap is not None and gap > TRUSTED_GAP.total_seconds():
        yield f"nobody tried the service for {gap:.1f} s"


def _gaps(m: Measured) -> Iterator[str]:
    """What should have been checked and was not."""
    if m.same_clock and m.rto.seconds is None and m.rto.censored_limit_seconds is None:
        yield "the time until somebody could work was not measured"
    if m.pin.restored is None:
        yield "it is unknown which backup was restored"
    looked_at = {check.level for check in m.integrity.checks}
    for level in m.promised.levels:
        if level not in looked_at | {CANARIES}:
            yield f"integrity was not checked on level {level}: {LEVELS[level]}"
    yield from _canary_gaps(m)
    yield from _attempt_gaps(m)


def _canary_gaps(m: Measured) -> Iterator[str]:
    if m.records is None:
        if m.ledger:
            yield f"the restored copy accepts no canaries, but {m.ledger} are in the ledger: what was lost is unknown"
        elif CANARIES in m.promised.levels:
            yield "no canaries were read: what was lost is unknown"
    elif not m.records.acknowledged and CANARIES in m.promised.levels:
        yield "no canary was written before the disaster: what was lost is unknown"


def _attempt_gaps(m: Measured) -> Iterator[str]:
    made = {attempt.name: attempt for attempt in m.isolation.attempts}
    for name in m.promised.attempts:
        if name not in made:
            yield f"no attempt was made to get out to {name}"
    for place in m.promised.places:
        towards = [made[name] for name, to in m.promised.attempts.items() if to == place and name in made]
        if not towards or any(attempt.control for attempt in towards):
            continue
        why = "nothing gets there from the recovery host either"
        if all(attempt.control is None for attempt in towards):
            why = "its programs do not support controls yet; provision disaster recovery again"
        yield f"the blocked attempt to reach {place} proves nothing: {why}"
    if not m.promised.attempts:
        yield "the destinations that must be unreachable are unknown"
