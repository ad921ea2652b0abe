"""Weekdays, times of day and time zones, as people write them."""

from datetime import time
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator


class Weekday(StrEnum):
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


WEEKDAYS = tuple(Weekday)
"""In the order of `date.weekday()`."""

WEEKEND = (Weekday.SAT, Weekday.SUN)


def _clock_time(given: Any) -> Any:
    """Accept both 22:30 and 1350: YAML 1.1 reads an unquoted 22:30 as the number of minutes."""
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < 24 * 60:
        return time(given // 60, given % 60)
    return given


def _wall_time(at: time) -> time:
    if at.tzinfo or at.second or at.microsecond:
        raise ValueError("must be hours and minutes of the policy's time zone, such as 22:30")
    return at


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is not a time zone; write a name from the IANA list, such as Europe/London"
        ) from None
    return name


ClockTime = Annotated[time, BeforeValidator(_clock_time), AfterValidator(_wall_time)]
TimeZone = Annotated[str, AfterValidator(_known_zone)]
