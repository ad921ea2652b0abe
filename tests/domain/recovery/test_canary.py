"""Canaries: what a restored copy lost, by a ledger that is not restored."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.recovery.canary import Canary, RecoveredRecords, compare, exposures, next_canary
from orchestrator.domain.recovery.recovery_time import Stamp, StopwatchReading

KEY = b"k" * 32
START = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


def ledger(count: int, *, unacknowledged: frozenset[int] = frozenset()) -> list[Canary]:
    """A record every ten seconds, acknowledged a second later."""
    records: list[Canary] = []
    for number in range(1, count + 1):
        sent = START + timedelta(seconds=10 * number)
        canary = next_canary(KEY, records[-1] if records else None, at=sent)
        told = None if number in unacknowledged else sent + timedelta(seconds=1)
        records.append(canary.model_copy(update={"acknowledged_at": told}))
    return records


def after(records: list[Canary], found: list[str], *, seconds: float) -> RecoveredRecords:
    return compare(records, found, disaster=Stamp(at=START + timedelta(seconds=seconds)))


def texts(records: list[Canary], *numbers: int) -> list[str]:
    return [records[n - 1].text for n in numbers]


def test_the_last_record_that_came_back_is_the_recovery_point() -> None:
    records = ledger(10)
    found = after(records, texts(records, 1, 2, 3, 4, 5), seconds=85)
    assert (found.acknowledged, found.recovered, found.lost) == (8, 5, 3)
    assert found.rpo_seconds == 85 - 51
    assert found.intact
    assert found.after_disaster == ()


def test_a_missing_record_is_a_hole_and_records_after_it_do_not_count() -> None:
    records = ledger(6)
    found = after(records, texts(records, 1, 2, 4, 5), seconds=65)
    assert (found.recovered, found.lost, found.holes) == (2, 4, (3,))
    assert not found.intact


def test_a_record_that_was_never_acknowledged_may_be_missing_or_present() -> None:
    records = ledger(5, unacknowledged=frozenset({3}))
    for numbers in ((1, 2, 4, 5), (1, 2, 3, 4, 5)):
        found = after(records, texts(records, *numbers), seconds=60)
        assert (found.recovered, found.lost, found.holes, found.intact) == (5, 0, (), True)


def test_records_in_another_order_are_not_intact() -> None:
    records = ledger(4)
    assert not after(records, texts(records, 1, 3, 2, 4), seconds=50).in_order


def test_a_changed_record_is_named_and_does_not_count() -> None:
    records = ledger(4)
    forged = [*texts(records, 1, 2), f"canary 3 {'0' * 64}", *texts(records, 4)]
    found = after(records, forged, seconds=50)
    assert (found.forged, found.recovered) == ((3,), 2)


def test_a_record_from_after_the_disaster_is_named_even_if_the_ledger_does_not_have_it_yet() -> None:
    records = ledger(5)
    assert after(records, texts(records, 1, 2, 3, 4), seconds=35).after_disaster == (4,)
    newer = next_canary(KEY, records[-1], at=START)
    assert after(records, [*texts(records, 1, 2), newer.text], seconds=35).after_disaster == (6,)


def test_without_any_record_there_is_no_recovery_point_rather_than_zero() -> None:
    found = after(ledger(3), ["a reply of somebody", "canary of a mine"], seconds=60)
    assert (found.recovered, found.lost, found.rpo_seconds) == (0, 3, None)


@given(st.sets(st.integers(1, 12)), st.floats(min_value=0, max_value=150))
def test_no_copy_recovers_more_than_it_holds_or_than_was_acknowledged(numbers: set[int], seconds: float) -> None:
    records = ledger(12)
    found = after(records, texts(records, *sorted(numbers)), seconds=seconds)
    assert all(n in numbers for n in range(1, found.recovered + 1))
    assert found.recovered + found.lost == found.acknowledged
    assert set(found.holes).isdisjoint(numbers)
    assert (found.rpo_seconds is None) == (found.recovered == 0)


READINGS = st.lists(st.floats(0, 3_000), min_size=2, max_size=12, unique=True).map(sorted)


@given(READINGS, st.floats(-7_200, 7_200), st.integers(0, 11), st.data())
def test_setting_the_clock_in_between_changes_no_result(
    moments: list[float], jump: float, before: int, data: st.DataObject
) -> None:
    """Records and then the disaster, in true seconds; before one of them, somebody sets the clock. What was lost, and
    how old it is, still follows from the true seconds."""
    set_at, restored = before % len(moments), data.draw(st.integers(1, len(moments) - 1))
    wall = [START + timedelta(seconds=at + (jump if n >= set_at else 0.0)) for n, at in enumerate(moments)]
    stamps = [
        Stamp(at=at, reading=StopwatchReading(boot="here", seconds=true))
        for at, true in zip(wall, moments, strict=True)
    ]
    records: list[Canary] = []
    for stamp in stamps[:-1]:
        canary = next_canary(KEY, records[-1] if records else None, at=stamp.at)
        records.append(canary.model_copy(update={"acknowledged_at": stamp.at, "reading": stamp.reading}))
    found = compare(records, texts(records, *range(1, restored + 1)), disaster=stamps[-1])
    assert found.rpo_seconds == pytest.approx(moments[-1] - moments[restored - 1], abs=0.06)
    was_set = jump if set_at > restored - 1 else 0.0
    assert found.clock_set_seconds == pytest.approx(was_set, abs=1e-3)
    if abs(jump) > 0.06 or jump == 0:
        assert (found.acknowledged, found.lost) == (len(records), len(records) - restored)
        assert found.after_disaster == ()


class TestAClockThatWasSet:
    """After a reboot or on another machine, the stopwatch is useless; the recovery host's clock is used."""

    def stamp(self, seconds: float, *, boot: str = "one", ahead: float | None = None) -> Stamp:
        reading = StopwatchReading(boot=boot, seconds=seconds)
        return Stamp(at=START + timedelta(seconds=seconds), reading=reading, host_offset_seconds=ahead)

    def test_is_detected_by_the_clock_of_the_recovery_host(self) -> None:
        earlier, later = self.stamp(0, ahead=0.2), self.stamp(60, boot="two", ahead=90.3)
        assert later.set_since(earlier) == pytest.approx(-90.1)
        assert later.place(earlier, earlier.at) == earlier.at, "which of the two was set, nobody knows"

    def test_is_not_detected_if_the_clocks_were_not_compared(self) -> None:
        assert self.stamp(60, boot="two").set_since(self.stamp(0, ahead=0.2)) is None
        assert Stamp(at=START).set_since(self.stamp(0)) is None

    def test_is_judged_by_the_stopwatch_first(self) -> None:
        assert self.stamp(60, ahead=90.0).set_since(self.stamp(0, ahead=0.0)) == 0


class TestExposure:
    def test_reaches_from_the_start_of_a_backup_to_the_end_of_the_next(self) -> None:
        """With nightly backups that run from one to three, it is 26 hours, not 24."""
        night = (START.replace(hour=1), START.replace(hour=3))
        nights = [(a + timedelta(days=n), b + timedelta(days=n)) for n in range(2) for a, b in [night]]
        found = exposures(nights, now=START.replace(hour=4) + timedelta(days=1))
        assert [e.total_seconds() / 3600 for e in found] == [26, 3]

    def test_grows_while_no_backup_comes(self) -> None:
        assert exposures([(START, START)], now=START + timedelta(days=9)) == (timedelta(days=9),)

    def test_is_not_known_before_the_first_backup(self) -> None:
        assert exposures([], now=START) == ()
