"""The records of recovery, as protocols: backups, drills with their evidence, canaries."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from orchestrator.domain.recovery.canary import Canary
from orchestrator.domain.recovery.drills import Drill, DrillState
from orchestrator.domain.recovery.held_backups import HeldBackups


class TakenBackup(NamedTuple):
    """A backup that was taken: of what, when, and by which run."""

    agency: str
    component: str
    started_at: datetime
    finished_at: datetime
    run: int


class Backups(Protocol):
    """Backups that succeeded, as the steps that took them tell."""

    def newest(self, agency: str, component: str, *, limit: int = 100) -> list[TakenBackup]:
        """The last ones, oldest first."""
        ...

    def last_of_all(self) -> dict[tuple[str, str], datetime]:
        """(agency, component) -> when its last one began, also when its record is forgotten."""
        ...

    def taken(self, agency: str) -> bool:
        """Whether there is one of anything the agency has, or had."""
        ...

    def hold(self, held: HeldBackups) -> None:
        """Record that a repository is kept though its service has ended, in the place of what was recorded of it."""
        ...

    def held(self, agency: str | None = None) -> list[HeldBackups]:
        """Those of an agency, or all, the first to be destroyed in front."""
        ...

    def let_go(self, agency: str, hosts: Sequence[str]) -> None:
        """Forget that repositories are held: they serve again, or are no more."""
        ...

    def forget_of(self, agency: str) -> None:
        """Forget when an agency's components were backed up last: there is nothing left of it."""
        ...

    def forget(self, *, before: datetime, limit: int) -> int:
        """Delete runs of backups, and of comparisons, that ended before an instant, with their steps and plans, `limit`
        at most. How many.
        The backups themselves are kept for as long as the recovery host's retention says."""
        ...


class Drills(Protocol):
    def add(self, drill: Drill) -> Drill:
        """The drill with its number. One with the same key is a conflict."""
        ...

    def put(self, drill: Drill) -> None: ...
    def get(self, drill: int) -> Drill | None: ...
    def by_key(self, key: str) -> Drill | None: ...
    def of_run(self, run: int) -> Drill | None: ...
    def newest(self, *, agency: str | None = None, limit: int = 50) -> list[Drill]: ...
    def in_state(self, *states: DrillState) -> list[Drill]:
        """Those that are due first in front."""
        ...

    def durations(self, agency: str | None = None) -> dict[tuple[str, str], tuple[timedelta, ...]]:
        """(agency, component) -> how long its drills that came to a verdict took, oldest first."""
        ...

    def scheduled_since(self, instant: datetime, *, agency: str | None = None) -> list[Drill]:
        """Drills of the calendar that were due since an instant, or are to be."""
        ...

    def keep_evidence(self, drill: int, document: str, digest: str) -> None: ...
    def evidence(self, drill: int) -> str | None:
        """The signed document, as it was signed."""
        ...

    def last_evidence(self) -> str | None:
        """Digest of the newest evidence, which the next one names."""
        ...

    def count_evidence(self) -> int:
        """How many documents there are."""
        ...


class Canaries(Protocol):
    """The ledger of canaries."""

    def last(self, agency: str, component: str) -> Canary | None: ...
    def of(self, agency: str, component: str) -> list[Canary]:
        """All that are kept, by number."""
        ...

    def put(self, agency: str, component: str, canary: Canary) -> None: ...
    def forget(self, agency: str, component: str, *, up_to: int | None = None) -> None:
        """All of them, or those up to a number."""
        ...
