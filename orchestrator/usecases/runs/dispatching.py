"""Dispatching: each kind of work to whoever carries it out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.domain.events import Happening
from orchestrator.domain.runs.run import StepOutcome
from orchestrator.ports.runs import Work


@dataclass(frozen=True)
class Dispatching:
    """`runners` has one for each kind of work there is."""

    runners: Mapping[type[Work], Callable[..., StepOutcome]]

    def run(
        self, work: Work, *, on_events: Callable[[Sequence[Happening]], None], cancelled: Callable[[], bool]
    ) -> StepOutcome:
        return self.runners[type(work)](work, on_events=on_events, cancelled=cancelled)
