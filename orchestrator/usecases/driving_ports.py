"""What driving a run needs from the world, as protocols: what a step is to do, and somebody who does it."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from orchestrator.domain.catalog import Verb
from orchestrator.domain.events import Happening
from orchestrator.domain.run import Run, StepOutcome, StepRecord
from orchestrator.domain.site import Site
from orchestrator.domain.value import Value
from orchestrator.usecases.recovery_ports import Rehearsal


@dataclass(frozen=True)
class Assignment:
    """Everything one step needs, in the clear; never stored. `variables` maps each host to its host variables."""

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
    rehearsal: Rehearsal | None = None
    """What a phase of a drill needs besides."""

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
    assignment: Assignment


class Interrupted(Exception):  # noqa: N818 - not an error: the step has no outcome yet
    """The step was stopped for its worker's sake (it is stopping, or fell silent); whoever drives the run next starts
    it again."""


@dataclass(frozen=True)
class Errand:
    """What a worker is there for that takes no runs but its own: these. It ends what came into its hands besides, as
    nobody else may be there to go on with it, unless it is to `hurry`, which is asked of the runs that are left."""

    runs: frozenset[int]
    hurry: Callable[[Set[int]], bool]


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
