"""Spans compared with plain sets of seconds."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

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

seconds = st.integers(-20, 60)
raw = st.lists(st.builds(Span, seconds, seconds), max_size=8)
sets = raw.map(union)


def members(spans: Spans | list[Span]) -> set[int]:
    return {second for start, end in spans for second in range(start, end)}


def one_spelling(spans: Spans) -> bool:
    return all(s.start < s.end for s in spans) and all(a.end < b.start for a, b in pairwise(spans))


class TestSpans:
    @given(raw, raw)
    def test_are_joined(self, one: list[Span], other: list[Span]) -> None:
        joined = union(one, other)
        assert members(joined) == members(one) | members(other)
        assert one_spelling(joined)

    @given(sets, sets)
    def test_are_intersected(self, one: Spans, other: Spans) -> None:
        assert members(intersect(one, other)) == members(one) & members(other)
        assert one_spelling(intersect(one, other))

    @given(sets, sets)
    def test_are_subtracted_from_each_other(self, one: Spans, other: Spans) -> None:
        assert members(subtract(one, other)) == members(one) - members(other)
        assert one_spelling(subtract(one, other))

    @given(sets)
    def test_are_added_up_in_seconds(self, spans: Spans) -> None:
        assert total(spans) == len(members(spans))

    def test_touch_without_overlapping(self) -> None:
        assert intersect((Span(0, 5),), (Span(5, 9),)) == ()
        assert union([Span(5, 9), Span(0, 5)]) == (Span(0, 9),)


class TestAnInstant:
    @given(st.integers(0, 4_000_000_000))
    def test_is_converted_to_its_second_and_back(self, second: int) -> None:
        assert second_of(instant_at(second)) == second == int(instant_at(second).timestamp())

    def test_is_kept_in_utc_and_cut_to_its_second(self) -> None:
        summer = timezone(timedelta(hours=1))
        kept = TypeAdapter(Instant).validate_python(datetime(2026, 4, 9, 17, 30, 5, 999_999, tzinfo=summer))
        assert (kept, kept.tzinfo) == (datetime(2026, 4, 9, 16, 30, 5, tzinfo=UTC), UTC)

    def test_needs_an_offset(self) -> None:
        with pytest.raises(ValidationError, match="must have an offset from UTC, such as 2026-04-09T17:30:00"):
            TypeAdapter(Instant).validate_python("2026-04-09T17:30:00")
