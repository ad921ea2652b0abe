"""Recovery time: the first of three users in a row who could work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.recovery.recovery_time import WAITING, StopwatchReading, Watched, Worked, parts


def watch(*attempts: tuple[float, float, bool]) -> Watched:
    watched = Watched()
    for began, ended, worked in attempts:
        watched = watched.after(began=began, ended=ended, worked=worked)
    return watched


def test_recovery_ends_when_the_first_of_three_users_in_a_row_is_served() -> None:
    watched = watch((1, 1.1, False), (2, 2.2, True), (2.5, 2.7, True), (3, 3.1, True))
    assert watched.recovered
    assert watched.first_of_row == 2.2


@pytest.mark.parametrize("pattern", ["", "10", "110110", "0110", "11011"])
def test_fewer_than_three_users_in_a_row_are_no_recovery(pattern: str) -> None:
    assert not watch(*((n, n + 0.1, mark == "1") for n, mark in enumerate(pattern))).recovered


def test_a_failure_in_between_begins_a_new_row() -> None:
    watched = watch((1, 1, True), (2, 2, True), (3, 3, False), (4, 4, True), (5, 5, True), (6, 6, True))
    assert (watched.first_of_row, watched.attempts) == (4, 6)


def test_the_longest_time_without_a_try_is_reported() -> None:
    assert watch((1, 1.5, False), (1.75, 2, False), (9, 9.5, True)).longest_gap == 7


def test_readings_of_two_machines_cannot_be_compared() -> None:
    assert StopwatchReading(boot="a", seconds=9).since(StopwatchReading(boot="a", seconds=4)) == 5
    assert StopwatchReading(boot="b", seconds=9).since(StopwatchReading(boot="a", seconds=4)) is None


def test_the_complaint_of_the_last_user_who_could_not_work_is_reported() -> None:
    watched = Watched().after(began=1, ended=1, worked=False, detail="connection refused")
    assert watched.after(began=2, ended=2, worked=True, detail="ticket 5 opened").complaint == "connection refused"


def test_the_watch_continues_beyond_the_limit_after_a_user_who_could_work_in_time() -> None:
    served = watch((8, 9, True), (10, 11, True))
    assert not served.is_over(11, end=10)
    assert served.is_over(11, end=8.5)
    assert served.after(began=12, ended=12, worked=False).is_over(12, end=10)
    assert watch((8, 9, False)).is_over(11, end=10)


lengths = st.floats(0, 500)


@given(st.lists(st.tuples(lengths, lengths, lengths), min_size=1, max_size=5), st.floats(0, 5), st.booleans())
def test_the_parts_add_up_to_the_recovery_time(
    phases: list[tuple[float, float, float]], early: float, back: bool
) -> None:
    """Each phase begins after a gap, waits for the recovery host, and works. The first began before the disaster."""
    at, worked, done = 100.0, [], {}
    for number, (gap, waited, took) in enumerate(phases):
        began = at - early if number == 0 else at + gap
        at = (at if number == 0 else began) + waited + took
        done[f"phase {number}"] = took
        worked.append((f"phase {number}", Worked(began=read(began), ended=read(at), waited_seconds=waited)))
    found = parts(read(100.0), worked, served=at if back else None)
    assert sum(found.values()) == pytest.approx(at - 100.0, abs=1e-4)
    assert {name: found[name] for name in done} == pytest.approx(done, abs=1e-4)
    waits = sum(gap for gap, _, _ in phases[1:]) + sum(waited for _, waited, _ in phases)
    assert found[WAITING] == pytest.approx(waits, abs=1e-4)


def read(seconds: float) -> StopwatchReading:
    return StopwatchReading(boot="here", seconds=seconds)


def test_the_last_part_ends_when_the_first_user_is_served() -> None:
    probing = Worked(began=read(10), ended=read(30))
    assert parts(read(4), [("verify", probing)], served=12.5) == {"verify": 2.5, WAITING: 6.0}


def test_readings_of_two_stopwatches_give_no_parts() -> None:
    other = Worked(began=read(10), ended=StopwatchReading(boot="there", seconds=30))
    assert parts(read(4), [("pin", other)], served=None) == {}
