"""Canaries: what a restored copy lost, against a ledger nobody can restore."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.canary import Canary, RecoveredRecords, compare, exposures, next_canary

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
    return compare(records, found, disaster=START + timedelta(seconds=seconds))


def texts(records: list[Canary], *numbers: int) -> list[str]:
    return [records[n - 1].text for n in numbers]


def test_what_came_back_up_to_the_last_record_is_the_recovery_point() -> None:
    records = ledger(10)
    found = after(records, texts(records, 1, 2, 3, 4, 5), seconds=85)
    assert (found.acknowledged, found.recovered, found.lost) == (8, 5, 3)
    assert found.rpo_seconds == 85 - 51
    assert found.intact
    assert found.after_disaster == ()


def test_a_missing_record_is_a_hole_and_what_follows_it_does_not_count() -> None:
    records = ledger(6)
    found = after(records, texts(records, 1, 2, 4, 5), seconds=65)
    assert (found.recovered, found.lost, found.holes) == (2, 4, (3,))
    assert not found.intact


def test_a_record_that_was_never_acknowledged_may_be_missing_or_there() -> None:
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


def test_a_record_from_after_the_disaster_is_named_even_when_the_ledger_does_not_know_it_yet() -> None:
    records = ledger(5)
    assert after(records, texts(records, 1, 2, 3, 4), seconds=35).after_disaster == (4,)
    newer = next_canary(KEY, records[-1], at=START)
    assert after(records, [*texts(records, 1, 2), newer.text], seconds=35).after_disaster == (6,)


def test_nothing_that_came_back_is_no_recovery_point_and_not_zero() -> None:
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


class TestExposure:
    def test_reaches_from_the_start_of_a_backup_to_the_end_of_the_next(self) -> None:
        """The lesson of nightly backups from one to three: 26 hours, not 24."""
        night = (START.replace(hour=1), START.replace(hour=3))
        nights = [(a + timedelta(days=n), b + timedelta(days=n)) for n in range(2) for a, b in [night]]
        found = exposures(nights, now=START.replace(hour=4) + timedelta(days=1))
        assert [e.total_seconds() / 3600 for e in found] == [26, 3]

    def test_grows_while_no_backup_comes(self) -> None:
        assert exposures([(START, START)], now=START + timedelta(days=9)) == (timedelta(days=9),)
