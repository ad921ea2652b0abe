"""Availability by the contract's clock: downtime against the service hours of a period, less what was agreed.

eligible     = service hours in the period - approved maintenance - accepted exclusions
bad          = union of outages, within what is eligible
availability = 1 - bad / eligible
"""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_DOWN, Context, Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Self

from pydantic import Field, model_validator

from orchestrator.domain.calendars.spans import Span, intersect, subtract, union
from orchestrator.domain.service_levels.clock import ServiceClock
from orchestrator.domain.service_levels.hours import ServiceHours, service_spans
from orchestrator.domain.service_levels.record import ServiceRecord
from orchestrator.domain.value import Value

FULL_COVERAGE = Decimal("0.99")
"""With less coverage than this, a figure is provisional."""

Seconds = Annotated[int, Field(ge=0)]


class Unmeasured(StrEnum):
    """How the contract treats time that nobody measured. It never counts as up."""

    DOWN = "down"
    """It counts as downtime."""
    EXCLUDED = "excluded"
    """It is excluded: the figure is based on what was measured."""
    FLAGGED = "flagged"
    """It is excluded, and the figure stays provisional until the gap is resolved."""


class AvailabilityTerms(Value):
    """`notice` is how long before its start maintenance must be announced."""

    hours: ServiceHours
    notice: Annotated[timedelta, Field(ge=timedelta(0))]
    unmeasured: Unmeasured


class Availability(Value):
    """In seconds. `due` is the service time to be delivered; `eligible` is the part that the figure is based on."""

    due: Seconds
    eligible: Seconds
    bad: Seconds
    unmeasured: Seconds
    rule: Unmeasured

    @model_validator(mode="after")
    def _nested(self) -> Self:
        if not (self.bad <= self.eligible <= self.due and self.unmeasured <= self.due):
            raise ValueError(
                "bad time must be part of eligible time; eligible and unmeasured time must be parts of the time due"
            )
        return self

    def plus(self, other: "Availability") -> "Availability":
        """The sum over two periods under one contract."""
        seconds = {
            name: getattr(self, name) + getattr(other, name) for name in ("due", "eligible", "bad", "unmeasured")
        }
        return Availability(**seconds, rule=self.rule)

    @property
    def ratio(self) -> Decimal | None:
        """0 to 1, exact or truncated to 28 digits, so never too high. None if no time is eligible."""
        return _ratio(self.eligible - self.bad, self.eligible) if self.eligible else None

    @property
    def percent(self) -> Decimal | None:
        return None if self.ratio is None else self.ratio.scaleb(2)

    @property
    def coverage(self) -> Decimal:
        """The share of the time due that was measured, 0 to 1. It is 1 if no time is due."""
        return _ratio(self.due - self.unmeasured, self.due) if self.due else Decimal(1)

    @property
    def provisional(self) -> bool:
        return self.coverage < FULL_COVERAGE or (self.rule is Unmeasured.FLAGGED and self.unmeasured > 0)


def availability(
    terms: AvailabilityTerms, record: ServiceRecord, *, within: Span, is_bank_holiday: Callable[[date], bool]
) -> Availability:
    """The figure of a period. For the current one, `within` must end now: the last known state extends to its end.

    Overruns of maintenance are downtime, and approved time is not, whatever was measured.
    """
    return availability_by(_clock(terms.hours, within, is_bank_holiday), terms, record, within=within)


@lru_cache(maxsize=1024)
def _clock(hours: ServiceHours, within: Span, is_bank_holiday: Callable[[date], bool]) -> ServiceClock:
    """The clock, cached: most services of a month share one, and so do its days."""
    return ServiceClock(service_spans(hours, within=within, is_bank_holiday=is_bank_holiday))


def availability_by(
    clock: ServiceClock, terms: AvailabilityTerms, record: ServiceRecord, *, within: Span
) -> Availability:
    """The same, with a clock of the terms' hours that covers the period."""
    approved = intersect(record.approved(terms.notice), union([within]))
    overrun = intersect(record.overrun(terms.notice), union([within]))
    bad = subtract(union(record.down(within), overrun), approved)
    up = subtract(subtract(record.up(within), bad), approved)
    due, down = clock.seconds((within,)) - clock.seconds(approved), clock.seconds(bad)
    unmeasured = due - down - clock.seconds(up)
    counts_as_down = terms.unmeasured is Unmeasured.DOWN
    return Availability(
        due=due,
        eligible=due if counts_as_down else due - unmeasured,
        bad=down + (unmeasured if counts_as_down else 0),
        unmeasured=unmeasured,
        rule=terms.unmeasured,
    )


def _ratio(part: int, whole: int) -> Decimal:
    return Context(prec=28, rounding=ROUND_DOWN).divide(Decimal(part), Decimal(whole))
