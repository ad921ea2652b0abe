"""Handing out: what one person logs in with is read once, for that person."""

from dataclasses import dataclass

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.accounts import password_secret, who_may_log_in
from orchestrator.domain.ordering.credentials import Credentials, authenticator
from orchestrator.domain.ordering.instance import existing
from orchestrator.domain.runs.assignment import password_of, totp_key_of
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.secrets import Secrets
from orchestrator.ports.store import Store
from orchestrator.usecases.finding import find_agency


@dataclass(frozen=True)
class HandingOut:
    source: CatalogSource
    store: Store
    secrets: Secrets

    def credentials(self, agency: str, component: str, person: str) -> Credentials:
        """What hosts accept from a person now. Raises NOT_FOUND if they are not in the service, or there is none, and
        CONFLICT before it was first provisioned."""
        catalog = self.source.catalog()
        with self.store.read() as tx:
            issuer, services = find_agency(tx, agency).name, existing(tx.instances.of(agency))
            sealed = {name: tx.secrets.of(agency, name) for name in services}
        if (instance := services.get(component)) is None:
            raise OrchestratorError(Kind.NOT_FOUND, f"{agency} has no {component}")
        found = catalog.components[component]
        named = [listed for listed in found.people if person in who_may_log_in(instance, listed, services, catalog)]
        if not named:
            besides = f" who is in {instance.accounts_from} as well" if instance.accounts_from else ""
            raise OrchestratorError(
                Kind.NOT_FOUND,
                f"there is nobody called {person!r} in {component} of {agency}{besides}",
                hint="name one of the people whom the call-off lists; a changed call-off must be applied first",
            )
        (source, secret), code = password_secret(instance, named[0], catalog), found.totp.get(named[0])
        if secret not in sealed[source] or (code and code not in sealed[component]):
            raise OrchestratorError(Kind.CONFLICT, f"{component} of {agency} has not been provisioned yet")
        key = totp_key_of(person, self.secrets.open(sealed[component][code])) if code else None
        return Credentials(
            person=person,
            password=password_of(person, self.secrets.open(sealed[source][secret])),
            authenticator=authenticator(person, key, issuer=issuer) if key else None,
        )
