"""Protocols for the records of runs and workers, and for running a step."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from orchestrator.domain.estate.site import Site
from orchestrator.domain.events import Event, Happening
from orchestrator.domain.ordering.agency import StoredPlan
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.runs.admission import Place
from orchestrator.domain.runs.run import Busy, Run, RunState, StepOutcome, StepRecord
from orchestrator.domain.runs.run_options import USUAL, RunOptions
from orchestrator.domain.runs.waits import Wait
from orchestrator.domain.selling.catalog import Verb
from orchestrator.domain.value import Value


class Runs(Protocol):
    def open(self, plan: StoredPlan, options: RunOptions = USUAL, *, at: datetime) -> Run:
        """Create a queued run with the plan's steps. Raises CONFLICT if the agency has an open run."""
        ...

    def get(self, run: int) -> Run | None: ...
    def put(self, run: Run) -> None: ...
    def open_of(self, agency: str) -> Run | None: ...
    def waiting(self, agency: str | None = None) -> list[Run]:
        """Runs that wait for people, of all agencies or one."""
        ...

    def newest(
        self, *, agency: str | None = None, purposes: Collection[Purpose] = tuple(Purpose), limit: int = 50
    ) -> list[Run]: ...
    def queue(self) -> list[Place]:
        """Queued runs, ordered by when they are due."""
        ...

    def active(self) -> list[Place]:
        """Runs that are admitted or running."""
        ...

    def caused_by(self, run: int) -> Run | None:
        """The run that rolls this one back."""
        ...

    def count(self, state: RunState) -> int: ...
    def changing_elsewhere(self, run: Run) -> list[Busy]:
        """Steps of other runs at the run's site that are changing hosts now."""
        ...

    def drifted(self, agency: str) -> dict[str, int]:
        """Components with uncorrected drift, and the run that found it."""
        ...

    def steps(self, run: int) -> list[StepRecord]: ...
    def step(self, run: int, step: str) -> StepRecord: ...
    def put_step(self, run: int, step: StepRecord) -> None: ...


class RunQueue(Protocol):
    """The engine's queue."""

    def put(self, run: int, attempt: int) -> None:
        """Hand an attempt of a run to the workers once the transaction is committed."""
        ...


class Events(Protocol):
    def add(self, happenings: Iterable[Happening], *, agency: str, at: datetime, run: int | None = None,
            step: str | None = None) -> None: ...  # fmt: skip

    def after(self, event: int, *, run: int | None = None, limit: int = 500) -> list[Event]: ...
    def current_tasks(self, run: int, steps: Sequence[str]) -> dict[str, str]:
        """Step -> the last task that it started."""
        ...

    def forget(self, *, before: datetime, apart_from: Sequence[str], limit: int) -> int:
        """Delete up to `limit` events of all agencies except some. Returns their number."""
        ...

    def forget_of(self, agency: str, *, before: datetime, limit: int) -> int: ...


class Workers(Protocol):
    """Which workers are alive, by the database's clock."""

    def beat(self, worker: str) -> bool:
        """Renew the lease. Returns False if the worker has been declared dead."""
        ...

    def join(self, worker: str, *, host: str, runs: int) -> None:
        """Register a worker. `runs` is its maximum of concurrent runs; 0 if it takes only its own."""
        ...

    def leave(self, worker: str) -> None: ...
    def bury(self, *, lease: timedelta) -> None: ...
    def alive(self, *, lease: timedelta) -> set[str]:
        """The workers with a current lease."""
        ...

    def serving(self, *, lease: timedelta) -> set[str]:
        """The live workers that take anybody's runs."""
        ...

    def capacity(self, *, lease: timedelta) -> int:
        """The total number of concurrent runs that live workers can take."""
        ...

    def unburied(self) -> set[str]:
        """The workers that have neither left nor been declared dead."""
        ...


class Ticks(Protocol):
    """The ticks of schedules that have been taken."""

    def take(self, schedule: str, due: datetime, *, at: datetime) -> bool:
        """Take a tick. Returns whether it is ours: False if somebody has taken it before."""
        ...

    def last(self, schedule: str) -> datetime | None:
        """When the last taken tick was due."""
        ...


class Work:
    """What a step is to do. Each kind of work is carried out by somebody else."""


@dataclass(frozen=True)
class Assignment(Work):
    """A playbook and everything that it needs, in the clear; never stored. `variables` maps each host to its host
    variables."""

    run: int
    step: str
    role: str
    verb: Verb
    site: Site
    variables: Mapping[str, Mapping[str, Any]]
    secrets: Mapping[str, str]
    secrets_variable: str
    timeout: timedelta
    passwords: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The passwords of people, by list and person; as secret as what they are derived from."""
    writers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """host -> the writer of its backups, see `writer_of`; no host gets that of another."""
    keeper: str | None = None
    """The recovery host that must admit them, if the step writes or reads backups from elsewhere."""
    check: bool = False
    again: bool = False
    """It was started before and did not finish: existing changes may not be in effect."""

    @property
    def hidden(self) -> set[str]:
        """All values that nobody may read."""
        derived = (*self.passwords.values(), *({**writer, "name": ""} for writer in self.writers.values()))
        return {*self.secrets.values(), *(word for words in derived for word in words.values() if word)}


class NextSteps(Value):
    """Steps of a run that may start now, and what the steps that may start later are waiting for."""

    ready: tuple[StepRecord, ...] = ()
    waiting: Mapping[str, Wait] = {}


@dataclass(frozen=True)
class StartedStep:
    """An attempt of a step, recorded as running, and its assignment."""

    run: Run
    step: StepRecord
    work: Work


class Interrupted(Exception):  # noqa: N818 - not an error: the step has no outcome yet
    """The step was stopped because its worker is stopping or fell silent. The next worker of the run starts it
    again."""


@dataclass(frozen=True)
class Errand:
    """The runs of a worker that takes only these. It also finishes other runs that it has taken over, because nobody
    else may be there to continue them, unless `hurry`, called with the remaining runs, returns true."""

    runs: frozenset[int]
    hurry: Callable[[Set[int]], bool]


class StepRunner(Protocol):
    """Carries out any kind of work."""

    def run(
        self,
        work: Work,
        *,
        on_events: Callable[[Sequence[Happening]], None],
        cancelled: Callable[[], bool],
    ) -> StepOutcome:
        """As PlaybookRunner.run says."""
        ...


class PlaybookRunner(Protocol):
    def run(
        self,
        assignment: Assignment,
        *,
        on_events: Callable[[Sequence[Happening]], None],
        cancelled: Callable[[], bool],
    ) -> StepOutcome:
        """Run the step. Anticipated failures are outcomes. Returns, or raises Interrupted, only when nothing of it is
        running on this machine any more."""
        ...
