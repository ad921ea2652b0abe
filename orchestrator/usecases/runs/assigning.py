"""Assigning: everything that a step needs, including secrets, which are in the clear and never stored."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from orchestrator.domain.estate.allocation import values
from orchestrator.domain.estate.site import hosts_in
from orchestrator.domain.ordering.accounts import who_may_log_in
from orchestrator.domain.ordering.certificates import certified
from orchestrator.domain.ordering.instance import ServiceInstance, existing
from orchestrator.domain.ordering.reachability import Reachability
from orchestrator.domain.runs.assignment import (
    accounts_known,
    addresses,
    agency_facts,
    host_variables,
    names_with,
    passwords,
    roles_beside,
    secrets_variable,
    writer_of,
)
from orchestrator.domain.runs.run import Run, StepRecord
from orchestrator.domain.selling.catalog import KEEPER, KEEPER_PORTS, Component, names_of
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.outside import Clock
from orchestrator.ports.runs import Assignment
from orchestrator.ports.secrets import Secrets
from orchestrator.ports.store import Transaction
from orchestrator.usecases.finding import find_agency

NOTHING: Mapping[str, str] = MappingProxyType({})


class Vouched(NamedTuple):
    """The secret from which a service's people have their passwords, if another service vouches for them, and the
    secrets that the role is given besides its own."""

    password: str | None = None
    secrets: Mapping[str, str] = {}


@dataclass(frozen=True)
class Assigning:
    source: CatalogSource
    clock: Clock
    secrets: Secrets

    def assignment(
        self,
        tx: Transaction,
        run: Run,
        step: StepRecord,
        instance: ServiceInstance,
        *,
        services: Mapping[str, ServiceInstance] | None = None,
        besides: Mapping[str, Any] | None = None,
    ) -> Assignment:
        """The assignment of one step, with the newest secrets. `services` is what the agency will have, if that differs
        from the records; `besides` is what only some verbs need."""
        component = self.source.catalog().components[step.component]
        secrets = self.component_secrets(tx, run.agency, component, newest=True)
        assignment = self._assignment(tx, run, step, instance, secrets=secrets, services=services, besides=besides)
        if step.component != KEEPER:
            return assignment
        # The keeper uses the repository itself, to verify it.
        return replace(assignment, writers={h: writer_of(KEEPER, h, secrets) for h in hosts_in(step.placement)})

    def recovery_assignment(
        self,
        tx: Transaction,
        run: Run,
        step: StepRecord,
        instance: ServiceInstance,
        *,
        sources: Mapping[str, str] = NOTHING,
        services: Mapping[str, ServiceInstance] | None = None,
        bubble: Mapping[str, Any] | None = None,
    ) -> Assignment:
        """The same for a step that takes or restores a backup. The role is also told where backups are kept, and each
        host how to access its own, or those of the host that `sources` names for it. In a drill, `bubble` is where to
        restore to on the recovery host."""
        component, kept = self.source.catalog().components[step.component], self.keeper_secrets(tx, run.agency)
        secrets = self.component_secrets(tx, run.agency, component)
        if authority := kept.get("authority_key"):
            secrets["recovery_authority_key"] = authority
        besides: dict[str, Any] = {"recovery": self._recovery(tx, run, component)}
        if bubble is not None:
            besides["bubble"] = dict(bubble)
        assignment = self._assignment(tx, run, step, instance, secrets=secrets, services=services, besides=besides)
        writers = {h: writer_of(step.component, sources.get(h, h), kept) for h in hosts_in(step.placement)}
        keeper = None if bubble is not None else hosts_in(tx.instances.of(run.agency)[KEEPER].hosts)[0]
        return replace(assignment, writers=writers, keeper=keeper)

    def keeper_secrets(self, tx: Transaction, agency: str) -> dict[str, str]:
        """The secrets that open the agency's backups."""
        return self.component_secrets(tx, agency, self.source.catalog().components[KEEPER])

    def introduction(self, tx: Transaction, instance: ServiceInstance) -> dict[str, Any]:
        """What a user of the component is told: whose it is, where it is, who may log in, and how."""
        record = find_agency(tx, instance.agency)
        component, site = self.source.catalog().components[instance.component], self.source.site(record.site)
        allocated = values(tx.allocations.of(instance.agency, site=site.name))
        hosts, services = addresses(instance.hosts, site), existing(tx.instances.of(instance.agency))
        secrets = self.component_secrets(tx, instance.agency, component)
        vouched = self._vouched(tx, instance, services)
        allowed = {p: who_may_log_in(instance, p, services, self.source.catalog()) for p in component.people}
        may = {p: [one for one in instance.parameters.get(p, ()) if names_of([one])[0] in allowed[p]] for p in allowed}
        return {
            "address": next(host["address"] for function in hosts.values() for host in function),
            "agency": agency_facts(record.call_off.agency, number=allocated.pop("number", None), site=site),
            "parameters": {**instance.parameters, **may},
            "secrets": {**secrets, **passwords(component, instance.parameters, secrets, vouched=vouched.password)},
            "hosts": hosts,
            "allocation": allocated,
        }

    def _recovery(self, tx: Transaction, run: Run, component: Component) -> dict[str, Any]:
        """Where the agency's backups are kept."""
        site, number = self.source.site(run.site), tx.allocations.of(run.agency, site=run.site)["number"].block
        keeper = tx.instances.of(run.agency)[KEEPER]
        address = site.hosts[hosts_in(keeper.hosts)[0]].address
        port = KEEPER_PORTS + int(number)
        repository = f"rest:https://{address}:{port}/"
        return {"address": address, "port": port, "repository": repository, "tag": component.component}

    def _assignment(
        self,
        tx: Transaction,
        run: Run,
        step: StepRecord,
        instance: ServiceInstance,
        *,
        secrets: Mapping[str, str],
        services: Mapping[str, ServiceInstance] | None = None,
        besides: Mapping[str, Any] | None = None,
    ) -> Assignment:
        record, recorded = find_agency(tx, run.agency), tx.instances.of(run.agency)
        catalog, site = self.source.catalog(), self.source.site(run.site)
        component, allocations = catalog.components[step.component], tx.allocations.of(run.agency, site=run.site)
        needed = {n: i.hosts for n, i in recorded.items() if n in component.needs}
        present = existing(recorded) if services is None else services
        vouched = self._vouched(tx, instance, present)
        return Assignment(
            run=run.id,
            step=step.id,
            role=component.role_name,
            verb=step.verb,
            site=site,
            variables=host_variables(
                component,
                instance,
                placement=step.placement,
                agency=record.call_off.agency,
                allocations=allocations,
                needed=needed,
                site=site,
                reachability=Reachability(present, catalog=catalog, allocations=allocations, site=site),
                beside=roles_beside(component, existing(recorded), catalog.components),
                namesakes=names_with(run.agency, (other.id for other in tx.agencies.all())),
                certified=certified(f"{run.agency}.{site.domain}", run.created_at) if component.certified else None,
                accounts=accounts_known(instance, present, catalog, site=site, allocations=allocations),
                described=instance.hosts if besides else None,
                besides=besides,
            ),
            secrets={**secrets, **vouched.secrets},
            passwords=passwords(component, instance.parameters, secrets, vouched=vouched.password),
            secrets_variable=secrets_variable(component),
            timeout=component.timeout(step.verb),
        )

    def _vouched(self, tx: Transaction, instance: ServiceInstance, services: Mapping[str, ServiceInstance]) -> Vouched:
        """What hosts of the service that vouches for the instance's people had when last verified: its new secrets are
        in force only then."""
        if (source := instance.accounts_from) is None or source not in services:
            return Vouched()
        component = self.source.catalog().components[source]
        assert component.vouches
        secrets = self.component_secrets(tx, instance.agency, component)
        password, authority = component.people[component.vouches.people], component.vouches.authority
        return Vouched(secrets[password], {"accounts_authority_key": secrets[authority]})

    def component_secrets(
        self, tx: Transaction, agency: str, component: Component, *, newest: bool = False
    ) -> dict[str, str]:
        """The component's secrets for the agency, in the clear; missing ones are made. With `newest` they are those
        that hosts should have, otherwise those that hosts had when last verified."""
        sealed = tx.secrets.of(agency, component.component)
        if newest:
            sealed |= tx.secrets.proposed(agency).get(component.component, {})
        clear = {name: self.secrets.open(token) for name, token in sealed.items() if name in component.secrets}
        for name, kind in component.secrets.items():
            if name not in clear:
                clear[name] = self.secrets.generate(kind)
                token = self.secrets.seal(clear[name])
                tx.secrets.add(agency, component.component, name, token, at=self.clock.now())
        return clear
