"""When this host received each backup, by its own clock, and which of the backups are what they say they are.

Whoever takes a component's host over may write backups, and may give them any time. So a time that a backup gives for
itself decides nothing here: what counts is when its file came to be on this disk, as noted in a ledger that writers
cannot reach. A backup that claims another time is doubtful: it is not restored, and takes no other one's place.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LATEST_CLAIM = dt.timedelta(minutes=15)
"""A claimed time may be so far behind its receipt: clocks differ a little."""
EARLIEST_CLAIM = dt.timedelta(days=2)
"""Or so far before: a backup gives the time at which it began, and the first one is long."""
FLOOR = 3
"""The newest backups of a component on a host, which are kept however old they are."""
RECENT = dt.timedelta(days=2)
"""All that was received within it is kept, so that no backup of a day can push out another at once."""


@dataclass(frozen=True)
class Backup:
    """A snapshot in a repository. Times have a zone."""

    id: str
    host: str
    tags: tuple[str, ...]
    claimed: dt.datetime
    received: dt.datetime

    @property
    def doubtful(self) -> bool:
        """Whether it says that it was taken when it cannot have been."""
        return not self.received - EARLIEST_CLAIM <= self.claimed <= self.received + LATEST_CLAIM


def backups(told: Iterable[Mapping[str, Any]], received: Mapping[str, float]) -> list[Backup]:
    """Return what restic tells of snapshots, with their receipts in seconds since 1970."""
    return [
        Backup(
            id=one["id"],
            host=str(one.get("hostname", "")),
            tags=tuple(one.get("tags") or ()),
            claimed=dt.datetime.fromisoformat(one["time"]),
            received=dt.datetime.fromtimestamp(received[one["id"]], dt.UTC),
        )
        for one in told
    ]


def arrivals(repository: Path) -> dict[str, float]:
    """Return when each snapshot's file was written, in seconds since 1970, by its id."""
    return {file.name: file.stat().st_mtime for file in (repository / "snapshots").iterdir() if file.is_file()}


def noted(ledger: Path, repository: Path) -> dict[str, float]:
    """Return the receipts of all snapshots, those that are new noted. What was noted once does not change again."""
    before = json.loads(ledger.read_text()) if ledger.exists() else {}
    now = {name: before.get(name, at) for name, at in arrivals(repository).items()}
    if now != before:
        partial = ledger.with_name(f".{ledger.name}")
        partial.write_text(json.dumps(now, indent=1))
        partial.replace(ledger)
    return now


def to_forget(found: Iterable[Backup], *, daily: int, weekly: int, now: dt.datetime) -> set[str]:
    """Return the ids of what retention asks for no longer, by component and host.

    Of the last `daily` days and of the last `weekly` weeks on which anything was received, the last is kept.
    """
    groups: dict[tuple[str, tuple[str, ...]], list[Backup]] = {}
    for one in found:
        if not one.doubtful:
            groups.setdefault((one.host, one.tags), []).append(one)
    forgotten: set[str] = set()
    for group in groups.values():
        newest_first = sorted(group, key=lambda one: one.received, reverse=True)
        kept = newest_first[:FLOOR] + [one for one in newest_first if now - one.received < RECENT]
        days = _last_of_each(newest_first, lambda at: at.date())
        weeks = _last_of_each(newest_first, lambda at: at.isocalendar()[:2])
        kept += days[:daily] + weeks[:weekly]
        forgotten |= {one.id for one in group} - {one.id for one in kept}
    return forgotten


def _last_of_each(newest_first: list[Backup], period: Any) -> list[Backup]:
    last: dict[Any, Backup] = {}
    for one in newest_first:
        last.setdefault(period(one.received.astimezone(dt.UTC)), one)
    return list(last.values())


def strange_keys(repository: Path, listed: Iterable[str]) -> list[str]:
    """Return the keys of a repository that are not in the list that was made with it."""
    return sorted({file.name for file in (repository / "keys").iterdir()} - set(listed))
