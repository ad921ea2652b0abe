"""The wording of durations, instants, sizes and verdicts on pages."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from orchestrator.domain.recovery.evidence import RecoveryPoint, RecoveryTime
from orchestrator.domain.recovery.verdict import Moment, Verdict

MINUTE, HOUR, DAY = 60, 3600, 86400

MANY_HOURS = 2 * DAY
"""Above this, durations are in days."""

VERDICTS = {
    Verdict.PASS: ("Passed", "Every promise was kept, and nothing needs correction."),
    Verdict.PASS_WITH_FINDINGS: (
        "Passed with findings",
        "Every promise was kept; some things need correction.",
    ),
    Verdict.FAIL: ("Failed", "A promise was not kept."),
    Verdict.INCONCLUSIVE: ("Inconclusive", "The measurements do not show whether the promises were kept."),
    Verdict.INVALID: ("Invalid", "The drill itself was not sound: it shows nothing."),
}

MOMENTS = {
    Moment.RANDOM: "at a moment drawn at random",
    Moment.WORST: "at the worst moment, just before the next backup",
    Moment.NOW: "at the moment of the request",
}

PARTS = {"recovery_host_wait": "waiting for the recovery host", "verify": "trying until users could work"}
"""Wording of parts of a recovery time that differs from their names."""

NOT_MEASURED = "not measured"


def length(seconds: float | None) -> str:
    """A duration to the second, so that one over a promise never looks within it: 4 h 0 min 1 s, 12.5 s, 2 d 13 h."""
    if seconds is None:
        return NOT_MEASURED
    if seconds < MINUTE:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole >= MANY_HOURS:
        return _units(whole // HOUR * HOUR, ((DAY, "d"), (HOUR, "h")))
    return _units(whole, ((HOUR, "h"), (MINUTE, "min"), (1, "s")))


def _units(whole: int, units: tuple[tuple[int, str], ...]) -> str:
    """The duration in units, without zeros at either end."""
    counts: list[tuple[int, str]] = []
    for unit, name in units:
        count, whole = divmod(whole, unit)
        if counts or count:
            counts.append((count, name))
    while counts[-1][0] == 0:
        counts.pop()
    return " ".join(f"{count} {name}" for count, name in counts)


def recovery_time(rto: RecoveryTime) -> str:
    """A time that was cut off is a lower bound, and is never shown as a measurement."""
    if rto.censored_limit_seconds is not None:
        return f"> {length(rto.censored_limit_seconds)}"
    return length(rto.seconds)


def recovery_point(rpo: RecoveryPoint) -> str:
    """An upper bound: the disaster was after the last restored record and before the next one was written."""
    if rpo.upper_seconds is None or rpo.upper_seconds == rpo.seconds:
        return length(rpo.seconds)
    return f"≤ {length(rpo.upper_seconds)}"


def instant(at: datetime) -> str:
    return f"{at:%-d %B %Y, %H:%M:%S} UTC"


def minute(at: datetime, time_zone: str) -> str:
    """The local time in a time zone, to the minute."""
    return f"{at.astimezone(ZoneInfo(time_zone)):%-d %B, %H:%M}"


def clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}"


def day(on: date) -> str:
    return f"{on:%-d %B %Y}"


def size(count: int | None) -> str:
    """Bytes in decimal units."""
    if count is None:
        return ""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"
