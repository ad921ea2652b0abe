"""Handing out: what one person logs in with is read once, for that person."""

from dataclasses import dataclass

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.credentials import Credentials, authenticator
from orchestrator.domain.runs.assignment import password_of, totp_key_of
from orchestrator.domain.selling.catalog import names_of
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
        with self.store.read() as tx:
            issuer = find_agency(tx, agency).name
            instance = tx.instances.of(agency).get(component)
            sealed = tx.secrets.of(agency, component)
        if instance is None or not instance.exists:
            raise OrchestratorError(Kind.NOT_FOUND, f"{agency} has no {component}")
        found = self.source.catalog().components[component]
        named = [listed for listed in found.people if person in names_of(instance.parameters.get(listed, ()))]
        if not named:
            raise OrchestratorError(
                Kind.NOT_FOUND,
                f"there is nobody called {person!r} in {component} of {agency}",
                hint="name one of the people whom the call-off lists; a changed call-off must be applied first",
            )
        secret, code = found.people[named[0]], found.totp.get(named[0])
        if secret not in sealed or (code and code not in sealed):
            raise OrchestratorError(Kind.CONFLICT, f"{component} of {agency} has not been provisioned yet")
        key = totp_key_of(person, self.secrets.open(sealed[code])) if code else None
        return Credentials(
            person=person,
            password=password_of(person, self.secrets.open(sealed[secret])),
            authenticator=authenticator(person, key, issuer=issuer) if key else None,
        )
