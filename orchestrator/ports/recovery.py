"""Protocols for the records of recovery: backups, drills with their evidence, canaries."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from orchestrator.domain.recovery.canary import Canary
from orchestrator.domain.recovery.drills import Drill, DrillState
from orchestrator.domain.recovery.held_backups import HeldBackups


class TakenBackup(NamedTuple):
    """A backup: of what, when, and by which run."""

    agency: str
    component: str
    started_at: datetime
    finished_at: datetime
    run: int


class Backups(Protocol):
    """Successful backups, as reported by the steps that took them."""

    def newest(self, agency: str, component: str, *, limit: int = 100) -> list[TakenBackup]:
        """The most recent ones, oldest first."""
        ...

    def last_of_all(self) -> dict[tuple[str, str], datetime]:
        """(agency, component) -> when its last backup began, even if its record has been deleted."""
        ...

    def taken(self, agency: str) -> bool:
        """Whether there is a backup of anything that the agency has or had."""
        ...

    def hold(self, held: HeldBackups) -> None:
        """Record that a repository is held after its service has ended, replacing an earlier record."""
        ...

    def held(self, agency: str | None = None) -> list[HeldBackups]:
        """The held backups of an agency, or all, ordered by the date of destruction."""
        ...

    def let_go(self, agency: str, hosts: Sequence[str]) -> None:
        """Delete the record that repositories are held: they are in use again, or destroyed."""
        ...

    def forget_of(self, agency: str) -> None:
        """Delete the record of an agency's last backups: none is left."""
        ...

    def forget(self, *, before: datetime, limit: int) -> int:
        """Delete up to `limit` runs of backups and comparisons that ended before an instant, with their steps and
        plans. Returns their number. The retention of the recovery host decides about the backups themselves."""
        ...


class Drills(Protocol):
    def add(self, drill: Drill) -> Drill:
        """Store a drill and return it with its number. Raises CONFLICT for a duplicate key."""
        ...

    def put(self, drill: Drill) -> None: ...
    def get(self, drill: int) -> Drill | None: ...
    def by_key(self, key: str) -> Drill | None: ...
    def of_run(self, run: int) -> Drill | None: ...
    def newest(self, *, agency: str | None = None, limit: int = 50) -> list[Drill]: ...
    def in_state(self, *states: DrillState) -> list[Drill]:
        """The drills in these states, ordered by when they are due."""
        ...

    def durations(self, agency: str | None = None) -> dict[tuple[str, str], tuple[timedelta, ...]]:
        """(agency, component) -> the durations of its drills that reached a verdict, oldest first."""
        ...

    def scheduled_since(self, instant: datetime, *, agency: str | None = None) -> list[Drill]:
        """Drills of the calendar that were due since an instant, or are due later."""
        ...

    def keep_evidence(self, drill: int, document: str, digest: str) -> None: ...
    def evidence(self, drill: int) -> str | None:
        """The document exactly as signed."""
        ...

    def last_evidence(self) -> str | None:
        """The digest of the newest evidence, which the next one names."""
        ...

    def count_evidence(self) -> int:
        """The number of documents."""
        ...


class Canaries(Protocol):
    """The ledger of canaries."""

    def last(self, agency: str, component: str) -> Canary | None: ...
    def of(self, agency: str, component: str) -> list[Canary]:
        """All stored canaries, ordered by number."""
        ...

    def put(self, agency: str, component: str, canary: Canary) -> None: ...
    def forget(self, agency: str, component: str, *, up_to: int | None = None, after: int | None = None) -> None:
        """Delete all canaries, those up to a number, or those after one."""
        ...
