"""The clock of an incident: it runs only in service time, and stands still while waiting for the customer."""

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
    """A wait for the customer. Without an end, it still lasts."""

    start: Instant
    end: Instant | None = None

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.end is not None and self.end < self.start:
            raise ValueError(f"ends at {self.end.isoformat()}, before its start at {self.start.isoformat()}")
        return self


class Incident(Value):
    """An incident as the service desk recorded it. None means that it has not happened yet."""

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
        """The incident as known at an instant after the report, without later entries."""
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
    """Not stopped yet, with time left."""


class IncidentClock(NamedTuple):
    """`elapsed` is service time. `due_at` is when the target is reached without further holds; None if that is beyond
    the given service hours, or during a hold.

    `decided_at` is when it was decided: when it was stopped in time, or at the first second of service time beyond the
    target. It does not depend on when the clock is read; None while it runs.
    """

    elapsed: timedelta
    outcome: Outcome
    due_at: datetime | None
    decided_at: datetime | None


def response_clock(incident: Incident, terms: IncidentTerms, *, service: Spans, now: datetime) -> IncidentClock:
    """The clock until the response. `service`: the service hours from the report at least until now; later hours are
    used for `due_at`. A fix counts as a response."""
    target = _targets(incident, terms).response
    stops = (at for at in (incident.responded_at, incident.fixed_at) if at is not None)
    return _clock(incident, target, stopped_at=min(stops, default=None), service=service, now=now)


def fix_clock(incident: Incident, terms: IncidentTerms, *, service: Spans, now: datetime) -> IncidentClock:
    """The clock until the fix. See `response_clock`."""
    return _clock(incident, _targets(incident, terms).fix, stopped_at=incident.fixed_at, service=service, now=now)


def _targets(incident: Incident, terms: IncidentTerms) -> IncidentTargets:
    """The targets. Raises INVALID if the contract has none for the incident's priority."""
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
    """Service time since the report, without holds."""
    if not service:
        return ()
    end = service[-1].end
    since = union([Span(second_of(incident.reported_at), end)])
    holds = union(Span(second_of(hold.start), second_of(hold.end) if hold.end else end) for hold in incident.holds)
    return subtract(intersect(service, since), holds)


def _reached(running: Spans, seconds: int) -> datetime | None:
    """When this many seconds have elapsed."""
    for span in running:
        length = span.end - span.start
        if seconds <= length:
            return instant_at(span.start + seconds)
        seconds -= length
    return None


def _second_after(running: Spans, seconds: int) -> datetime | None:
    """When the next second starts after this many: hours, days or a month later, if service hours were over."""
    for span in running:
        length = span.end - span.start
        if seconds < length:
            return instant_at(span.start + seconds)
        seconds -= length
    return None


class CountsRule(Value):
    """How many incidents of a period may be late: a number while there are few, and from `few` on a percentage or, if
    none is declared, as many as the measure's own target allows."""

    few: Annotated[int, Field(ge=1)] = 40
    late_of_few: Annotated[int, Field(ge=0)] = 2
    percent_in_time: Annotated[Decimal, Field(ge=0, le=100)] | None = None

    def met(self, *, incidents: int, late: int) -> bool | None:
        """Whether the rule is met; None if it does not cover this number. Raises INVALID if more were late than there
        were."""
        if not 0 <= late <= incidents:
            raise OrchestratorError(Kind.INVALID, f"{late} of {incidents} incidents cannot be late")
        if incidents < self.few:
            return late <= self.late_of_few
        return None if self.percent_in_time is None else (incidents - late) * 100 >= self.percent_in_time * incidents
