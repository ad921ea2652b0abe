"""The record of a component, from its probes and declarations."""

from datetime import timedelta

import pytest

from orchestrator.domain.calendars.spans import Span, instant_at
from orchestrator.domain.service_levels.declaration import Declaration, service_record
from orchestrator.domain.service_levels.record import (
    Exclusion,
    Maintenance,
    Outage,
    State,
    Transition,
    without_end,
)

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


STRETCH = {"start": instant_at(START), "end": instant_at(START) + timedelta(seconds=9)}
DECLARED = (
    Outage(**STRETCH, reference="7"),
    Maintenance(**STRETCH, announced_at=instant_at(START)),
    Exclusion(**STRETCH, why="a fire"),
)


@pytest.mark.parametrize("component", ["desk", None, "network"])
def test_declarations_are_about_one_component_or_all(component: str | None) -> None:
    declared = [Declaration(id=1, agency="a-one", component=component, why="so", what=what) for what in DECLARED]
    found = service_record("desk", {}, declared, probes=())
    kept = (*found.outages, *found.maintenance, *found.exclusions)
    assert kept == (() if component == "network" else DECLARED)


def test_a_timeline_ends_as_it_was_before_nobody_asked_any_more() -> None:
    assert without_end(()) == ()
    assert without_end(part((START, State.DOWN))) == part((START, State.DOWN))
    began_unknown = part((START, State.UNKNOWN), (START + 60, State.DOWN))
    assert without_end(began_unknown) == began_unknown
    ended = part((START, State.DOWN), (GONE, State.UNKNOWN))
    assert without_end(ended) == part((START, State.DOWN), (GONE, State.UP))
