"""When probes are due, and until when everything has been read."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.probes.timetable import Timetable
from orchestrator.domain.probing.readings import slot_after
from tests.adapters.probes.conftest import target

START = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_probe_keeps_its_turn_when_others_come_and_go() -> None:
    table, one, two = Timetable(), target("tcp", "x", agency="one"), target("tcp", "x", agency="two")
    table.set([one], now=START)
    turn = table.next_due()
    assert turn == slot_after(one.key, one.every, START)
    table.set([one, two], now=START + SECOND)
    assert table.begin() == (two, START + SECOND), "what has just come is probed at once"
    table.set([one], now=START + 2 * SECOND)
    assert table.next_due() == turn
    table.set([one._replace(every=SECOND)], now=START + 2 * SECOND)
    assert table.next_due() == slot_after(one.key, SECOND, START + 2 * SECOND)


def test_hosts_of_a_service_have_the_same_turns() -> None:
    table, one = Timetable(), target("tcp", "x")
    hosts = [one._replace(host=host, hosts=2) for host in ("h1", "h2")]
    table.set(hosts, now=START)
    assert {table.begin()[0].host for _ in hosts} == {"h1", "h2"}
    turn = slot_after(one.key, one.every, START)
    for host in hosts:
        table.end(host.each, now=turn)
    assert [table.begin()[1] for _ in hosts] == [turn + one.every] * 2


def test_a_probe_that_is_removed_during_its_reading_does_not_come_back() -> None:
    table, one = Timetable(), target("tcp", "x")
    table.set([one], now=START)
    begun, due = table.begin()
    table.set([], now=START)
    table.end(begun.key, now=due)
    assert table.next_due() is None
    assert table.read_until(due) == due


def test_a_new_interval_during_a_reading_adds_no_second_turn() -> None:
    table, one = Timetable(), target("tcp", "x")
    table.set([one], now=START)
    begun, due = table.begin()
    table.set([one._replace(every=2 * one.every)], now=due)
    table.end(begun.key, now=due)
    table.begin()
    assert table.next_due() is None


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=60))
def test_the_mark_never_passes_an_unread_probe(steps: list[tuple[int, bool]]) -> None:
    """Probes begin and end in any order, at any time: the mark never passes one that was not read, and never goes
    back."""
    table, now, running, mark = Timetable(), START, list[tuple[datetime, object]](), START
    table.set([target("tcp", "x", agency=f"a{n}", every=5 + n) for n in range(5)], now=START)
    for seconds, ends in steps:
        now += seconds * SECOND
        if ends and running:
            _, key = running.pop(0)
            table.end(key, now=now)  # type: ignore[arg-type]
        elif (due := table.next_due()) and due <= now:
            begun, due = table.begin()
            running.append((due, begun.key))
        read_until = table.read_until(now)
        assert mark <= read_until <= now
        assert all(read_until <= due for due, _ in running)
        mark = read_until
