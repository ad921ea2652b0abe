"""For any snapshot, our output parses like that of prometheus_client, with its parsers for both formats."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from orchestrator.adapters.exposition.detail import DETAIL
from orchestrator.adapters.exposition.families import Family
from orchestrator.adapters.exposition.rendering import SLICE, Renderer
from orchestrator.domain.ordering.instance import InstanceState
from orchestrator.domain.runs.run import RunState
from orchestrator.domain.service_levels.record import State
from orchestrator.ports.figures import BOUNDS, Histogram, ProbingFigures, RecoveryFigures, ServiceLevelFigures, Snapshot
from tests.adapters.exposition.reference import rendered
from tests.adapters.exposition.snapshots import snapshot as whole

words = st.text(st.sampled_from('a9-é "\\\n\r\0{},=#'), max_size=6)
numbers = st.floats(allow_nan=True, allow_infinity=True)
totals = st.floats(min_value=0, allow_infinity=False)
counts = st.integers(min_value=0, max_value=10**9)


def labels_of(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[:-1]


def agency_labels(row: tuple[str, str, str, str]) -> tuple[str, ...]:
    return row[0], row[2], row[3]


def rows(*labels: st.SearchStrategy[str], value: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Rows of a family, each label set once."""
    return st.lists(st.tuples(*labels, value), max_size=4, unique_by=labels_of)


@st.composite
def histograms(draw: st.DrawFn, labels: int) -> list[Histogram]:
    made = []
    for *values, least in draw(rows(*[words] * labels, value=st.lists(counts, min_size=13, max_size=13).map(sorted))):
        *at_most, count = least
        made.append(Histogram(labels=tuple(values), at_most=tuple(at_most), count=count, total_seconds=draw(totals)))
    return made


gauge, total = rows(words, words, value=numbers), rows(words, words, value=totals)
snapshots = st.builds(
    Snapshot,
    agencies=st.lists(st.tuples(words, words, words, words), max_size=4, unique_by=agency_labels),
    services=rows(words, words, value=st.sampled_from(InstanceState)),
    runs=rows(words, st.sampled_from([state.value for state in RunState]), value=counts),
    run_durations=histograms(2),
    step_durations=histograms(3),
    onboarding_durations=histograms(1),
    drift=gauge,
    work_orders=rows(words, words, words, value=counts),
    recovery=st.builds(
        RecoveryFigures,
        drills=rows(words, words, words, value=counts),
        **dict.fromkeys(RecoveryFigures._fields[1:], gauge),
    ),
    probing=st.builds(
        ProbingFigures,
        up=gauge,
        readings=st.dictionaries(st.sampled_from(State), counts),
        late_seconds=st.none() | numbers,
    ),
    service_levels=st.builds(
        ServiceLevelFigures,
        **dict.fromkeys(ServiceLevelFigures._fields, gauge)
        | {"eligible_seconds": total, "bad_seconds": total},
    ),
)  # fmt: skip


def text_of(snapshot: Snapshot, *, openmetrics: bool) -> str:
    return b"".join(Renderer(DETAIL).render(snapshot, openmetrics=openmetrics)).decode()


def meaning(text: str, *, openmetrics: bool) -> dict[str, tuple[str, str, list[tuple[str, dict[str, str], str]]]]:
    """Family -> its type, its help, and its samples in order. Values as text, for NaN is not equal to itself."""
    parse = parse_openmetrics if openmetrics else parse_text
    return {
        family.name: (
            family.type,
            family.documentation,
            [(s.name, s.labels, "NaN" if math.isnan(s.value) else repr(s.value)) for s in family.samples],
        )
        for family in parse(text)
    }


@pytest.mark.slow
@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "openmetrics"])
class TestBothFormats:
    @settings(max_examples=40)
    @given(snapshot=snapshots)
    def test_mean_the_same_as_the_output_of_prometheus_client(self, openmetrics: bool, snapshot: Snapshot) -> None:
        ours = meaning(text_of(snapshot, openmetrics=openmetrics), openmetrics=openmetrics)
        theirs = meaning(rendered(snapshot, as_openmetrics=openmetrics).decode(), openmetrics=openmetrics)
        assert ours == theirs

    def test_mean_the_same_over_many_slices(self, openmetrics: bool) -> None:
        snapshot = whole(SLICE // 2)
        ours = meaning(text_of(snapshot, openmetrics=openmetrics), openmetrics=openmetrics)
        assert ours == meaning(rendered(snapshot, as_openmetrics=openmetrics).decode(), openmetrics=openmetrics)

    @settings(max_examples=40)
    @given(before=snapshots, after=snapshots)
    def test_are_right_from_a_renderer_that_was_used_before(
        self, openmetrics: bool, before: Snapshot, after: Snapshot
    ) -> None:
        renderer = Renderer(DETAIL)
        list(renderer.render(before, openmetrics=openmetrics))
        again = b"".join(renderer.render(after, openmetrics=openmetrics)).decode()
        assert meaning(again, openmetrics=openmetrics) == meaning(
            text_of(after, openmetrics=openmetrics), openmetrics=openmetrics
        )


def test_a_renderer_keeps_nothing_of_slices_that_are_gone() -> None:
    renderer = Renderer(DETAIL)
    for agencies in (SLICE, 1):
        [*_] = renderer.render(whole(agencies), openmetrics=False)
    assert len(renderer._kept) <= len(DETAIL)


def test_unchanged_slices_are_not_rendered_again() -> None:
    renderer, snapshot = Renderer(DETAIL), whole(SLICE)
    first = list(renderer.render(snapshot, openmetrics=False))
    same = list(renderer.render(whole(SLICE), openmetrics=True))
    heads = sum(1 for part in first if part.startswith(b"#"))
    assert sum(part is other for part, other in zip(first, same, strict=False)) == len(first) - heads


def test_a_slice_stays_small_however_many_there_are() -> None:
    for agencies in (SLICE, 4 * SLICE):
        assert max(len(part) for part in Renderer(DETAIL).render(whole(agencies), openmetrics=False)) < 500_000


def test_huge_figures_stay_numbers_although_their_sum_overflows() -> None:
    family = Family("orchestrator_huge", "gauge", "Huge.", ("agency",), lambda s: [("a", 1.7e308), ("b", 1.7e308)])
    text = b"".join(Renderer([family]).render(whole(0), openmetrics=False)).decode()
    assert text.endswith('huge{agency="a"} 1.7e+308\norchestrator_huge{agency="b"} 1.7e+308\n')


def test_buckets_are_those_of_the_contract() -> None:
    text = text_of(whole(1), openmetrics=True)
    assert [f'le="{bound}"' in text for bound in BOUNDS] == [True] * len(BOUNDS)
    assert text.endswith("\n# EOF\n")
