"""How pages say lengths, instants, sizes and verdicts."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from orchestrator.domain.recovery.evidence import RecoveryPoint, RecoveryTime
from orchestrator.domain.recovery.verdict import Moment, Verdict

MINUTE, HOUR, DAY = 60, 3600, 86400

MANY_HOURS = 2 * DAY
"""From here on, days."""

VERDICTS = {
    Verdict.PASS: ("Passed", "What was promised was kept, and nothing needs to be put right."),
    Verdict.PASS_WITH_FINDINGS: (
        "Passed with findings",
        "What was promised was kept; some things are to be put right.",
    ),
    Verdict.FAIL: ("Failed", "What was promised was not kept."),
    Verdict.INCONCLUSIVE: ("Inconclusive", "What was measured does not decide whether the promise was kept."),
    Verdict.INVALID: ("Invalid", "The drill itself was not sound: nothing follows from it."),
}

MOMENTS = {
    Moment.RANDOM: "at a moment drawn at random",
    Moment.WORST: "at the worst moment, just before the next backup",
    Moment.NOW: "at the moment somebody asked for",
}

PARTS = {"recovery_host_wait": "waiting for the recovery host", "verify": "trying until users could work"}
"""Parts of a recovery time that are called otherwise than they are said."""

NOT_MEASURED = "not measured"


def length(seconds: float | None) -> str:
    """To the second, so that what is over a promise never reads as if it were not: 4 h 0 min 1 s, 12.5 s, 2 d 13 h."""
    if seconds is None:
        return NOT_MEASURED
    if seconds < MINUTE:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole >= MANY_HOURS:
        return _units(whole // HOUR * HOUR, ((DAY, "d"), (HOUR, "h")))
    return _units(whole, ((HOUR, "h"), (MINUTE, "min"), (1, "s")))


def _units(whole: int, units: tuple[tuple[int, str], ...]) -> str:
    """Without units of zero at either end."""
    counts: list[tuple[int, str]] = []
    for unit, name in units:
        count, whole = divmod(whole, unit)
        if counts or count:
            counts.append((count, name))
    while counts[-1][0] == 0:
        counts.pop()
    return " ".join(f"{count} {name}" for count, name in counts)


def recovery_time(rto: RecoveryTime) -> str:
    """A time that was cut off is at least so long, and is never shown as if it had been measured."""
    if rto.censored_limit_seconds is not None:
        return f"> {length(rto.censored_limit_seconds)}"
    return length(rto.seconds)


def recovery_point(rpo: RecoveryPoint) -> str:
    """The disaster came after the last record that is back, and before the next one was written: this is the most."""
    if rpo.upper_seconds is None or rpo.upper_seconds == rpo.seconds:
        return length(rpo.seconds)
    return f"≤ {length(rpo.upper_seconds)}"


def instant(at: datetime) -> str:
    return f"{at:%-d %B %Y, %H:%M:%S} UTC"


def minute(at: datetime, time_zone: str) -> str:
    """By the clocks of a place."""
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
