"""Surveying: reading what a service that was moved has of canaries, which tells what was lost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.domain.errors import OrchestratorError
from orchestrator.domain.events import Happening
from orchestrator.domain.recovery.canary import compare
from orchestrator.domain.recovery.failover import Surveyed
from orchestrator.domain.recovery.recovery_time import Stamp
from orchestrator.domain.runs.run import StepOutcome, StepState
from orchestrator.ports.drilling import RecoveryHosts, Survey
from orchestrator.ports.store import Store
from orchestrator.usecases.recovery.rehearsing import end_of
from orchestrator.usecases.recovery.trying import records_of
from orchestrator.usecases.recovery.witnessing import authority_of


@dataclass(frozen=True)
class Surveying:
    store: Store
    hosts: RecoveryHosts

    def run(
        self,
        survey: Survey,
        *,
        on_events: Callable[[Sequence[Happening]], None],
        cancelled: Callable[[], bool],
    ) -> StepOutcome:
        del on_events, cancelled  # it takes seconds
        try:
            surveyed = self._survey(survey)
        except OrchestratorError as error:
            return StepOutcome(state=end_of(error), error="\n".join((error.message, *error.details)))
        return StepOutcome(state=StepState.SUCCEEDED, result=surveyed.model_dump(mode="json"))

    def _survey(self, survey: Survey) -> Surveyed:
        with self.store.read() as tx:
            ledger = tx.canaries.of(survey.agency, survey.component)
        introduction = {**survey.user, "authority": authority_of(self.hosts, survey.site, survey.trust)}
        with self.hosts.connect(survey.site, survey.host) as host, host.user(survey.component, introduction) as user:
            found = records_of(user, first=ledger[0].number if ledger else 1)
        if found is None:
            return Surveyed(records=None)
        there = set(found)
        return Surveyed(
            records=compare(ledger, found, disaster=Stamp(at=survey.declared_at)) if ledger else None,
            newest=max((canary.number for canary in ledger if canary.text in there), default=0),
        )
