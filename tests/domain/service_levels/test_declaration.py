"""The record of a component, from its probes and declarations."""

from datetime import timedelta

import pytest

from orchestrator.domain.calendars.spans import Span, instant_at
from orchestrator.domain.service_levels.declaration import Declaration, service_record
from orchestrator.domain.service_levels.record import Outage, State, Transition

START, GONE, END = 1_000_000, 1_000_600, 1_001_000
WITHIN = Span(START, END)


def part(*changes: tuple[int, State]) -> tuple[Transition, ...]:
    return tuple(Transition(at=instant_at(second), state=state) for second, state in changes)


@pytest.mark.parametrize(
    ("probes", "up"),
    [
        ({"http"}, (Span(START, END),)),  # tcp was removed from the catalog; http continues
        ({"http", "tcp"}, (Span(START, GONE),)),
        (set(), (Span(START, GONE),)),  # nobody probes it any more
    ],
)
def test_a_removed_probe_leaves_no_gap_while_others_continue(probes: set[str], up: tuple[Span, ...]) -> None:
    parts = {"http": part((START, State.UP)), "tcp": part((START, State.UP), (GONE, State.UNKNOWN))}
    assert service_record("desk", parts, (), probes=probes).up(WITHIN) == up


def test_what_a_removed_probe_found_remains() -> None:
    changes = ((START, State.UP), (START + 60, State.DOWN), (START + 120, State.UP), (GONE, State.UNKNOWN))
    parts = {"http": part((START, State.UP)), "tcp": part(*changes)}
    record = service_record("desk", parts, (), probes={"http"})
    assert record.down(WITHIN) == (Span(START + 60, START + 120),)


def test_declarations_are_about_one_component_or_all() -> None:
    outage = Outage(start=instant_at(START), end=instant_at(START) + timedelta(seconds=9), reference="7")
    for component, found in (("desk", 1), (None, 1), ("network", 0)):
        declared = Declaration(id=1, agency="a-one", component=component, why="so", what=outage)
        assert len(service_record("desk", {}, [declared], probes=()).outages) == found
