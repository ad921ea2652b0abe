"""When some service time has passed."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

from orchestrator.domain.calendars.local_time import SECOND
from orchestrator.domain.calendars.spans import between, instant_at, total
from orchestrator.domain.service_levels.hours import ServiceHours, service_spans

AT_LEAST = timedelta(days=28)


def deadline(
    hours: ServiceHours, start: datetime, service_time: timedelta, *, is_bank_holiday: Callable[[date], bool]
) -> datetime:
    """The instant, in UTC, at which a clock that runs only in service hours has run for `service_time` since `start`.
    Both are counted in whole seconds."""
    left, ahead = service_time // SECOND, max(AT_LEAST, service_time)
    while True:
        spans = service_spans(hours, within=between(start, start + ahead), is_bank_holiday=is_bank_holiday)
        if total(spans) >= left:
            break
        ahead *= 2
    for span in spans:
        if left <= span.end - span.start:
            break
        left -= span.end - span.start
    return instant_at(span.start + left)
