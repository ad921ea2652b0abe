"""Sets of instants as spans of whole seconds, or of another unit: union, intersection, difference and total."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

from orchestrator.domain.calendars.local_time import SECOND

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Span(NamedTuple):
    """Seconds since 1970 in UTC, or another unit where stated. `end` is exclusive."""

    start: int
    end: int


Spans = tuple[Span, ...]
"""Ordered, none empty, with gaps in between: each set of instants has exactly one representation."""


def _whole_second(at: datetime) -> datetime:
    if at.utcoffset() is None:
        raise ValueError("must have an offset from UTC, such as 2026-04-09T17:30:00+01:00")
    return at.astimezone(UTC).replace(microsecond=0)


Instant = Annotated[datetime, AfterValidator(_whole_second)]
"""A time with an offset, converted to UTC and truncated to the second."""


def second_of(at: datetime) -> int:
    """The second since 1970 in which an instant falls. `at` has an offset."""
    return (at - EPOCH) // SECOND


def instant_at(second: int) -> datetime:
    """The UTC instant at which a second since 1970 begins."""
    return EPOCH + second * SECOND


def between(start: datetime, end: datetime) -> Span:
    """The seconds from one instant to another, both with an offset."""
    return Span(second_of(start), second_of(end))


def union(*sets: Iterable[Span]) -> Spans:
    """What is in any of the sets, in any order and with any overlaps. Empty and reversed spans count as nothing."""
    found: list[Span] = []
    for start, end in sorted(span for spans in sets for span in spans if span.start < span.end):
        if found and start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, end))
        else:
            found.append(Span(start, end))
    return tuple(found)


def intersect(one: Spans, other: Spans) -> Spans:
    """What is in both."""
    found = []
    mine, others = 0, 0
    while mine < len(one) and others < len(other):
        a, b = one[mine], other[others]
        start, end = max(a.start, b.start), min(a.end, b.end)
        if start < end:
            found.append(Span(start, end))
        if a.end <= b.end:
            mine += 1
        else:
            others += 1
    return tuple(found)


def subtract(spans: Spans, holes: Spans) -> Spans:
    """What is in `spans` and not in `holes`."""
    if not spans:
        return ()
    edges = [spans[0].start, *(edge for hole in holes for edge in hole), spans[-1].end]
    rest = union(Span(edges[n], edges[n + 1]) for n in range(0, len(edges), 2))
    return intersect(spans, rest)


def total(spans: Spans) -> int:
    """The total in seconds, or in the unit of the spans."""
    return sum(span.end - span.start for span in spans)
