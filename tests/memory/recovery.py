"""Backups, drills with their evidence, and canaries, in memory."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.recovery.canary import Canary
from orchestrator.domain.recovery.drills import STOPPED, Drill, DrillState
from orchestrator.domain.recovery.held_backups import HeldBackups
from orchestrator.domain.recovery.verdict import Moment
from orchestrator.domain.runs.run import StepState
from orchestrator.domain.selling.catalog import Verb
from orchestrator.ports.recovery import TakenBackup
from tests.memory.records import Repository, forget, newest

KEPT_FOR_A_WHILE = (Purpose.BACKUP, Purpose.DRIFT, Purpose.VERIFY)


class Backups(Repository):
    def newest(self, agency: str, component: str, *, limit: int = 100) -> list[TakenBackup]:
        taken = [
            TakenBackup(agency, component, step.started_at, step.finished_at, run.id)
            for run in self.records.runs.values()
            if run.agency == agency
            for step in self.records.steps[run.id]
            if (step.component, step.verb, step.state) == (component, Verb.BACKUP, StepState.SUCCEEDED)
            and step.started_at
            and step.finished_at
        ]
        return sorted(taken, key=lambda backup: backup.started_at)[-limit:]

    def last_of_all(self) -> dict[tuple[str, str], datetime]:
        return dict(self.records.newest_backups)

    def taken(self, agency: str) -> bool:
        return any(whose == agency for whose, _ in self.records.newest_backups)

    def hold(self, held: HeldBackups) -> None:
        self.records.require_agency(held.agency)
        self.records.held_backups[held.agency, held.host] = held

    def held(self, agency: str | None = None) -> list[HeldBackups]:
        mine = [one for one in self.records.held_backups.values() if agency in (None, one.agency)]
        return sorted(mine, key=lambda one: (one.until, one.agency))

    def let_go(self, agency: str, hosts: Sequence[str]) -> None:
        forget(self.records.held_backups, lambda key, _: key[0] == agency and key[1] in hosts)

    def forget_of(self, agency: str) -> None:
        forget(self.records.newest_backups, lambda key, _: key[0] == agency)

    def forget(self, *, before: datetime, limit: int) -> int:
        gone = [
            run
            for run in self.records.runs.values()
            if run.purpose in KEPT_FOR_A_WHILE and run.finished_at and run.finished_at < before
        ][:limit]
        for run in gone:
            self.records.forgotten[run.id] = self.records.runs.pop(run.id), self.records.steps.pop(run.id)
            del self.records.plans[run.plan]
        return len(gone)


class Drills(Repository):
    def add(self, drill: Drill) -> Drill:
        self.records.require_agency(drill.agency)
        if self.by_key(drill.key):
            raise OrchestratorError(Kind.CONFLICT, f"the drill {drill.key} already exists")
        added = drill.model_copy(update={"id": self.records.number("drill")})
        self.records.drills[added.id] = added
        return added

    def put(self, drill: Drill) -> None:
        assert drill.id in self.records.drills
        self.records.drills[drill.id] = drill

    def get(self, drill: int) -> Drill | None:
        return self.records.drills.get(drill)

    def by_key(self, key: str) -> Drill | None:
        return next((drill for drill in self._all() if drill.key == key), None)

    def of_run(self, run: int) -> Drill | None:
        return next((drill for drill in self._all() if drill.run == run), None)

    def newest(self, *, agency: str | None = None, limit: int = 50) -> list[Drill]:
        return newest(self.records.drills, limit, lambda drill: agency in (None, drill.agency))

    def in_state(self, *states: DrillState) -> list[Drill]:
        return _as_due([drill for drill in self._all() if drill.state in states])

    def durations(self, agency: str | None = None) -> dict[tuple[str, str], tuple[timedelta, ...]]:
        took: dict[tuple[str, str], tuple[timedelta, ...]] = {}
        for drill in self._all(agency):
            run = self.records.runs.get(drill.run or 0)
            if drill.verdict and drill.state not in STOPPED and run and run.started_at and run.finished_at:
                whose = drill.agency, drill.component
                took[whose] = (*took.get(whose, ()), run.finished_at - run.started_at)
        return took

    def scheduled_since(self, instant: datetime, *, agency: str | None = None) -> list[Drill]:
        due = (drill for drill in self._all(agency) if drill.scheduled_at >= instant)
        return _as_due([drill for drill in due if drill.moment is not Moment.NOW])

    def keep_evidence(self, drill: int, document: str, digest: str) -> None:
        if drill in self.records.drills:
            self.records.evidence.pop(drill, None)
            self.records.evidence[drill] = document, digest

    def evidence(self, drill: int) -> str | None:
        found = self.records.evidence.get(drill)
        return found[0] if found else None

    def last_evidence(self) -> str | None:
        return next((digest for _, digest in reversed(self.records.evidence.values())), None)

    def count_evidence(self) -> int:
        return len(self.records.evidence)

    def _all(self, agency: str | None = None) -> list[Drill]:
        return [drill for drill in self.records.drills.values() if agency in (None, drill.agency)]


def _as_due(drills: list[Drill]) -> list[Drill]:
    return sorted(drills, key=lambda drill: drill.scheduled_at)


class Canaries(Repository):
    def last(self, agency: str, component: str) -> Canary | None:
        return next(reversed(self.of(agency, component)), None)

    def of(self, agency: str, component: str) -> list[Canary]:
        mine = (row for key, row in self.records.canaries.items() if key[:2] == (agency, component))
        return sorted(mine, key=lambda canary: canary.number)

    def put(self, agency: str, component: str, canary: Canary) -> None:
        self.records.canaries[agency, component, canary.number] = canary

    def forget(self, agency: str, component: str, *, up_to: int | None = None, after: int | None = None) -> None:
        def goes(number: int) -> bool:
            return (up_to is None or number <= up_to) and (after is None or number > after)

        forget(self.records.canaries, lambda key, _: key[:2] == (agency, component) and goes(key[2]))
