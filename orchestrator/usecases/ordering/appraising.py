"""Appraising: what a plan destroys, according to the records and the hosts. Reads only."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrator.domain.errors import OrchestratorError
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.ordering.loss import Loss, LossKind
from orchestrator.domain.ordering.plan import Plan
from orchestrator.domain.selling.catalog import DESK, Verb, names_of
from orchestrator.domain.value import Value
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.outside import Clock, Hosts
from orchestrator.ports.store import Store, Transaction

LONG_AGO = datetime.min.replace(tzinfo=UTC)
KEPT = 10_000
"""The most backups that are counted."""


class Home(Value):
    """Somebody's folder on a host."""

    host: str
    path: str
    files: int
    bytes: int
    changed: datetime


class Appraisal(Value):
    """What is destroyed of a component. `backups` counts those on record; `unseen` says why hosts gave no answer."""

    component: str
    kind: LossKind
    names: tuple[str, ...]
    final_backup: bool
    backups: int
    last_backup_at: datetime | None
    tickets: int | None
    """Incidents that were read from the service desk; None for other components."""
    open_tickets: int | None
    oldest_ticket_at: datetime | None
    homes: tuple[Home, ...]
    unseen: tuple[str, ...]


@dataclass(frozen=True)
class Appraising:
    """`program` describes folders on a host."""

    source: CatalogSource
    store: Store
    clock: Clock
    hosts: Hosts
    program: str

    def losses(self, plan: Plan) -> list[Appraisal]:
        """Each loss of a plan, in the order of its changes."""
        with self.store.read() as tx:
            recorded = tx.instances.of(plan.agency)
            found = [
                self._appraise(tx, plan, recorded[change.component], loss)
                for change in plan.changes
                for loss in change.destroys
            ]
        return [self._looked_at(plan, recorded[one.component], one) for one in found]

    # Inside

    def _appraise(self, tx: Transaction, plan: Plan, instance: ServiceInstance, loss: Loss) -> Appraisal:
        taken = tx.backups.newest(plan.agency, instance.component, limit=KEPT)
        desk = instance.component == DESK and loss.kind is LossKind.COMPONENT
        tickets = list(tx.incidents.within(plan.agency, LONG_AGO, self.clock.now()).values()) if desk else []
        return Appraisal(
            component=instance.component,
            kind=loss.kind,
            names=loss.names,
            final_backup=any(s.verb is Verb.BACKUP and s.component == instance.component for s in plan.steps),
            backups=len(taken),
            last_backup_at=taken[-1].finished_at if taken else None,
            tickets=len(tickets) if desk else None,
            open_tickets=sum(ticket.fixed_at is None for ticket in tickets) if desk else None,
            oldest_ticket_at=min((ticket.reported_at for ticket in tickets), default=None),
            homes=(),
            unseen=(),
        )

    def _looked_at(self, plan: Plan, instance: ServiceInstance, one: Appraisal) -> Appraisal:
        """The appraisal with the homes that exist now."""
        site, homes, unseen = self.source.site(plan.site), list[Home](), list[str]()
        for host, folders in self._folders(instance, one).items():
            try:
                with self.hosts.connect(site, host) as connected:
                    homes += _homes(host, connected.as_root(self.program, folders))
            except OrchestratorError as error:
                unseen.append(error.message)
        return one.model_copy(update={"homes": tuple(homes), "unseen": tuple(unseen)})

    def _folders(self, instance: ServiceInstance, one: Appraisal) -> Mapping[str, Sequence[str]]:
        """Host -> the homes that are destroyed there."""
        homes = self.source.catalog().components[instance.component].homes
        if homes is None:
            return {}
        people = one.names if one.kind is LossKind.PEOPLE else names_of(instance.parameters.get(homes.people, ()))
        hosts = [h for h in instance.hosts.get(homes.function, ()) if one.kind is not LossKind.HOSTS or h in one.names]
        paths = [homes.path.format(person=person, agency_id=instance.agency) for person in people]
        return {host: paths for host in hosts if paths}


def _homes(host: str, said: str) -> Iterator[Home]:
    for line in said.splitlines():
        told = json.loads(line)
        told["changed"] = datetime.fromtimestamp(told["changed"], UTC)
        yield Home(host=host, **told)
