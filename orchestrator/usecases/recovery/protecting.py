"""Protecting: taking backups when they are due, and reporting on them from the records."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import Happening
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.ordering.protection import protected
from orchestrator.domain.recovery.canary import exposures
from orchestrator.domain.recovery.drills import Drill, DrillState
from orchestrator.domain.recovery.recovery_plan import backup_interval, backup_plan
from orchestrator.domain.recovery.verdict import Moment
from orchestrator.domain.runs.run import Run, RunState, StepRecord
from orchestrator.domain.selling.catalog import KEEPER, RecoveryTarget
from orchestrator.domain.value import Value
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.outside import Clock
from orchestrator.ports.runs import Assignment
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import find_agency, in_service
from orchestrator.usecases.runs.assigning import Assigning
from orchestrator.usecases.runs.driving import Consequences, queue_run

AFTER_FAILURE = timedelta(minutes=15)
"""The time between a failed backup and the next attempt."""


class BackupView(Value):
    """How well a component of an agency is protected. Seconds; None if there is no backup yet."""

    agency: str
    component: str
    every_seconds: float
    objective_seconds: float
    last_started_at: datetime | None
    last_finished_at: datetime | None
    next_due_at: datetime | None
    worst_exposure_seconds: float | None


@dataclass(frozen=True)
class Protecting(Consequences):
    source: CatalogSource
    store: Store
    clock: Clock
    assigning: Assigning

    def open_run(self, agency: str, component: str | None = None) -> Run:
        """A queued run that backs up everything the agency has, or one component of it."""
        with self.store.begin() as tx:
            find_agency(tx, agency)
            components = protected(tx.instances.of(agency), self.source.catalog())
            if component is not None and component in components:
                components = (component,)
            elif not components or component is not None:
                raise unprotected(agency, component)
            return self._open(tx, agency, components)

    def open_due(self) -> list[Run]:
        """Queue the backups that are due, of agencies without an open run."""
        with self.store.read() as tx:
            last, made, drills = tx.backups.last_of_all(), _made(tx), _at_worst_moments(tx)
            late = [
                r.id
                for r, recorded in in_service(tx)
                if self._late(recorded, lambda i: last.get((i.agency, i.component)), made, drills)
            ]
            due = [agency for agency in late if not self._just_failed(tx, agency)]
        return [run for agency in due if (run := self._open_if_due(agency)) is not None]

    def protection(self, agency: str | None = None) -> list[BackupView]:
        """Every protected component, or those of one agency."""
        catalog = self.source.catalog()
        with self.store.read() as tx:
            return [
                self._view(tx, recorded[component])
                for _, recorded in in_service(tx, agency)
                for component in protected(recorded, catalog)
            ]

    # Consequences of the steps

    def begin_step(self, tx: Transaction, run: Run, step: StepRecord, happenings: list[Happening]) -> Assignment:
        del happenings
        return self.assigning.recovery_assignment(tx, run, step, tx.instances.of(run.agency)[step.component])

    # Inside

    def _open(self, tx: Transaction, agency: str, components: Sequence[str]) -> Run:
        now, recorded = self.clock.now(), tx.instances.of(agency)
        plan = backup_plan(agency, components, recorded=recorded, site=self.source.site(find_agency(tx, agency).site))
        return queue_run(tx, tx.plans.add(plan, order=None, at=now), at=now)

    def _open_if_due(self, agency: str) -> Run | None:
        """Checks again inside a writing transaction: another scheduler may have been quicker."""
        with self.store.begin() as tx:
            made, drills = _made(tx, agency), _at_worst_moments(tx)
            late = self._late(tx.instances.of(agency), lambda instance: _last_start(tx, instance), made, drills)
            if not late or tx.runs.open_of(agency) is not None or self._just_failed(tx, agency):
                return None
            return self._open(tx, agency, late)

    def _late(
        self,
        recorded: Mapping[str, ServiceInstance],
        last_start: Callable[[ServiceInstance], datetime | None],
        made: Mapping[tuple[str, str], datetime],
        drills: Mapping[tuple[str, str], Drill],
    ) -> tuple[str, ...]:
        """Components of an agency whose next backup should have begun by now: its time has come, or their secrets or
        those of their keeper have changed since the last one began, so nobody could open it or log in to what it
        contains.

        For a drill at the worst moment a backup is taken early, so that the next one is due when the drill is. That one
        is held back until the drill has begun.
        """
        now = self.clock.now()

        def is_late(instance: ServiceInstance) -> bool:
            before, interval = last_start(instance), backup_interval(self._target(instance))
            drill = drills.get((instance.agency, instance.component))
            if before is not None and drill is not None:
                if drill.scheduled_at <= now:
                    return False
                if before < drill.scheduled_at - interval <= now:
                    return True
            if before is None or before + interval <= now:
                return True
            return any(before < made.get((instance.agency, name), before) for name in (instance.component, KEEPER))

        return tuple(c for c in protected(recorded, self.source.catalog()) if is_late(recorded[c]))

    def _target(self, instance: ServiceInstance) -> RecoveryTarget:
        return self.source.catalog().tier(instance.component, instance.tier).objectives

    def _just_failed(self, tx: Transaction, agency: str) -> bool:
        run = next(iter(tx.runs.newest(agency=agency, limit=1)), None)
        if run is None or run.purpose is not Purpose.BACKUP or run.state is RunState.SUCCEEDED:
            return False
        return run.finished_at is not None and self.clock.now() - run.finished_at < AFTER_FAILURE

    def _view(self, tx: Transaction, instance: ServiceInstance) -> BackupView:
        target, taken = self._target(instance), tx.backups.newest(instance.agency, instance.component)
        last = taken[-1] if taken else None
        worst = max(exposures([(b.started_at, b.finished_at) for b in taken], now=self.clock.now()), default=None)
        return BackupView(
            agency=instance.agency,
            component=instance.component,
            every_seconds=backup_interval(target).total_seconds(),
            objective_seconds=target.rpo.total_seconds(),
            last_started_at=last.started_at if last else None,
            last_finished_at=last.finished_at if last else None,
            next_due_at=last.started_at + backup_interval(target) if last else None,
            worst_exposure_seconds=worst.total_seconds() if worst is not None else None,
        )


def _last_start(tx: Transaction, instance: ServiceInstance) -> datetime | None:
    last = tx.backups.newest(instance.agency, instance.component, limit=1)
    return last[-1].started_at if last else None


def _at_worst_moments(tx: Transaction) -> dict[tuple[str, str], Drill]:
    """The next approved drill at the worst moment of each component: (agency, component) -> drill."""
    found: dict[tuple[str, str], Drill] = {}
    for drill in tx.drills.in_state(DrillState.APPROVED):
        if drill.moment is Moment.WORST:
            found.setdefault((drill.agency, drill.component), drill)
    return found


def _made(tx: Transaction, agency: str | None = None) -> dict[tuple[str, str], datetime]:
    """(agency, component) -> when the newest of its secrets was made."""
    newest: dict[tuple[str, str], datetime] = {}
    for secret in tx.secrets.made(agency):
        place = (secret.agency, secret.component)
        newest[place] = max(secret.made_at, newest.get(place, secret.made_at))
    return newest


def unprotected(agency: str, component: str | None) -> OrchestratorError:
    what = f"{component} of {agency}" if component else agency
    return OrchestratorError(
        Kind.CONFLICT,
        f"{what} is not backed up",
        hint=f"backups need {KEEPER!r} and the component itself in service; see: orchestrator agency show {agency}",
    )
