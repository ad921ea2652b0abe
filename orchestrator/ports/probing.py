"""What probing needs from the world, as protocols: its records, the one lease to probe, and what probes."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from orchestrator.domain.probing.readings import ProbeKey, ProbeTarget, Reading, Standing, StateChange
from orchestrator.domain.service_levels.record import Timeline


class KeptStanding(NamedTuple):
    """What was in force for a probe when it last changed, and the interval it is probed at."""

    key: ProbeKey
    every: timedelta
    standing: Standing


class Transitions(Protocol):
    """When the state of each probe changed."""

    def record(self, changes: Sequence[tuple[ProbeKey, StateChange]]) -> None: ...
    def keep(self, standings: Iterable[KeptStanding]) -> None:
        """Say what is in force from now on for some probes."""
        ...

    def standings(self, agency: str | None = None) -> list[KeptStanding]:
        """What is in force, of all agencies or one; one reading of one small table. Their `read_at` is None: when each
        was last read follows from how far the prober has got (`Prober.read_until`)."""
        ...

    def between(self, agency: str, component: str, start: datetime, end: datetime) -> dict[str, Timeline]:
        """By probe, what was in force at `start` and the transitions up to `end`, which is not included."""
        ...

    def of(self, agencies: Collection[str]) -> dict[tuple[str, str], dict[str, Timeline]]:
        """(agency, component) -> by probe, all transitions there are of some agencies."""
        ...

    def changes(self, after: int) -> list[tuple[int, str, str]]:
        """(number, agency, component) of all behind a number. Numbers grow in the order of their commits."""
        ...

    def last_change(self) -> int: ...
    def probed(self) -> list[tuple[str, str]]:
        """(agency, component) of what was ever probed."""
        ...


class Prober(Protocol):
    """Which process probes, by the database's clock."""

    def take(self, holder: str, *, lease: timedelta) -> bool:
        """Whether the lease is ours from now on: it was, or nobody has renewed it for so long."""
        ...

    def beat(self, holder: str, *, read_until: datetime) -> bool:
        """Renew it, and say up to when every probe that was due has been read. False when it is another's."""
        ...

    def leave(self, holder: str) -> None: ...
    def read_until(self) -> datetime | None:
        """Up to when every probe that was due has been read, by the prober's clock. None before the first."""
        ...


@dataclass(frozen=True)
class Person:
    """Whom a probe logs in as. Neither printed nor logged."""

    name: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True)
class Prepared:
    """A target with what its probe needs besides. `trust` is who vouches for the service: PEM, or a public host key."""

    target: ProbeTarget
    person: Person | None = None
    trust: str | None = None


class Watcher(Protocol):
    """What the pool of probes works for."""

    def take(self) -> bool:
        """Begin to probe, if no other process does."""
        ...

    def targets(self) -> Sequence[ProbeTarget]:
        """What is to be probed now."""
        ...

    def prepare(self, target: ProbeTarget) -> Prepared:
        """What the probe needs. Raises an OrchestratorError that says why it cannot run."""
        ...

    def heard(self, readings: Sequence[tuple[ProbeTarget, Reading]], *, read_until: datetime) -> bool:
        """Believe readings, in their order. False when another process has begun to probe."""
        ...

    def leave(self) -> None: ...
