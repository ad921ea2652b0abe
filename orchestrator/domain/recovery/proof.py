"""What a pass has to rest on, and what of it is not there. A drill of which too little is known decides nothing."""

from collections.abc import Iterator
from datetime import timedelta

from orchestrator.domain.recovery.evidence import CANARIES, LEVELS, PinnedSnapshot
from orchestrator.domain.recovery.measurement import TRUSTED_STEP, Measured

TRUSTED_CLOCK = timedelta(seconds=1)
"""How far the recovery host's clock may be from ours, its uncertainty included."""

TRUSTED_GAP = timedelta(seconds=2)
"""How long nobody may have tried the service, or the instant it came back is not known well enough."""


def doubts(m: Measured) -> Iterator[str]:
    """Why what was measured cannot be relied on, or does not suffice."""
    yield from _clock_doubts(m)
    yield from _interruptions(m)
    if not (m.went_wrong or m.broken_off or m.stopped):  # else that says already why there is less
        yield from _gaps(m)


def _clock_doubts(m: Measured) -> Iterator[str]:
    off = abs(m.clocks.recovery_host_offset_seconds) + m.clocks.uncertainty_seconds
    if off > TRUSTED_CLOCK.total_seconds():
        yield f"the recovery host's clock is {m.clocks.recovery_host_offset_seconds:+.1f} s from ours"
    if not m.same_clock:
        yield "the disaster and the recovery were read from clocks that do not compare"
    before, after = m.clocks.set_before_seconds, m.clocks.set_after_seconds
    if not m.clocks_compare:
        between = "between the last record that came back and the disaster"
        yield (
            f"our clock was set by {before:+.1f} s {between}"
            if before is not None
            else (
                f"whether our clock was set {between} is not known: the two were noted by machines that do not compare"
            )
        )
    if after is not None and abs(after) > TRUSTED_STEP:
        yield f"our clock was set by {after:+.1f} s during the drill"
    if m.records and m.records.after_disaster and not m.clocks_compare:
        yield "records may be from after the disaster, if the clock is to be believed"
    chosen = m.pin.restored
    if chosen and chosen.received and chosen.time > m.t0 and not came_after(m, chosen):
        yield "the backup that was restored came before the disaster and says that it began after it"


def came_after(m: Measured, snapshot: PinnedSnapshot) -> bool:
    """Whether a backup is from after the disaster: by when it came, or by what it says where nobody noted that."""
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
        yield f"the worker died, and another began {', '.join(m.interrupted)} again"
    gap = m.rto.longest_gap_seconds
    if gap is not None and gap > TRUSTED_GAP.total_seconds():
        yield f"for {gap:.1f} s nobody tried the service"


def _gaps(m: Measured) -> Iterator[str]:
    """What was promised to be looked at, and was not."""
    if m.same_clock and m.rto.seconds is None and m.rto.censored_limit_seconds is None:
        yield "how long it took until somebody could work was not measured"
    if m.pin.restored is None:
        yield "which backup was restored is not known"
    looked_at = {check.level for check in m.integrity.checks}
    for level in m.promised.levels:
        if level not in looked_at | {CANARIES}:
            yield f"integrity was not looked at on level {level}: {LEVELS[level]}"
    yield from _canary_gaps(m)
    yield from _attempt_gaps(m)


def _canary_gaps(m: Measured) -> Iterator[str]:
    if m.records is None:
        if m.ledger:
            yield f"the restored copy takes no canaries, and {m.ledger} are in the ledger: what was lost is not known"
        elif CANARIES in m.promised.levels:
            yield "no canaries were read: what was lost is not known"
    elif not m.records.acknowledged and CANARIES in m.promised.levels:
        yield "no canary was written before the disaster: what was lost is not known"


def _attempt_gaps(m: Measured) -> Iterator[str]:
    made = {attempt.name: attempt for attempt in m.isolation.attempts}
    for name in m.promised.attempts:
        if name not in made:
            yield f"nobody tried to get out to {name}"
    for place in m.promised.places:
        towards = [made[name] for name, to in m.promised.attempts.items() if to == place and name in made]
        if not towards or any(attempt.control for attempt in towards):
            continue
        why = "from the recovery host nothing gets there either"
        if all(attempt.control is None for attempt in towards):
            why = "its programs are older than controls; provision disaster recovery again"
        yield f"that nothing got out to {place} proves nothing: {why}"
    if not m.promised.attempts:
        yield "nobody knows where nothing must get out to"
