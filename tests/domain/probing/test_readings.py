"""From readings to transitions: the state, since when, and the effect of silence."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.probing.readings import (
    ProbeKey,
    ProbeTarget,
    Reading,
    Standing,
    StateChange,
    as_of,
    believe,
    heard,
    last_slot,
    silent,
    slot_after,
    together,
    worst,
)
from orchestrator.domain.selling.catalog import ProbeKind
from orchestrator.domain.service_levels.record import State, Transition

UP, DOWN, UNKNOWN = State.UP, State.DOWN, State.UNKNOWN
START = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
EVERY = timedelta(seconds=60)
KEY = ProbeKey("a1", "network", "dns")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def told(*readings: tuple[float, State], until: float | None = None) -> list[tuple[float, State]]:
    """Seconds and states of the transitions that readings make."""
    standing: Standing | None = None
    found: list[StateChange] = []
    for seconds, state in readings:
        standing, changes = heard(standing, Reading(at(seconds), state, state.value), EVERY)
        found += changes
    if until is not None and standing:
        found += silent(standing, EVERY, now=at(until))[1]
    return [((change.at - START).total_seconds(), change.state) for change in found]


@pytest.mark.parametrize(
    ("first", "again", "state", "seconds"),
    [(DOWN, DOWN, DOWN, 0), (DOWN, UP, UP, 2), (DOWN, UNKNOWN, UNKNOWN, 0)],
)
def test_a_failed_probe_is_believed_when_it_fails_again(first: State, again: State, state: State, seconds: int) -> None:
    believed = believe(Reading(at(0), first, "x", 2.0), Reading(at(2), again, "y", 1.0))
    assert (believed.state, believed.at) == (state, at(seconds))


@pytest.mark.parametrize(
    ("readings", "until", "transitions"),
    [
        ([(0, UP), (60, UP), (120, UP)], None, [(0, UP)]),
        ([(0, UP), (60, DOWN), (120, DOWN), (180, UP)], None, [(0, UP), (60, DOWN), (180, UP)]),
        ([(0, UP)], 120, [(0, UP)]),
        ([(0, UP)], 121, [(0, UP), (60, UNKNOWN)]),
        ([(0, DOWN)], 121, [(0, DOWN), (60, UNKNOWN)]),
        ([(0, UP), (120, UP)], None, [(0, UP)]),
        ([(0, UP), (121, UP)], None, [(0, UP), (60, UNKNOWN), (121, UP)]),
        ([(0, UP), (300, DOWN)], None, [(0, UP), (60, UNKNOWN), (300, DOWN)]),
        ([(0, UNKNOWN), (600, UNKNOWN)], 900, [(0, UNKNOWN)]),
        ([(0, UP), (-50, DOWN)], None, [(0, UP), (1, DOWN)]),
    ],
)
def test_readings_become_transitions(
    readings: list[tuple[float, State]], until: float | None, transitions: list[tuple[float, State]]
) -> None:
    assert told(*readings, until=until) == transitions


steps = st.lists(st.tuples(st.floats(-30, 400), st.sampled_from(State)), min_size=1, max_size=30)


@given(steps)
def test_each_transition_has_its_second_and_changes_the_state(given: list[tuple[float, State]]) -> None:
    """Whatever the clock does, the timeline can be stored and has no repetitions."""
    seconds, readings = 0.0, []
    for step, state in given:
        seconds += step
        readings.append((seconds, state))
    transitions = told(*readings)
    seconds_of = [Transition(at=at(s), state=state).at for s, state in transitions]
    assert all(one < other for one, other in pairwise(seconds_of))
    assert all(one[1] is not other[1] for one, other in pairwise(transitions))
    assert transitions[-1][1] is readings[-1][1]


@given(st.lists(st.tuples(st.integers(1, 400), st.sampled_from(State)), min_size=1, max_size=30), st.integers(0, 400))
def test_no_instant_is_up_without_a_reading_that_covers_it(given: list[tuple[int, State]], more: int) -> None:
    """Checked every second: the state is that of the last reading, or unknown if it was too long ago."""
    seconds, readings = 0, []
    for step, state in given:
        seconds += step
        readings.append((seconds, state))
    until = seconds + more
    transitions = told(*readings, until=until)
    for instant in range(readings[0][0], until):
        in_force = [state for since, state in transitions if since <= instant][-1]
        last, state = [reading for reading in readings if reading[0] <= instant][-1]
        following = min((s for s, _ in readings if s > instant), default=until)
        silence = following - last > 2 * 60 and instant >= last + 60
        assert in_force is (UNKNOWN if silence else state)


@pytest.mark.parametrize(
    ("states", "state"),
    [([], UNKNOWN), ([UP], UP), ([UP, UP], UP), ([UP, UNKNOWN], UNKNOWN), ([UP, DOWN], DOWN), ([UNKNOWN, DOWN], DOWN)],
)
def test_a_service_is_up_only_when_all_its_probes_are(states: list[State], state: State) -> None:
    assert worst(states) is state


@given(st.integers(0, 10**7), st.integers(1, 3600))
def test_due_times_are_an_interval_apart(seconds: int, every: int) -> None:
    interval = timedelta(seconds=every)
    slot = slot_after(KEY, interval, at(seconds))
    assert at(seconds) < slot <= at(seconds) + interval
    assert slot_after(KEY, interval, slot) == slot + interval
    assert last_slot(KEY, interval, slot) == slot


def test_due_times_of_many_are_spread_over_the_interval() -> None:
    slots = [slot_after(ProbeKey(f"a{n}", "network", "dns"), EVERY, START) - START for n in range(6000)]
    filled = [sum(timedelta(seconds=s) < slot <= timedelta(seconds=s + 1) for slot in slots) for s in range(60)]
    assert min(filled) > 50
    assert max(filled) < 160


def test_the_state_becomes_unknown_when_the_prober_falls_silent() -> None:
    standing = Standing(UP, at(-600), "", None)
    last = last_slot(KEY, EVERY, at(0))
    for seconds in (10, 60, 119):
        assert as_of(KEY, standing, EVERY, read_until=at(0), now=last + timedelta(seconds=seconds)).state is UP
    late = as_of(KEY, standing, EVERY, read_until=at(0), now=last + timedelta(seconds=121))
    assert (late.state, late.since) == (UNKNOWN, last + EVERY)


def possible(states: list[State], enough: int) -> State:
    """The possible states of the service, over all possible states of the unknown hosts."""
    outcomes = {
        sum(state is UP for state in way) >= enough
        for way in product(*([UP, DOWN] if state is UNKNOWN else [state] for state in states))
    }
    return UNKNOWN if len(outcomes) > 1 else UP if outcomes == {True} else DOWN


@given(st.lists(st.sampled_from(State), min_size=2, max_size=6), st.data())
def test_the_combined_state_of_hosts_holds_whatever_the_unknown_ones_are(
    states: list[State], data: st.DataObject
) -> None:
    enough = data.draw(st.integers(1, len(states)))
    target = ProbeTarget(KEY, ProbeKind.TCP, "s", "x", EVERY, START, host="h0", hosts=len(states), enough=enough)
    latest = {f"h{n}": Reading(at(n), state, f"{n} {state.value}") for n, state in enumerate(states)}
    whole = together(latest, target)
    assert whole is not None
    assert (whole.state, whole.at) == (possible(states, enough), at(len(states) - 1))
    for n, state in enumerate(states):
        assert (f"h{n}: {n} {state.value}" in whole.detail) is (state is not UP), "who is not up is named"
    del latest["h1"]
    assert together(latest, target) is None, "not before each was read"
