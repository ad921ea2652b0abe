"""Declaring: planned maintenance, time that the agency excuses, and outages that nothing measured."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from orchestrator.domain.calendars.local_time import stated_instant
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.service_levels.declaration import KINDS, Declaration
from orchestrator.domain.service_levels.declaration_kind import DeclarationKind
from orchestrator.domain.service_levels.record import Acceptance, Exclusion, Maintenance
from orchestrator.domain.service_levels.terms import ServiceTerms
from orchestrator.domain.value import Value
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.outside import Clock
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import find_agency


class DeclarationView(Value):
    """`objection` is why the declaration changes nothing; None if it counts."""

    declaration: int
    kind: DeclarationKind
    agency: str
    component: str | None
    starts_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    why: str
    accepted_by: str | None
    accepted_at: datetime | None
    objection: str | None


@dataclass(frozen=True)
class Declaring:
    source: CatalogSource
    store: Store
    clock: Clock

    def declare(
        self, kind: DeclarationKind, agency: str, component: str | None, *, start: datetime, end: datetime, why: str
    ) -> DeclarationView:
        """Times without an offset are in the time zone of the agency's agreement. Times that this zone shows twice or
        never, and an end before the start, are INVALID."""
        with self.store.begin() as tx:
            terms = self._terms(tx, agency)
            self._refuse_unknown(tx, agency, component)
            start, end = (stated_instant(at, terms.hours.zone) for at in (start, end))
            what = _stretch(kind, start=start, end=end, why=why, now=self.clock.now())
            declared = tx.declarations.add(Declaration(id=0, agency=agency, component=component, why=why, what=what))
            return declaration_view(declared, terms)

    def accept(self, declaration: int, *, by: str) -> DeclarationView:
        """Record that the agency accepts a declaration."""
        with self.store.begin() as tx:
            found = _find(tx, declaration)
            return self._keep(tx, found.accepted(Acceptance(by=by, at=self.clock.now())))

    def end(self, declaration: int, *, at: datetime | None = None) -> DeclarationView:
        """Record that maintenance ended, now or at an instant."""
        with self.store.begin() as tx:
            found = _find(tx, declaration)
            ended_at = stated_instant(at, self._terms(tx, found.agency).hours.zone) if at else self.clock.now()
            return self._keep(tx, found.ended(ended_at))

    def newest(self, agency: str | None = None, *, limit: int = 50) -> list[DeclarationView]:
        with self.store.read() as tx:
            if agency is not None:
                find_agency(tx, agency)
            found = tx.declarations.newest(agency=agency, limit=limit)
            return [declaration_view(declared, self._terms(tx, declared.agency)) for declared in found]

    # Inside

    def _terms(self, tx: Transaction, agency: str) -> ServiceTerms:
        return self.source.agreements()[find_agency(tx, agency).framework].service_levels

    def _refuse_unknown(self, tx: Transaction, agency: str, component: str | None) -> None:
        had = tx.instances.of(agency)
        if component is not None and component not in had:
            raise OrchestratorError(
                Kind.NOT_FOUND, f"{agency} has no {component!r}", hint=f"it has: {', '.join(sorted(had)) or 'nothing'}"
            )

    def _keep(self, tx: Transaction, declaration: Declaration) -> DeclarationView:
        tx.declarations.put(declaration)
        return declaration_view(declaration, self._terms(tx, declaration.agency))


def declaration_view(declared: Declaration, terms: ServiceTerms) -> DeclarationView:
    what = declared.what
    acceptance = what.acceptance if isinstance(what, Maintenance | Exclusion) else None
    return DeclarationView(
        declaration=declared.id,
        kind=declared.kind,
        agency=declared.agency,
        component=declared.component,
        starts_at=what.start,
        ends_at=what.end,
        ended_at=what.ended_at if isinstance(what, Maintenance) else None,
        why=declared.why,
        accepted_by=acceptance.by if acceptance else None,
        accepted_at=acceptance.at if acceptance else None,
        objection=_objection(declared, terms),
    )


def _objection(declared: Declaration, terms: ServiceTerms) -> str | None:
    what = declared.what
    if isinstance(what, Maintenance):
        return what.refuse(terms.maintenance_notice)
    return what.refuse() if isinstance(what, Exclusion) else None


def _stretch(kind: DeclarationKind, *, start: datetime, end: datetime, why: str, now: datetime) -> Any:
    about = {
        DeclarationKind.MAINTENANCE: {"announced_at": now},
        DeclarationKind.EXCLUSION: {"why": why},
        DeclarationKind.OUTAGE: {"reference": why},
    }[kind]
    try:
        return KINDS[kind](start=start, end=end, **about)  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = "; ".join(problem["msg"].removeprefix("Value error, ") for problem in error.errors())
        raise OrchestratorError(Kind.INVALID, f"this {kind.value} is invalid: {wrong}") from None


def _find(tx: Transaction, declaration: int) -> Declaration:
    found = tx.declarations.get(declaration)
    if found is None:
        raise OrchestratorError(
            Kind.NOT_FOUND, f"there is no declaration {declaration}", hint="orchestrator sla declarations shows them"
        )
    return found
