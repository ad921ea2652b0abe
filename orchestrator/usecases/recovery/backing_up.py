"""Backing up on request: a canary first, so that a drill can tell what the backup is worth."""

from dataclasses import dataclass

from orchestrator.domain.runs.run import Run
from orchestrator.usecases.recovery.protecting import Protecting
from orchestrator.usecases.recovery.witnessing import Witnessing


@dataclass(frozen=True)
class BackingUp:
    witnessing: Witnessing
    protecting: Protecting

    def now(self, agency: str, component: str | None = None) -> Run:
        """A queued run that backs up everything the agency has, or one component of it."""
        self.witnessing.write(agency)
        return self.protecting.open_run(agency, component)
