"""Holding: backups outlive the service they were of, until somebody destroys them by an act of its own."""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import Happening
from orchestrator.domain.ordering.agency import AgencyRecord
from orchestrator.domain.recovery.held_backups import (
    KEPT_SECRETS,
    OPENS,
    HeldBackups,
    destruction_plan,
    reason_to_destroy,
)
from orchestrator.domain.runs.assignment import of_writer
from orchestrator.domain.runs.run import Run, StepRecord, StepState
from orchestrator.domain.selling.agreement import CallOff
from orchestrator.domain.selling.catalog import KEEPER, Verb
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.outside import Clock
from orchestrator.ports.runs import Assignment
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import find_agency
from orchestrator.usecases.runs.assigning import Assigning
from orchestrator.usecases.runs.driving import queue_run

HOLD = "hold"
"""What the keeper's role is told when it retires: whether backups stay."""


@dataclass(frozen=True)
class Holding:
    source: CatalogSource
    store: Store
    clock: Clock
    assigning: Assigning

    def held(self, agency: str | None = None) -> list[HeldBackups]:
        """What is held of an agency, or of all, the first to be destroyed in front."""
        with self.store.read() as tx:
            if agency is not None:
                find_agency(tx, agency)
            return tx.backups.held(agency)

    def reason(self, agency: str, *, early: str | None) -> str:
        """Why an agency's held backups may be destroyed now. Raises when there are none, or it is too early."""
        with self.store.read() as tx:
            return reason_to_destroy(_some(tx, agency), now=self.clock.now(), early=early)

    def open_run(self, agency: str, *, early: str | None = None) -> Run:
        """A queued run that destroys what is held of an agency."""
        with self.store.begin() as tx:
            held, now = _some(tx, agency), self.clock.now()
            because = reason_to_destroy(held, now=now, early=early)
            site = self.source.site(held[0].site)
            if lost := [one.host for one in held if one.host not in site.hosts]:
                raise OrchestratorError(
                    Kind.CONFLICT,
                    f"{', '.join(lost)}, where backups of {agency} are held, is no longer part of site {site.name}",
                    hint="put it back into the site's inventory until they are destroyed",
                )
            plan = destruction_plan(held, because=because)
            return queue_run(tx, tx.plans.add(plan, order=None, at=now), at=now)

    def password(self, agency: str, writer: str) -> str:
        """What opens one repository of an agency's held backups, for a restore by hand. It is called by its writer,
        `<component>.<host>`; one that all of the agency's hosts once shared, by the agency."""
        with self.store.read() as tx:
            _some(tx, agency)
            sealed = tx.secrets.of(agency, KEEPER)
        secret = self.assigning.secrets.open(sealed[OPENS])
        component, _, host = writer.partition(".")
        if writer != agency and not (component and host):
            raise OrchestratorError(
                Kind.INVALID,
                f"no repository of {agency} is called {writer!r}",
                hint="it has the name of its folder on the recovery host: COMPONENT.HOST, as service-desk.desk1",
            )
        return (secret if writer == agency else of_writer(component, host, secret)) + "\n"

    # Consequences of the steps

    def refuse_resuming(self, run: Run) -> None:
        """What was half destroyed is to be destroyed."""

    def begin_step(self, tx: Transaction, run: Run, step: StepRecord, happenings: list[Happening]) -> Assignment:
        del happenings
        instance = tx.instances.of(run.agency)[KEEPER]
        return self.assigning.assignment(tx, run, step, instance, besides={HOLD: False})

    def end_step(self, tx: Transaction, run: Run, step: StepRecord, happenings: list[Happening]) -> None:
        del happenings
        if step.state is not StepState.SUCCEEDED:
            return
        tx.backups.let_go(run.agency, step.hosts)
        if tx.backups.held(run.agency) or tx.instances.of(run.agency)[KEEPER].exists:
            return
        tx.secrets.forget(run.agency, KEEPER)
        tx.backups.forget_of(run.agency)
        if find_agency(tx, run.agency).offboarded_at is not None:
            tx.allocations.release(run.agency, list(tx.allocations.of(run.agency, site=run.site)))

    def end_run(self, tx: Transaction, run: Run, happenings: list[Happening]) -> None:
        """What was destroyed is recorded with the step."""


def _some(tx: Transaction, agency: str) -> list[HeldBackups]:
    find_agency(tx, agency)
    held = tx.backups.held(agency)
    if not held:
        raise OrchestratorError(
            Kind.NOT_FOUND,
            f"no backups of {agency} are held",
            hint="orchestrator backup held shows those there are; of an agency in service, backups stay with it",
        )
    return held


def note_held(tx: Transaction, run: Run, step: StepRecord, *, now: datetime, until: datetime) -> None:
    """Record what a step of the keeper that succeeded means for backups: they are held, or serve again."""
    if step.verb is Verb.PROVISION:
        tx.backups.let_go(run.agency, step.hosts)
    if step.verb is Verb.RETIRE and tx.backups.taken(run.agency):
        for function, hosts in step.placement.items():
            for host in hosts:
                tx.backups.hold(
                    HeldBackups(agency=run.agency, site=run.site, function=function, host=host, since=now, until=until)
                )


def forget_secrets(tx: Transaction, agency: str, component: str) -> None:
    """Of a component that is retired. What opens held backups stays."""
    kept = KEPT_SECRETS if component == KEEPER and tx.backups.held(agency) else ()
    tx.secrets.forget(agency, component, apart_from=kept)


def refuse_somebody_else(tx: Transaction, record: AgencyRecord | None, order: CallOff, *, renamed: bool) -> None:
    """An agency is told by its name as well: an order under another may be somebody else's. Held backups are given back
    to the agency they are of, where they are."""
    if record is None:
        return
    held = tx.backups.held(record.id) if record.offboarded_at is not None else []
    same = record.name == order.agency.name
    if held and not (same and record.site == order.site):
        raise OrchestratorError(
            Kind.CONFLICT,
            f"the id {record.id} is that of {record.name} at site {record.site}, whose backups are held until "
            f"{max(one.until for one in held):%Y-%m-%d}",
            hint=f"for another agency choose another id; {record.name} may come back by its name, to the same site; or "
            f"destroy the backups: orchestrator backup destroy {record.id}",
        )
    if not same and not renamed:
        raise OrchestratorError(
            Kind.CONFLICT,
            f"the id {record.id} is that of {record.name}, and this order is for {order.agency.name}",
            hint="for another agency choose another id; if it is the same under another name, add --renamed",
        )
