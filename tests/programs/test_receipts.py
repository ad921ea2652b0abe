"""Which backups retention forgets, whoever writes them: the programs of the recovery host, without a host."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.programs.test_recovery_host import load

receipts = load("receipts")
NOW = datetime(2026, 11, 29, 3, 30, tzinfo=UTC)
DAILY, WEEKLY = 14, 8


def backup(name: str, *, days: float, claimed: datetime | None = None, host: str = "desk1", tag: str = "desk") -> Any:
    """One that came so many days ago."""
    at = NOW - timedelta(days=days)
    return receipts.Backup(id=name, host=host, tags=(tag,), claimed=claimed or at, received=at)


def daily(count: int) -> list[Any]:
    """A backup each night, the first one just now."""
    return [backup(f"night {n}", days=n) for n in range(count)]


def forgotten(*found: Any) -> set[str]:
    told: set[str] = receipts.to_forget(found, daily=DAILY, weekly=WEEKLY, now=NOW)
    return told


class TestRetention:
    def test_keeps_the_last_of_the_newest_days_and_weeks(self) -> None:
        kept = {one.id for one in daily(100)} - forgotten(*daily(100))
        days = {f"night {n}" for n in range(DAILY)}
        sundays = {one.id for one in daily(100) if one.received.isoweekday() == 7}
        assert days <= kept
        assert kept - days <= sundays
        assert len(kept) == DAILY + WEEKLY - 2, "the last of the newest two weeks is among the days"

    def test_keeps_the_last_of_a_day_once_the_day_is_past(self) -> None:
        two = [backup("morning", days=5.6), backup("evening", days=5.2)]
        assert forgotten(*daily(5), *two) == {"morning"}
        recent = [backup("one", days=0.3), backup("two", days=0.2)]
        assert forgotten(*daily(5), *recent) == set()

    def test_keeps_the_newest_however_old_they_are(self) -> None:
        old = [backup(f"old {n}", days=1000 + n / 100) for n in range(5)]
        assert forgotten(*old) == {"old 3", "old 4"}

    def test_counts_components_and_hosts_separately(self) -> None:
        others = [backup("of another", days=50, tag="network"), backup("elsewhere", days=50, host="desk2")]
        assert not {"of another", "elsewhere"} & forgotten(*daily(100), *others)


class TestABackupOfAnotherTime:
    @pytest.mark.parametrize(
        ("hours", "doubtful"), [(0, False), (0.2, False), (0.3, True), (8760, True), (-47, False), (-49, True)]
    )
    def test_is_doubtful(self, hours: float, doubtful: bool) -> None:
        assert backup("one", days=3, claimed=NOW - timedelta(days=3) + timedelta(hours=hours)).doubtful is doubtful

    def test_displaces_no_other_backup_and_is_left_for_people_to_examine(self) -> None:
        """Twenty-two backups from the future once pushed out all ten real ones."""
        real = daily(10)
        false = [backup(f"false {n}", days=0.1, claimed=NOW + timedelta(days=n)) for n in range(1, 23)]
        assert forgotten(*real, *false) == set()

    @given(
        times=st.lists(st.tuples(st.floats(0, 100), st.floats(-(10**5), 10**5)), max_size=40),
        nights=st.integers(1, 60),
    )
    def test_added_by_a_writer_never_displaces_one_that_is_to_be_kept(
        self, times: list[tuple[float, float]], nights: int
    ) -> None:
        """Within one day that already has a backup, the writer adds what it likes, with any times."""
        real = daily(nights)
        before = {one.id for one in real} - forgotten(*real)
        added = [
            backup(f"false {n}", days=minutes / 10_000, claimed=NOW + timedelta(hours=claim))
            for n, (minutes, claim) in enumerate(times)
        ]
        assert before & forgotten(*real, *added) == set()


class TestTheLedger:
    @pytest.fixture
    def repository(self, tmp_path: Path) -> Path:
        for folder in ("snapshots", "keys"):
            (tmp_path / "repository" / folder).mkdir(parents=True)
        return tmp_path / "repository"

    def test_records_when_a_backup_arrived_and_never_changes_that(self, repository: Path, tmp_path: Path) -> None:
        ledger = tmp_path / "receipts.json"
        (repository / "snapshots" / "one").touch()
        os.utime(repository / "snapshots" / "one", (1000, 1000))
        assert receipts.noted(ledger, repository) == {"one": 1000}
        os.utime(repository / "snapshots" / "one", (9999, 9999))
        (repository / "snapshots" / "two").touch()
        os.utime(repository / "snapshots" / "two", (2000, 2000))
        assert receipts.noted(ledger, repository) == {"one": 1000, "two": 2000}
        (repository / "snapshots" / "one").unlink()
        assert receipts.noted(ledger, repository) == {"two": 2000}
        assert json.loads(ledger.read_text()) == {"two": 2000}

    def test_reports_keys_that_were_added(self, repository: Path) -> None:
        (repository / "keys" / "first").touch()
        assert receipts.strange_keys(repository, ["first"]) == []
        (repository / "keys" / "added").touch()
        assert receipts.strange_keys(repository, ["first"]) == ["added"]

    def test_reads_what_restic_reports(self) -> None:
        told = [{"id": "a", "hostname": "desk1", "tags": ["desk"], "time": "2026-11-29T03:29:10.123456789+01:00"}]
        [one] = receipts.backups(told, {"a": NOW.timestamp()})
        assert (one.claimed.utcoffset(), one.received, one.doubtful) == (timedelta(hours=1), NOW, False)
