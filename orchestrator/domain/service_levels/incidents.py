"""The clock of an incident: it runs in service time only, and stops while the customer is waited for."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, NamedTuple, Self

from pydantic import Field, model_validator

from orchestrator.domain.calendars.local_time import SECOND
from orchestrator.domain.calendars.spans import (
    Instant,
    Span,
    Spans,
    instant_at,
    intersect,
    second_of,
    subtract,
    total,
    union,
)
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.value import Value

Duration = Annotated[timedelta, Field(gt=timedelta(0))]


class IncidentPriority(StrEnum):
    P1 = "p1"
    P2 = "p2"
    P3 = "p3"
    P4 = "p4"


class IncidentTargets(Value):
    """Service time from the report to the response, and to the fix."""

    response: Duration
    fix: Duration


IncidentTerms = Mapping[IncidentPriority, IncidentTargets]


class Hold(Value):
    """Waiting for the customer; without an end, still."""

    start: Instant
    end: Instant | None = None

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.end is not None and self.end < self.start:
            raise ValueError(f"ends at {self.end.isoformat()}, before its start at {self.start.isoformat()}")
        return self


class Incident(Value):
    """What the service desk recorded. What is None has not happened yet."""

    priority: IncidentPriority
    reported_at: Instant
    responded_at: Instant | None = None
    fixed_at: Instant | None = None
    holds: tuple[Hold, ...] = ()

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        for what, at in (("responded to", self.responded_at), ("fixed", self.fixed_at)):
            if at is not None and at < self.reported_at:
                raise ValueError(
                    f"{what} at {at.isoformat()}, before it was reported at {self.reported_at.isoformat()}"
                )
        return self

    def as_of(self, instant: datetime) -> "Incident":
        """As it was known at an instant after the report: without what came later."""
        holds = tuple(
            Hold(start=hold.start, end=hold.end if hold.end and hold.end <= instant else None)
            for hold in self.holds
            if hold.start < instant
        )
        responded, fixed = (at if at and at <= instant else None for at in (self.responded_at, self.fixed_at))
        return self.model_copy(update={"responded_at": responded, "fixed_at": fixed, "holds": holds})


class Outcome(StrEnum):
    IN_TIME = "in_time"
    LATE = "late"
    RUNNING = "running"
    """Not stopped yet, and time is left."""


class IncidentClock(NamedTuple):
    """`elapsed` is service time. `due_at` is when the target is reached if nothing is held any more; None when that is
    beyond the service hours it was read against, or the customer is waited for.

    `decided_at` is when it was over: stopped in time, or in its first second of service time beyond the target. It
    stays what it is, however late the clock is read; None while it runs.
    """

    elapsed: timedelta
    outcome: Outcome
    due_at: datetime | None
    decided_at: datetime | None


def response_clock(incident: Incident, terms: IncidentTerms, *, service: Spans, now: datetime) -> IncidentClock:
    """`service`: the service hours from the report at least until now; what lies beyond serves `due_at`. A fix is an
    answer too."""
    target = _targets(incident, terms).response
    stops = (at for at in (incident.responded_at, incident.fixed_at) if at is not None)
    return _clock(incident, target, stopped_at=min(stops, default=None), service=service, now=now)


def fix_clock(incident: Incident, terms: IncidentTerms, *, service: Spans, now: datetime) -> IncidentClock:
    """As `response_clock`, until the fix."""
    return _clock(incident, _targets(incident, terms).fix, stopped_at=incident.fixed_at, service=service, now=now)


def _targets(incident: Incident, terms: IncidentTerms) -> IncidentTargets:
    """Raises invalid when the contract has none for the incident's priority."""
    if incident.priority not in terms:
        promised = ", ".join(sorted(terms)) or "no priority"
        raise OrchestratorError(Kind.INVALID, f"no targets for {incident.priority}; the contract has {promised}")
    return terms[incident.priority]


def _clock(
    incident: Incident, target: timedelta, *, stopped_at: datetime | None, service: Spans, now: datetime
) -> IncidentClock:
    running = _running(incident, service)
    elapsed = total(intersect(running, union([Span(second_of(incident.reported_at), second_of(stopped_at or now))])))
    allowed = target // SECOND
    in_time = Outcome.RUNNING if stopped_at is None else Outcome.IN_TIME
    outcome = Outcome.LATE if elapsed > allowed else in_time
    decided_at = _second_after(running, allowed) if outcome is Outcome.LATE else stopped_at
    return IncidentClock(timedelta(seconds=elapsed), outcome, _reached(running, allowed), decided_at)


def _running(incident: Incident, service: Spans) -> Spans:
    """Service time from the report on, without holds."""
    if not service:
        return ()
    end = service[-1].end
    since = union([Span(second_of(incident.reported_at), end)])
    holds = union(Span(second_of(hold.start), second_of(hold.end) if hold.end else end) for hold in incident.holds)
    return subtract(intersect(service, since), holds)


def _reached(running: Spans, seconds: int) -> datetime | None:
    """When so many seconds have run."""
    for span in running:
        length = span.end - span.start
        if seconds <= length:
            return instant_at(span.start + seconds)
        seconds -= length
    return None


def _second_after(running: Spans, seconds: int) -> datetime | None:
    """When the next second begins to run after so many: hours, days or a month later, where service was over."""
    for span in running:
        length = span.end - span.start
        if seconds < length:
            return instant_at(span.start + seconds)
        seconds -= length
    return None


class CountsRule(Value):
    """How many incidents of a period may be late: a number as long as there are few, from `few` on a percentage, or
    where none is declared as many as the measure's own target allows."""

    few: Annotated[int, Field(ge=1)] = 40
    late_of_few: Annotated[int, Field(ge=0)] = 2
    percent_in_time: Annotated[Decimal, Field(ge=0, le=100)] | None = None

    def met(self, *, incidents: int, late: int) -> bool | None:
        """None when nothing is declared of so many. Raises invalid when more were late than there were."""
        if not 0 <= late <= incidents:
            raise OrchestratorError(Kind.INVALID, f"{late} of {incidents} incidents cannot be late")
        if incidents < self.few:
            return late <= self.late_of_few
        return None if self.percent_in_time is None else (incidents - late) * 100 >= self.percent_in_time * incidents
