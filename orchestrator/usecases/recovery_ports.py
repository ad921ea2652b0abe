"""What recovery needs from the world, as protocols: its records, its hosts, a stopwatch, a signature."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from orchestrator.domain.canary import Canary
from orchestrator.domain.drill import Drill, DrillState
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.held_backups import HeldBackups
from orchestrator.domain.recovery_time import Reading
from orchestrator.domain.site import Site


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


Labelled = tuple[str, str, float]
"""Agency, component, and a figure."""


class RecoveryFigures(NamedTuple):
    """What the metrics of recovery are made of. Timestamps are seconds since 1970."""

    drills: Sequence[tuple[str, str, str, int]]
    """(agency, component, outcome, how many): the verdict of reported drills, the final state of others."""
    last_success: Sequence[Labelled]
    next_scheduled: Sequence[Labelled]
    rto: Sequence[Labelled]
    rpo: Sequence[Labelled]
    rto_objective: Sequence[Labelled]
    rpo_objective: Sequence[Labelled]
    recovery_point: Sequence[Labelled]
    """Start of the newest backup that succeeded: what is older than that is safe."""


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


class Stopwatch(Protocol):
    def read(self) -> Reading: ...


class DrillGoneError(OrchestratorError):
    """The recovery host no longer has the drill: its lease ran out, it was cleaned up, or the host was restarted."""

    def __init__(self, message: str) -> None:
        super().__init__(Kind.UNAVAILABLE, message)


class TooSlowError(OrchestratorError):
    """The recovery host answers, and what it was asked takes longer than it may."""

    def __init__(self, message: str) -> None:
        super().__init__(Kind.UNAVAILABLE, message)


class User(Protocol):
    """Somebody who uses a service, over one kept connection."""

    def ask(self, request: Mapping[str, Any], *, within: timedelta) -> dict[str, Any]:
        """The answer. Raises UNAVAILABLE when there is none in time."""
        ...


class RecoveryHost(Protocol):
    """A connected recovery host. What it is asked and answers: playbooks/README.md, section Drills."""

    def operate(
        self,
        operation: str,
        document: Mapping[str, Any],
        *,
        within: timedelta,
        cancelled: Callable[[], bool] = ...,
    ) -> dict[str, Any]:
        """Raises FAILED with what went wrong, UNAVAILABLE when it did not answer, CONFLICT when it was cancelled;
        DrillGoneError when it has no such drill, TooSlowError when time ran out."""
        ...

    def user(self, component: str, introduction: Mapping[str, Any]) -> AbstractContextManager[User]: ...
    def read(self, file: str) -> str:
        """A text file of the host. Raises FAILED when it cannot be read."""
        ...


class RecoveryHosts(Protocol):
    def connect(self, site: Site, host: str) -> AbstractContextManager[RecoveryHost]:
        """One connection, kept, to any host of the site. Raises UNAVAILABLE."""
        ...


@dataclass(frozen=True)
class Rehearsal:
    """What a phase of a drill needs besides its assignment.

    `earlier` holds the results of the phases before it. `user` is what a user of the service is told first, `trust` the
    file it checks the service against. `limit` is how long the service may take to come back, `targets` what must not
    be reached from the copy: {name, place, address, port}.
    """

    drill: Drill
    host: str
    earlier: Mapping[str, Mapping[str, Any]]
    user: Mapping[str, Any]
    trust: str | None
    limit: timedelta
    targets: tuple[Mapping[str, Any], ...]

    @property
    def rehearsed_host(self) -> str:
        """Of a component on many hosts the one that is rehearsed: that its canaries are written to."""
        return str(next(iter(self.user["hosts"].values()))[0]["name"])
