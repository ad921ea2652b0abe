"""The record of a service: when it was up and down, what was agreed beforehand, and what was excluded."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import reduce
from itertools import pairwise
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from orchestrator.domain.calendars.spans import Instant, Span, Spans, between, intersect, second_of, subtract, union
from orchestrator.domain.value import Value

Text = Annotated[str, Field(min_length=1, max_length=200)]


class State(StrEnum):
    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"
    """It was not measured, or the measurement cannot be trusted."""


class Transition(Value):
    """The state from `at` until the next transition."""

    at: Instant
    state: State


def _in_order(transitions: tuple[Transition, ...]) -> tuple[Transition, ...]:
    ordered = sorted(set(transitions), key=lambda transition: (transition.at, transition.state))
    for one, other in pairwise(ordered):
        if one.at == other.at:
            raise ValueError(f"has both {one.state.value} and {other.state.value} at {one.at.isoformat()}; keep one")
    return tuple(ordered)


Timeline = Annotated[tuple[Transition, ...], AfterValidator(_in_order)]
"""Transitions, sorted by time. Before the first one, the part did not exist."""


class _Stretch(Value):
    """From `start` to `end`, exclusive."""

    start: Instant
    end: Instant

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"ends at {self.end.isoformat()}, which is not after its start, {self.start.isoformat()}")
        return self

    @property
    def span(self) -> Span:
        return between(self.start, self.end)


class Outage(_Stretch):
    """Downtime that somebody reported because measurements missed it or differ."""

    reference: Text


def in_words(length: timedelta) -> str:
    """A duration truncated to the minute, so that one that is too short does not look long enough."""
    minutes = length // timedelta(minutes=1)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    told = [f"{count} {unit}" for count, unit in ((days, "d"), (hours, "h"), (rest, "min")) if count]
    return " ".join(told) or "0 min"


class Acceptance(Value):
    """The agency's acceptance: by whom, and when."""

    by: Text
    at: Instant


NOT_ACCEPTED = "the agency has not accepted it"


class Maintenance(_Stretch):
    """Planned work from `start` to `end`. `ended_at` is the actual end; None if that was as planned."""

    announced_at: Instant
    acceptance: Acceptance | None = None
    ended_at: Instant | None = None

    def refuse(self, notice: timedelta) -> str | None:
        """Why its time counts as service time, if it does."""
        if self.start - self.announced_at < notice:
            announced = in_words(max(self.start - self.announced_at, timedelta(0)))
            return f"announced {announced} before its start; the contract requires {in_words(notice)}"
        if self.acceptance is None:
            return NOT_ACCEPTED
        if self.acceptance.at > self.start:
            return f"accepted only at {self.acceptance.at.isoformat()}, after its start; past time needs an exclusion"
        return None

    @property
    def over_at(self) -> datetime:
        """The actual end, but not before the planned end."""
        return max(self.ended_at or self.end, self.end)

    @property
    def overrun(self) -> Span:
        """The time beyond its plan; empty if it was over in time."""
        return between(self.end, self.over_at)


class Exclusion(_Stretch):
    """Time that the agency agrees not to count, e.g. because it caused the outage. Without its acceptance, it has no
    effect."""

    why: Text
    acceptance: Acceptance | None = None

    def refuse(self) -> str | None:
        """Why its time counts as service time, if it does."""
        return NOT_ACCEPTED if self.acceptance is None else None


class ServiceRecord(Value):
    """Everything by which a service is judged. The service is up only if all `parts` are."""

    parts: Mapping[str, Timeline] = {}
    outages: tuple[Outage, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()

    def down(self, within: Span) -> Spans:
        """When any part was measured down or an outage was reported, merged."""
        measured = (spans_of(timeline, State.DOWN, within=within) for timeline in self.parts.values())
        return intersect(union(*measured, (outage.span for outage in self.outages)), union([within]))

    def up(self, within: Span) -> Spans:
        """When every part that existed was measured up. Without parts, it was never measured."""
        timelines = [timeline for timeline in self.parts.values() if timeline]
        if not timelines:
            return ()
        begun = [second_of(timeline[0].at) for timeline in timelines]
        measured = [
            union(spans_of(timeline, State.UP, within=within), (Span(within.start, first),))
            for timeline, first in zip(timelines, begun, strict=True)
        ]
        unmeasured = union((Span(within.start, min(begun)),), self.down(within))
        return subtract(intersect(reduce(intersect, measured), union([within])), unmeasured)

    def approved(self, notice: timedelta) -> Spans:
        """The planned time of maintenance that was announced and accepted in time, and accepted exclusions."""
        maintenance = (work.span for work in self._agreed(notice))
        return union(maintenance, (exclusion.span for exclusion in self.exclusions if exclusion.refuse() is None))

    def overrun(self, notice: timedelta) -> Spans:
        """Time that approved maintenance took beyond its plan."""
        return union(work.overrun for work in self._agreed(notice))

    def _agreed(self, notice: timedelta) -> Iterator[Maintenance]:
        return (work for work in self.maintenance if work.refuse(notice) is None)


def state_at(record: ServiceRecord, second: int) -> State:
    """The last state measured before a second, whatever has been declared."""
    moment, measured = Span(second - 1, second), record.model_copy(update={"outages": ()})
    if measured.down(moment):
        return State.DOWN
    return State.UP if measured.up(moment) else State.UNKNOWN


def next_edge(record: ServiceRecord, second: int) -> int | None:
    """The first second, from this one on, at which the record changes. During a declaration, it is this one. None if
    there are no more changes."""
    measured = (second_of(transition.at) for timeline in record.parts.values() for transition in timeline)
    declared = [
        *(outage.span for outage in record.outages),
        *(between(work.start, work.over_at) for work in record.maintenance),
        *(exclusion.span for exclusion in record.exclusions),
    ]
    edges = [*measured, *(max(span.start, second) for span in declared if span.end > second)]
    return min((edge for edge in edges if edge >= second), default=None)


def known_until(timeline: Timeline, at: datetime) -> Timeline:
    """The timeline with unknown from an instant on, since when nobody has measured."""
    return (*(t for t in timeline if t.at < at), Transition(at=at, state=State.UNKNOWN))


def without_end(timeline: Timeline) -> Timeline:
    """The timeline of a removed part without its final unknown: like the time before it began, the time after its end
    does not count."""
    if not timeline or timeline[-1].state is not State.UNKNOWN:
        return timeline
    return (*timeline[:-1], Transition(at=timeline[-1].at, state=State.UP))


def spans_of(timeline: Timeline, state: State, *, within: Span) -> Spans:
    """When the timeline has this state. The last transition holds until the end of `within`."""
    starts = [second_of(transition.at) for transition in timeline]
    ends = [*starts[1:], within.end]
    spans = (
        Span(start, end)
        for transition, start, end in zip(timeline, starts, ends, strict=False)
        if transition.state is state
    )
    return intersect(union(spans), union([within]))
