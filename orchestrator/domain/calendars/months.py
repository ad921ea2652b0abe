"""A calendar month: the period for which service levels are judged and charges are made."""

from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field

from orchestrator.domain.calendars.local_time import instant_of
from orchestrator.domain.calendars.spans import Span, between
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.value import Value

MONTHS = 12


class CalendarMonth(Value):
    """`number` 1 is January."""

    year: Annotated[int, Field(ge=1970, le=9998)]
    number: Annotated[int, Field(ge=1, le=MONTHS)]

    @classmethod
    def of(cls, day: date) -> Self:
        return cls(year=day.year, number=day.month)

    @classmethod
    def named(cls, name: str) -> Self:
        """Parse the format of `str`, e.g. 2026-04. Raises INVALID for anything else."""
        try:
            return cls.of(datetime.strptime(name, "%Y-%m").date())  # noqa: DTZ007 - a month has no time zone
        except ValueError:
            raise OrchestratorError(
                Kind.INVALID, f"{name!r} is not a month", hint="write year and month, such as 2026-04"
            ) from None

    def __str__(self) -> str:
        return f"{self.year}-{self.number:02}"

    @property
    def first(self) -> date:
        return date(self.year, self.number, 1)

    @property
    def preceding(self) -> "CalendarMonth":
        years, number = divmod(self.number - 2, MONTHS)
        return CalendarMonth(year=self.year + years, number=number + 1)

    @property
    def following(self) -> "CalendarMonth":
        years, number = divmod(self.number, MONTHS)
        return CalendarMonth(year=self.year + years, number=number + 1)

    def span(self, zone: ZoneInfo) -> Span:
        """From local midnight to local midnight. The month in which clocks go forward is an hour shorter."""
        first, until = (instant_of(datetime.combine(day, time()), zone) for day in (self.first, self.following.first))
        return between(first, until)


def months_between(first: date, last: date) -> Iterator[CalendarMonth]:
    """The months of two days, and all in between."""
    month = CalendarMonth.of(first)
    while month.first <= last:
        yield month
        month = month.following
