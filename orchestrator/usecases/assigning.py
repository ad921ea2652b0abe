"""Assigning: everything one step needs to be carried out, secrets included, in the clear and never stored."""

from dataclasses import dataclass

from orchestrator.domain.assignment import host_variables, secrets_variable
from orchestrator.domain.catalog import Component
from orchestrator.domain.instance import ServiceInstance
from orchestrator.domain.run import Run, StepRecord
from orchestrator.usecases.finding import find_agency
from orchestrator.usecases.ports import Assignment, CatalogSource, Clock, Secrets, Transaction


@dataclass(frozen=True)
class Assigning:
    source: CatalogSource
    clock: Clock
    secrets: Secrets

    def assignment(self, tx: Transaction, run: Run, step: StepRecord, instance: ServiceInstance) -> Assignment:
        record = find_agency(tx, run.agency)
        component, site = self.source.catalog().components[step.component], self.source.site(run.site)
        needed = {n: i.hosts for n, i in tx.instances.of(run.agency).items() if n in component.needs}
        return Assignment(
            run=run.id,
            step=step.id,
            role=component.role,
            verb=step.verb,
            site=site,
            variables=host_variables(
                component,
                instance,
                placement=step.placement,
                agency=record.call_off.agency,
                allocations=tx.allocations.of(run.agency, site=run.site),
                needed=needed,
                site=site,
            ),
            secrets=self.component_secrets(tx, run.agency, component),
            secrets_variable=secrets_variable(component),
            timeout=component.timeout(step.verb),
        )

    def component_secrets(self, tx: Transaction, agency: str, component: Component) -> dict[str, str]:
        """The component's secrets for the agency, in the clear; those that do not exist yet are made."""
        sealed = tx.secrets.of(agency, component.component)
        clear = {name: self.secrets.open(token) for name, token in sealed.items() if name in component.secrets}
        for name, kind in component.secrets.items():
            if name not in clear:
                clear[name] = self.secrets.generate(kind)
                token = self.secrets.seal(clear[name])
                tx.secrets.add(agency, component.component, name, token, at=self.clock.now())
        return clear
