"""Recovery time: the first of three users in a row who could work."""

import pytest

from orchestrator.domain.recovery_time import Reading, Watched


def watch(*attempts: tuple[float, float, bool]) -> Watched:
    watched = Watched()
    for began, ended, worked in attempts:
        watched = watched.after(began=began, ended=ended, worked=worked)
    return watched


def test_is_when_the_first_of_three_in_a_row_was_served() -> None:
    watched = watch((1, 1.1, False), (2, 2.2, True), (2.5, 2.7, True), (3, 3.1, True))
    assert watched.recovered
    assert watched.first_of_row == 2.2


@pytest.mark.parametrize("pattern", ["", "10", "110110", "0110", "11011"])
def test_is_not_reached_by_fewer(pattern: str) -> None:
    assert not watch(*((n, n + 0.1, mark == "1") for n, mark in enumerate(pattern))).recovered


def test_a_failure_in_between_begins_a_new_row() -> None:
    watched = watch((1, 1, True), (2, 2, True), (3, 3, False), (4, 4, True), (5, 5, True), (6, 6, True))
    assert (watched.first_of_row, watched.attempts) == (4, 6)


def test_tells_how_long_nobody_tried() -> None:
    assert watch((1, 1.5, False), (1.75, 2, False), (9, 9.5, True)).longest_gap == 7


def test_readings_of_two_machines_do_not_compare() -> None:
    assert Reading(boot="a", seconds=9).since(Reading(boot="a", seconds=4)) == 5
    assert Reading(boot="b", seconds=9).since(Reading(boot="a", seconds=4)) is None
