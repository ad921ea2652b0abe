"""Dispatching: giving each kind of work to its runner."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.domain.events import Happening
from orchestrator.domain.runs.run import StepOutcome
from orchestrator.ports.runs import Work


@dataclass(frozen=True)
class Dispatching:
    """`runners` has one runner for each kind of work."""

    runners: Mapping[type[Work], Callable[..., StepOutcome]]

    def run(
        self, work: Work, *, on_events: Callable[[Sequence[Happening]], None], cancelled: Callable[[], bool]
    ) -> StepOutcome:
        return self.runners[type(work)](work, on_events=on_events, cancelled=cancelled)
