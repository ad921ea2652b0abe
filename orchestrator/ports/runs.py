"""The records of runs and of who works on them, and who carries a step out, as protocols."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from orchestrator.domain.estate.site import Site
from orchestrator.domain.events import Event, Happening
from orchestrator.domain.ordering.agency import StoredPlan
from orchestrator.domain.runs.admission import Place
from orchestrator.domain.runs.run import Busy, Run, RunState, StepOutcome, StepRecord
from orchestrator.domain.runs.run_options import OnFailure, Priority
from orchestrator.domain.selling.catalog import Verb
from orchestrator.domain.value import Value


class Runs(Protocol):
    def open(
        self,
        plan: StoredPlan,
        *,
        at: datetime,
        priority: Priority = Priority.CHANGE,
        on_failure: OnFailure = OnFailure.KEEP,
        cause: int | None = None,
    ) -> Run:
        """A queued run with the plan's steps. A second open run of an agency is a conflict."""
        ...

    def get(self, run: int) -> Run | None: ...
    def put(self, run: Run) -> None: ...
    def open_of(self, agency: str) -> Run | None: ...
    def newest(self, *, agency: str | None = None, limit: int = 50) -> list[Run]: ...
    def queue(self) -> list[Place]:
        """Queued runs, the one that is due first in front."""
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
        """Components whose hosts were found changed since they were last put right, and the run that found it."""
        ...

    def steps(self, run: int) -> list[StepRecord]: ...
    def step(self, run: int, step: str) -> StepRecord: ...
    def put_step(self, run: int, step: StepRecord) -> None: ...


class RunQueue(Protocol):
    """The engine's queue."""

    def put(self, run: int, attempt: int) -> None:
        """Hand an attempt of a run to the workers, when the transaction is committed."""
        ...


class Events(Protocol):
    def add(self, happenings: Iterable[Happening], *, agency: str, at: datetime, run: int | None = None,
            step: str | None = None) -> None: ...  # fmt: skip

    def after(self, event: int, *, run: int | None = None, limit: int = 500) -> list[Event]: ...
    def current_tasks(self, run: int, steps: Sequence[str]) -> dict[str, str]:
        """Step -> the task that it began last."""
        ...

    def forget(self, *, before: datetime, apart_from: Sequence[str], limit: int) -> int:
        """Delete events of all agencies but some, `limit` at most. How many."""
        ...

    def forget_of(self, agency: str, *, before: datetime, limit: int) -> int: ...


class Workers(Protocol):
    """Who is alive, by the database's clock."""

    def beat(self, worker: str) -> bool:
        """Renew the lease. False when the worker has been declared dead."""
        ...

    def join(self, worker: str, *, host: str, runs: int) -> None:
        """`runs` are those of anybody that it takes at a time; none for one that works its own."""
        ...

    def leave(self, worker: str) -> None: ...
    def bury(self, *, lease: timedelta) -> None: ...
    def alive(self, *, lease: timedelta) -> set[str]:
        """Workers whose lease is running."""
        ...

    def serving(self, *, lease: timedelta) -> set[str]:
        """Those of them that take anybody's runs."""
        ...

    def capacity(self, *, lease: timedelta) -> int:
        """How many runs the living workers can work on at a time."""
        ...

    def unburied(self) -> set[str]:
        """Workers that have neither left nor been declared dead."""
        ...


class Ticks(Protocol):
    """Which ticks of which schedule somebody has taken."""

    def take(self, schedule: str, due: datetime, *, at: datetime) -> bool:
        """Whether the tick is ours: nobody has taken it before."""
        ...

    def last(self, schedule: str) -> datetime | None:
        """When the last tick that was taken was due."""
        ...


class Work:
    """What a step is to do. Each kind of work is carried out by somebody else."""


@dataclass(frozen=True)
class Assignment(Work):
    """A playbook, and everything it needs, in the clear; never stored. `variables` maps each host to its host
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
    """Of people, by list and person; as secret as what they are derived from."""
    writers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """host -> who writes backups from there, as `writer_of` has it; no host is told of another's."""
    keeper: str | None = None
    """The recovery host that is to let them in, where the step writes or reads backups from elsewhere."""
    check: bool = False
    again: bool = False
    """It was begun before and did not come to its end: what is there already may not be in force."""

    @property
    def hidden(self) -> set[str]:
        """All that nobody may read."""
        derived = (*self.passwords.values(), *({**writer, "name": ""} for writer in self.writers.values()))
        return {*self.secrets.values(), *(word for words in derived for word in words.values() if word)}


class NextSteps(Value):
    """Steps of a run that may start now, and what those wait for that may start later by themselves."""

    ready: tuple[StepRecord, ...] = ()
    waiting: Mapping[str, str] = {}


@dataclass(frozen=True)
class StartedStep:
    """An attempt of a step that is recorded as running, and what it is to do."""

    run: Run
    step: StepRecord
    work: Work


class Interrupted(Exception):  # noqa: N818 - not an error: the step has no outcome yet
    """The step was stopped for its worker's sake (it is stopping, or fell silent); whoever drives the run next starts
    it again."""


@dataclass(frozen=True)
class Errand:
    """What a worker is there for that takes no runs but its own: these. It ends what came into its hands besides, as
    nobody else may be there to go on with it, unless it is to `hurry`, which is asked of the runs that are left."""

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
        """Carry the step out. Anticipated failures are outcomes. Ends, or raises Interrupted, only when nothing of it
        runs any more on this machine."""
        ...
