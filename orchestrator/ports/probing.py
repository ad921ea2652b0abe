"""Protocols for probing: its records, the prober's lease, and the targets."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from orchestrator.domain.probing.readings import ProbeKey, ProbeTarget, Reading, Standing, StateChange
from orchestrator.domain.service_levels.record import Timeline


class KeptStanding(NamedTuple):
    """The standing of a probe when it last changed, and its interval."""

    key: ProbeKey
    every: timedelta
    standing: Standing


class Transitions(Protocol):
    """When the state of each probe changed."""

    def record(self, changes: Sequence[tuple[ProbeKey, StateChange]]) -> None: ...
    def keep(self, standings: Iterable[KeptStanding]) -> None:
        """Store the new standings of some probes."""
        ...

    def standings(self, agency: str | None = None) -> list[KeptStanding]:
        """The standings of all agencies or one, from one small table. Their `read_at` is None: when each was last read
        follows from the prober's progress (`Prober.read_until`)."""
        ...

    def between(self, agency: str, component: str, start: datetime, end: datetime) -> dict[str, Timeline]:
        """By probe, the state at `start` and the transitions until `end`, exclusive."""
        ...

    def of(self, agencies: Collection[str]) -> dict[tuple[str, str], dict[str, Timeline]]:
        """(agency, component) -> by probe, all transitions of some agencies."""
        ...

    def changes(self, after: int) -> list[tuple[int, str, str]]:
        """(number, agency, component) of all changes after a number. Numbers grow in commit order."""
        ...

    def last_change(self) -> int: ...
    def probed(self) -> list[tuple[str, str]]:
        """(agency, component) of everything that was ever probed."""
        ...


class Prober(Protocol):
    """Which process probes, by the database's clock."""

    def take(self, holder: str, *, lease: timedelta) -> bool:
        """Take the lease if it is ours already, or has not been renewed for `lease`. Returns whether it is ours now."""
        ...

    def beat(self, holder: str, *, read_until: datetime) -> bool:
        """Renew the lease, and record until when every due probe has been read. Returns False if the lease is
        another's."""
        ...

    def leave(self, holder: str) -> None: ...
    def read_until(self) -> datetime | None:
        """Until when every due probe has been read, by the prober's clock. None before the first."""
        ...


@dataclass(frozen=True)
class Person:
    """The login of a probe. It is never printed or logged."""

    name: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True)
class Prepared:
    """A target with what its probe needs. `trust` verifies the service's identity: PEM, or a public host key."""

    target: ProbeTarget
    person: Person | None = None
    trust: str | None = None


class Watcher(Protocol):
    """The client of the pool of probes."""

    def take(self) -> bool:
        """Start probing, unless another process does. Returns whether we probe."""
        ...

    def targets(self) -> Sequence[ProbeTarget]:
        """The current targets."""
        ...

    def prepare(self, target: ProbeTarget) -> Prepared:
        """Look up what the probe needs. Raises an OrchestratorError with the reason if it cannot run."""
        ...

    def heard(self, readings: Sequence[tuple[ProbeTarget, Reading]], *, read_until: datetime) -> bool:
        """Record readings, in order. Returns False if another process has started probing."""
        ...

    def leave(self) -> None: ...
