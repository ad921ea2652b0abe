"""Canaries: numbered records written as users write, so that a restored copy shows what it lost.

Each record's code is an HMAC over its number and the previous code (RFC 2104, SHA-256), so that a missing, changed,
forged or reordered record does not fit. The ledger of acknowledged records is kept outside the protected site.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from orchestrator.domain.recovery.recovery_time import Stamp, StopwatchReading
from orchestrator.domain.value import Value

KEPT = 3_000
"""How many of the newest canaries the ledger keeps and a drill checks: a month at four an hour, two days at one a
minute. Backups are never that far apart, and drills take no longer as a service gets older."""

_TEXT = re.compile(r"^canary (\d+) ([0-9a-f]{64})$")


class Canary(Value):
    """One record. `acknowledged_at` is when the service confirmed it, or None. `reading` and `host_offset_seconds` were
    noted with the last of its instants, to detect clocks that were set later."""

    number: int
    code: str
    sent_at: datetime
    acknowledged_at: datetime | None = None
    reading: StopwatchReading | None = None
    host_offset_seconds: float | None = None

    @property
    def stamp(self) -> Stamp:
        at = self.acknowledged_at or self.sent_at
        return Stamp(at=at, reading=self.reading, host_offset_seconds=self.host_offset_seconds)

    @property
    def text(self) -> str:
        return f"canary {self.number} {self.code}"


def code_of(key: bytes, number: int, before: str) -> str:
    """The code of a record: 64 hexadecimal digits."""
    return hmac.new(key, f"{number}:{before}".encode(), hashlib.sha256).hexdigest()


def next_canary(key: bytes, last: Canary | None, *, at: datetime) -> Canary:
    number = last.number + 1 if last else 1
    return Canary(number=number, code=code_of(key, number, last.code if last else ""), sent_at=at)


class RecoveredRecords(Value):
    """The canaries in a restored copy, compared with the ledger.

    `acknowledged` is the greatest number acknowledged by the time of the disaster; `recovered` is the greatest up to
    which every acknowledged record is present and fits. Durations are in seconds.
    """

    acknowledged: int
    recovered: int
    lost: int
    holes: tuple[int, ...]
    after_disaster: tuple[int, ...]
    """Records from after the disaster: the drill restored what a disaster would have destroyed."""
    forged: tuple[int, ...]
    """Records that do not fit the ledger."""
    in_order: bool
    rpo_seconds: float | None
    """From the acknowledgement of the last recovered record to the disaster; None if no record came back."""
    clock_set_seconds: float | None = None
    """How far our clock was set forward in that time; None if that is unknown, or no record came back."""

    @property
    def intact(self) -> bool:
        return self.in_order and not self.holes and not self.forged


def compare(ledger: Sequence[Canary], found: Sequence[str], *, disaster: Stamp) -> RecoveredRecords:
    """Compare what was found in the restored copy, in its order, with the ledger. The stopwatch, if available, corrects
    for a clock that was set in between."""
    set_since = {canary.number: disaster.set_since(canary.stamp) for canary in ledger}
    ledger = [_by_clock_of(disaster, canary) for canary in ledger]
    known = {c.number: c for c in ledger}
    read = [(int(m[1]), m[2]) for text in found if (m := _TEXT.match(text.strip()))]
    fitting = {number for number, code in read if number in known and known[number].code == code}
    by_then = [c for c in ledger if c.acknowledged_at and c.acknowledged_at <= disaster.at]
    recovered, last = _unbroken(by_then, fitting)
    beyond = max(fitting, default=0)
    rest = [c.number for c in by_then if c.number > recovered]
    numbers = [number for number, _ in read]
    return RecoveredRecords(
        acknowledged=max((c.number for c in by_then), default=0),
        recovered=recovered,
        lost=len(rest),
        holes=tuple(n for n in rest if n < beyond and n not in fitting),
        after_disaster=tuple(
            sorted({n for n, _ in read if _is_later(known.get(n), disaster.at, last=max(known, default=0), number=n)})
        ),
        forged=tuple(sorted({n for n, code in read if n in known and known[n].code != code})),
        in_order=numbers == sorted(set(numbers)),
        rpo_seconds=(disaster.at - last.acknowledged_at).total_seconds() if last and last.acknowledged_at else None,
        clock_set_seconds=set_since.get(last.number) if last else None,
    )


def _by_clock_of(disaster: Stamp, canary: Canary) -> Canary:
    """The record with its instants converted to the clock from which the disaster was read."""
    placed = {
        name: disaster.place(canary.stamp, at)
        for name, at in (("sent_at", canary.sent_at), ("acknowledged_at", canary.acknowledged_at))
        if at is not None
    }
    return canary.model_copy(update=placed)


def _unbroken(by_then: Sequence[Canary], fitting: set[int]) -> tuple[int, Canary | None]:
    """Up to which number all acknowledged records are present."""
    last: Canary | None = None
    for canary in sorted(by_then, key=lambda c: c.number):
        if canary.number not in fitting:
            break
        last = canary
    return (last.number if last else 0), last


def _is_later(canary: Canary | None, disaster: datetime, *, last: int, number: int) -> bool:
    """Whether a record was written after the disaster. One that the ledger does not know yet is newer than all it
    knows."""
    return canary.sent_at > disaster if canary else number > last


def exposures(backups: Sequence[tuple[datetime, datetime]], *, now: datetime) -> tuple[timedelta, ...]:
    """For each backup (start, finish), oldest first: how old its content was when the next was complete, or is now.

    Two backups an hour apart that take half an hour expose an hour and a half: what is written just after the start of
    one is safe only when the next has ended.
    """
    ends = [*(finish for _, finish in backups[1:]), now]
    return tuple(end - start for (start, _), end in zip(backups, ends, strict=False))
