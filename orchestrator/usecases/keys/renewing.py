"""Renewing: replacing secrets of an agency's services, and certificates before they expire.

A replacement is kept beside the secret, and hosts are given the replacement from then on. The next run that changes the
service provisions it, and once that is verified the old secret is deleted. Whatever interrupts this, both are kept
until one is known to be in force.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.agency import AgencyRecord
from orchestrator.domain.ordering.certificates import certified, superseded
from orchestrator.domain.ordering.instance import InstanceState, ServiceInstance
from orchestrator.domain.ordering.plan import Effect, Plan
from orchestrator.domain.runs.run import Run
from orchestrator.domain.runs.run_options import Priority, RunOptions
from orchestrator.domain.selling.catalog import SecretKind
from orchestrator.domain.value import Value
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.outside import Clock
from orchestrator.ports.secrets import MadeSecret, Secrets
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import find_agency, in_service
from orchestrator.usecases.ordering.planning import CERTIFICATES, Planning
from orchestrator.usecases.ordering.provisioning import Provisioning

log = logging.getLogger(__name__)


class SecretView(Value):
    """That there is a secret, what it is for and since when; never the secret itself. `replaced` says that a
    replacement is pending. `certificates_end` is when certificates issued by it expire; None unless it is an authority
    in service."""

    agency: str
    component: str
    name: str
    kind: SecretKind | None
    made_at: datetime
    replaced: bool
    certificates_end: datetime | None


@dataclass(frozen=True)
class Renewing:
    source: CatalogSource
    store: Store
    clock: Clock
    secrets: Secrets
    planning: Planning
    provisioning: Provisioning

    def listed(self, agency: str | None = None) -> list[SecretView]:
        """Every secret of an agency, or of all agencies."""
        with self.store.read() as tx:
            if agency is not None:
                find_agency(tx, agency)
            made = tx.secrets.made(agency)
            names = sorted({one.agency for one in made})
            return [view for name in names for view in self._views(tx, name, [m for m in made if m.agency == name])]

    def named(self, agency: str, component: str | None = None, name: str | None = None) -> list[SecretView]:
        """Secrets that would be replaced: all of an agency, of a component, or one. Raises NOT_FOUND if there are
        none."""
        found = [
            view for view in self.listed(agency) if component in (None, view.component) and name in (None, view.name)
        ]
        if not found:
            raise _nothing_to_replace(agency, component, name)
        return found

    def propose(self, agency: str, component: str | None = None, name: str | None = None) -> list[SecretView]:
        """Make replacements for those secrets. A replacement that is pending already is kept."""
        named = self.named(agency, component, name)
        with self.store.begin() as tx:
            if (run := tx.runs.open_of(agency)) is not None:
                raise OrchestratorError(
                    Kind.CONFLICT,
                    f"run {run.id} of {agency} is {run.state.value} and must end with the secrets it began with",
                    hint=f"follow it with: orchestrator run follow {run.id}, then run this again",
                )
            proposed = tx.secrets.proposed(agency)
            for view in named:
                if view.kind and view.name not in proposed.get(view.component, {}):
                    token = self.secrets.seal(self.secrets.generate(view.kind))
                    tx.secrets.propose((agency, view.component, view.name), token)
        return named

    def open_run(self, agency: str) -> Run:
        """A queued run of the recorded order, which gives hosts the secrets that they do not have yet."""
        with self.store.read() as tx:
            order = find_agency(tx, agency).call_off
        return self.provisioning.open_run(self.planning.plan(order).id)

    def renew_certificates(self) -> list[Run]:
        """Queue runs of agencies whose certificates expire within half a year. A plan that would change anything else
        is left to people."""
        with self.store.read() as tx:
            records = [record for record, recorded in in_service(tx) if self._is_due(tx, record, recorded.values())]
        return [run for record in records if (run := self._renew(record)) is not None]

    # Inside

    def _views(self, tx: Transaction, agency: str, made: Sequence[MadeSecret]) -> list[SecretView]:
        catalog, recorded = self.source.catalog(), tx.instances.of(agency)
        domain = f"{agency}.{self.source.site(find_agency(tx, agency).site).domain}"
        views = []
        for one in made:
            component = catalog.components.get(one.component)
            kind = component.secrets.get(one.name) if component else None
            instance = recorded.get(one.component)
            issued = instance is not None and instance.exists and kind is SecretKind.AUTHORITY
            ends = certified(domain, instance.changed_at).ends if instance and issued else None
            views.append(SecretView(**one._asdict(), kind=kind, certificates_end=ends))
        return views

    def _is_due(self, tx: Transaction, record: AgencyRecord, recorded: Iterable[ServiceInstance]) -> bool:
        domain, now = f"{record.id}.{self.source.site(record.site).domain}", self.clock.now()
        components = self.source.catalog().components
        return tx.runs.open_of(record.id) is None and any(
            components[instance.component].certified
            and instance.state is InstanceState.IN_SERVICE
            and superseded(domain, issued=instance.changed_at, now=now)
            for instance in recorded
        )

    def _renew(self, record: AgencyRecord) -> Run | None:
        try:
            stored = self.planning.plan(record.call_off)
            if _renews_certificates_alone(stored.plan):
                return self.provisioning.open_run(stored.id, RunOptions(priority=Priority.DRIFT))
            log.warning("certificates of %s are due, but its plan changes more: apply its call-off", record.id)
        except OrchestratorError as error:
            log.warning("certificates of %s were not renewed: %s", record.id, error.message)
        return None


def _renews_certificates_alone(plan: Plan) -> bool:
    changes = [change for change in plan.changes if change.effect is not Effect.NONE]
    return bool(changes) and all([f.path for f in change.fields] == [CERTIFICATES] for change in changes)


def _nothing_to_replace(agency: str, component: str | None, name: str | None) -> OrchestratorError:
    what = " ".join(part for part in (agency, component, name) if part)
    return OrchestratorError(
        Kind.NOT_FOUND, f"there is no secret of {what}", hint=f"see: orchestrator secret list {agency}"
    )
