"""What is on record about a service: when it was up and down, what was agreed beforehand, and what was forgiven."""

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
    """Nobody measured, or what measured cannot be trusted."""


class Transition(Value):
    """From `at` on, until the next transition, this is the state."""

    at: Instant
    state: State


def _in_order(transitions: tuple[Transition, ...]) -> tuple[Transition, ...]:
    ordered = sorted(set(transitions), key=lambda transition: (transition.at, transition.state))
    for one, other in pairwise(ordered):
        if one.at == other.at:
            raise ValueError(f"says both {one.state.value} and {other.state.value} at {one.at.isoformat()}; keep one")
    return tuple(ordered)


Timeline = Annotated[tuple[Transition, ...], AfterValidator(_in_order)]
"""Transitions in order of time, however they were given. Before the first one there was no such part."""


class _Stretch(Value):
    """From `start` to `end`, which is not included."""

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
    """Time in which the service was down that somebody reported: nothing measured it, or it measured otherwise."""

    reference: Text


def in_words(length: timedelta) -> str:
    """To the minute, which is cut off: what was too short does not read as long enough."""
    minutes = length // timedelta(minutes=1)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    told = [f"{count} {unit}" for count, unit in ((days, "d"), (hours, "h"), (rest, "min")) if count]
    return " ".join(told) or "0 min"


class Acceptance(Value):
    """The agency's word: who gave it, and when."""

    by: Text
    at: Instant


NOT_ACCEPTED = "the agency has not accepted it"


class Maintenance(_Stretch):
    """Planned work from `start` to `end`. `ended_at` is when it was over in fact; None where that was as planned."""

    announced_at: Instant
    acceptance: Acceptance | None = None
    ended_at: Instant | None = None

    def refuse(self, notice: timedelta) -> str | None:
        """Why its time counts as service time, if it does."""
        if self.start - self.announced_at < notice:
            announced = in_words(max(self.start - self.announced_at, timedelta(0)))
            return f"announced {announced} before its start; the contract says {in_words(notice)}"
        if self.acceptance is None:
            return NOT_ACCEPTED
        if self.acceptance.at > self.start:
            return (
                f"accepted only at {self.acceptance.at.isoformat()}, after its start; what is past takes an exclusion"
            )
        return None

    @property
    def over_at(self) -> datetime:
        """When it was over in fact, and not before its planned end."""
        return max(self.ended_at or self.end, self.end)

    @property
    def overrun(self) -> Span:
        """Empty when it was over in time."""
        return between(self.end, self.over_at)


class Exclusion(_Stretch):
    """Time the agency lets pass, e.g. as it caused the outage itself. Without its acceptance it changes nothing."""

    why: Text
    acceptance: Acceptance | None = None

    def refuse(self) -> str | None:
        """Why its time counts as service time, if it does."""
        return NOT_ACCEPTED if self.acceptance is None else None


class ServiceRecord(Value):
    """All there is to judge a service on. Every one of `parts` has to be up for the service to be."""

    parts: Mapping[str, Timeline] = {}
    outages: tuple[Outage, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()

    def down(self, within: Span) -> Spans:
        """When any part was measured down, or an outage was reported. Overlapping ones are one."""
        measured = (spans_of(timeline, State.DOWN, within=within) for timeline in self.parts.values())
        return intersect(union(*measured, (outage.span for outage in self.outages)), union([within]))

    def up(self, within: Span) -> Spans:
        """When every part there was by then was measured up. What has no parts was never measured."""
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
        """Maintenance as planned, where it was announced and accepted in time, and accepted exclusions."""
        maintenance = (work.span for work in self._agreed(notice))
        return union(maintenance, (exclusion.span for exclusion in self.exclusions if exclusion.refuse() is None))

    def overrun(self, notice: timedelta) -> Spans:
        """Time that approved maintenance took beyond its plan."""
        return union(work.overrun for work in self._agreed(notice))

    def _agreed(self, notice: timedelta) -> Iterator[Maintenance]:
        return (work for work in self.maintenance if work.refuse(notice) is None)


def state_at(record: ServiceRecord, second: int) -> State:
    """The last that was measured before a second."""
    moment = Span(second - 1, second)
    if record.model_copy(update={"outages": ()}).down(moment):
        return State.DOWN
    return State.UP if record.up(moment) else State.UNKNOWN


def next_edge(record: ServiceRecord, second: int) -> int | None:
    """The first second, this or a later one, from which on the record says something new. While something that was
    declared goes on, that is this one. None when the record has come to its end."""
    measured = (second_of(transition.at) for timeline in record.parts.values() for transition in timeline)
    declared = [
        *(outage.span for outage in record.outages),
        *(between(work.start, work.over_at) for work in record.maintenance),
        *(exclusion.span for exclusion in record.exclusions),
    ]
    edges = [*measured, *(max(span.start, second) for span in declared if span.end > second)]
    return min((edge for edge in edges if edge >= second), default=None)


def known_until(timeline: Timeline, at: datetime) -> Timeline:
    """Unknown from an instant on: nobody has measured since."""
    return (*(t for t in timeline if t.at < at), Transition(at=at, state=State.UNKNOWN))


def without_end(timeline: Timeline) -> Timeline:
    """Of a part that is no more: as it asks nothing of the time before it began, so of the time after it ended, which
    it does by being unknown."""
    if not timeline or timeline[-1].state is not State.UNKNOWN:
        return timeline
    return (*timeline[:-1], Transition(at=timeline[-1].at, state=State.UP))


def spans_of(timeline: Timeline, state: State, *, within: Span) -> Spans:
    """When the timeline says so. The last transition holds until the end of `within`."""
    starts = [second_of(transition.at) for transition in timeline]
    ends = [*starts[1:], within.end]
    spans = (
        Span(start, end)
        for transition, start, end in zip(timeline, starts, ends, strict=False)
        if transition.state is state
    )
    return intersect(union(spans), union([within]))
