"""Holding: backups outlive their service until somebody explicitly destroys them."""

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
from orchestrator.usecases.runs.driving import Consequences, queue_run

HOLD = "hold"
"""The variable that tells the keeper's role, when it retires, whether backups stay."""


@dataclass(frozen=True)
class Holding(Consequences):
    source: CatalogSource
    store: Store
    clock: Clock
    assigning: Assigning

    def held(self, agency: str | None = None) -> list[HeldBackups]:
        """Held backups of an agency, or of all agencies, the first to be destroyed first."""
        with self.store.read() as tx:
            if agency is not None:
                find_agency(tx, agency)
            return tx.backups.held(agency)

    def reason(self, agency: str, *, early: str | None) -> str:
        """Why an agency's held backups may be destroyed now. Raises if there are none, or it is too early."""
        with self.store.read() as tx:
            return reason_to_destroy(_some(tx, agency), now=self.clock.now(), early=early)

    def open_run(self, agency: str, *, early: str | None = None) -> Run:
        """A queued run that destroys the held backups of an agency."""
        with self.store.begin() as tx:
            held, now = _some(tx, agency), self.clock.now()
            because = reason_to_destroy(held, now=now, early=early)
            site = self.source.site(held[0].site)
            if lost := [one.host for one in held if one.host not in site.hosts]:
                raise OrchestratorError(
                    Kind.CONFLICT,
                    f"{', '.join(lost)}, where backups of {agency} are held, no longer belongs to site {site.name}",
                    hint="put it back into the site's inventory until they are destroyed",
                )
            plan = destruction_plan(held, because=because)
            return queue_run(tx, tx.plans.add(plan, order=None, at=now), at=now)

    def password(self, agency: str, writer: str) -> str:
        """The password of one repository of an agency's held backups, for a restore by hand. A repository is named
        after its writer, `<component>.<host>`; an older one that all hosts of the agency shared, after the agency."""
        with self.store.read() as tx:
            _some(tx, agency)
            sealed = tx.secrets.of(agency, KEEPER)
        secret = self.assigning.secrets.open(sealed[OPENS])
        component, _, host = writer.partition(".")
        if writer != agency and not (component and host):
            raise OrchestratorError(
                Kind.INVALID,
                f"{agency} has no repository called {writer!r}",
                hint="use the name of its folder on the recovery host, COMPONENT.HOST, such as service-desk.desk1",
            )
        return (secret if writer == agency else of_writer(component, host, secret)) + "\n"

    # Consequences of the steps

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


def _some(tx: Transaction, agency: str) -> list[HeldBackups]:
    find_agency(tx, agency)
    held = tx.backups.held(agency)
    if not held:
        raise OrchestratorError(
            Kind.NOT_FOUND,
            f"no backups of {agency} are held",
            hint="orchestrator backup held lists held backups; an agency in service keeps its backups itself",
        )
    return held


def note_held(tx: Transaction, run: Run, step: StepRecord, *, now: datetime, until: datetime) -> None:
    """Record what a successful step of the keeper means for backups: they are held, or in use again."""
    if step.verb is Verb.PROVISION:
        tx.backups.let_go(run.agency, step.hosts)
    if step.verb is Verb.RETIRE and tx.backups.taken(run.agency):
        for function, hosts in step.placement.items():
            for host in hosts:
                tx.backups.hold(
                    HeldBackups(agency=run.agency, site=run.site, function=function, host=host, since=now, until=until)
                )


def forget_secrets(tx: Transaction, agency: str, component: str) -> None:
    """Delete the secrets of a retired component, except those that open held backups."""
    kept = KEPT_SECRETS if component == KEEPER and tx.backups.held(agency) else ()
    tx.secrets.forget(agency, component, apart_from=kept)


def refuse_somebody_else(tx: Transaction, record: AgencyRecord | None, order: CallOff, *, renamed: bool) -> None:
    """Raise if an order under a known id may be for another agency: the names differ. Held backups are given back only
    to the agency they belong to, at the site where they are."""
    if record is None:
        return
    held = tx.backups.held(record.id) if record.offboarded_at is not None else []
    same = record.name == order.agency.name
    if held and not (same and record.site == order.site):
        raise OrchestratorError(
            Kind.CONFLICT,
            f"the id {record.id} belongs to {record.name} at site {record.site}, whose backups are held until "
            f"{max(one.until for one in held):%Y-%m-%d}",
            hint=f"for another agency choose another id; {record.name} may return under its name, to the same site; or "
            f"destroy the backups: orchestrator backup destroy {record.id}",
        )
    if not same and not renamed:
        raise OrchestratorError(
            Kind.CONFLICT,
            f"the id {record.id} belongs to {record.name}, but this order is for {order.agency.name}",
            hint="for another agency choose another id; if the agency was renamed, add --renamed",
        )
