"""Framework agreements: who may buy what, on which terms, for how long and up to how much."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from difflib import get_close_matches
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field

from orchestrator.domain.identifiers import AgencyId, Identifier, Name
from orchestrator.domain.selling.catalog import Catalog
from orchestrator.domain.selling.drill_policy import RecoveryTerms
from orchestrator.domain.selling.prices import PriceLine, SeatPrice
from orchestrator.domain.selling.service_order import ServiceOrder
from orchestrator.domain.service_levels.terms import ServiceTerms
from orchestrator.domain.text_types import EMAIL_ADDRESS, LINE
from orchestrator.domain.value import Value

HELD = timedelta(days=30)
"""How long backups are kept after the service has ended, unless the agreement specifies it."""


class Term(Value):
    """From `start`, for `months` whole months."""

    start: date
    months: Annotated[int, Field(ge=1, le=240)]

    @property
    def end(self) -> date:
        """The first day after the term: the day of the month on which it started, by the corresponding date rule. In a
        month without that day, the term covers the whole month (Dodds v Walker [1981] 1 WLR 1027)."""
        years, month = divmod(self.start.month - 1 + self.months, 12)
        first = date(self.start.year + years, month + 1, 1)
        same_day = first + timedelta(days=self.start.day - 1)
        following = (first + timedelta(days=31)).replace(day=1)
        return min(same_day, following)


class Lot(Value):
    """`scope` maps the contract's wording to the components in the catalog that deliver it; to none while none does."""

    title: str
    scope: Mapping[Annotated[str, LINE.field], tuple[Identifier, ...]]

    @property
    def components(self) -> tuple[Identifier, ...]:
        """Everything that can be bought under the lot."""
        return tuple(dict.fromkeys(component for delivering in self.scope.values() for component in delivering))

    @property
    def document(self) -> dict[str, Any]:
        """Its part of the agreement's document, as before scope said what delivers each line."""
        return {"title": self.title, "scope": list(self.scope), "components": list(self.components)}


Bodies = Annotated[tuple[Annotated[str, LINE.field], ...], Field(min_length=1)]
"""Names of bodies, as call-offs write them."""

ALIKE = 0.9
"""How alike two names must be for one to be taken for a misspelling of the other: most begin with the same words."""


class FrameworkAgreement(Value):
    framework: Identifier
    title: str
    description: str
    authority: str
    supplier: str
    term: Term
    first_call_off: str | None = Field(default=None, exclude_if=lambda first: first is None)
    ceiling: Annotated[Decimal, Field(gt=0, decimal_places=2)]
    eligible_classes: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    eligible_bodies: Mapping[Identifier, Bodies] = Field(default={}, exclude_if=lambda bodies: not bodies)
    """class -> the only bodies of that class that may buy. Of other eligible classes, every body may."""
    lots: Mapping[Name, Lot]
    seat_price: SeatPrice | None = Field(default=None, exclude_if=lambda price: price is None)
    price_lines: tuple[PriceLine, ...] = Field(default=(), exclude_if=lambda lines: not lines)
    """Prices of components that replace those of the catalog."""
    service_levels: ServiceTerms
    backups_held: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=3660))] = Field(
        default=HELD, exclude_if=lambda held: held == HELD
    )
    """How long backups are kept after the service has ended."""
    sources: Mapping[Name, str] = Field(default={}, exclude=True)
    """field -> where it comes from, or that it is illustrative. Nothing is computed from it."""

    @cached_property
    def document(self) -> dict[str, Any]:
        """The JSON-compatible form, which every plan's digest covers. Optional fields are left out if they say nothing,
        so that digests are the same as before these fields existed."""
        return {**self.model_dump(mode="json"), "lots": {lot: terms.document for lot, terms in self.lots.items()}}

    def as_written(self) -> dict[str, Any]:
        """The agreement as its file says it, and its sources."""
        return {**self.model_dump(mode="json"), **({"sources": dict(self.sources)} if self.sources else {})}

    @property
    def offered(self) -> dict[str, str]:
        """component -> the lot under which it is bought."""
        return {component: lot for lot, terms in self.lots.items() for component in terms.components}

    def refuse_class(self, agency_class: str) -> str | None:
        if agency_class in self.eligible_classes:
            return None
        return f"class {agency_class!r} may not buy under {self.title}; eligible: {', '.join(self.eligible_classes)}"

    def refuse_body(self, agency_class: str, name: str) -> str | None:
        """Why a body of an eligible class may not buy."""
        bodies = self.eligible_bodies.get(agency_class)
        if bodies is None or name in bodies:
            return None
        close = get_close_matches(name, bodies, n=1, cutoff=ALIKE)
        right = f"did you mean {close[0]!r}?" if close else f"eligible: {', '.join(bodies)}"
        return f"{name!r} is not a body of class {agency_class!r} that may buy under {self.title}; {right}"

    def price_line(self, component: str, tier: str) -> PriceLine | None:
        """Its own price of a component at a tier."""
        return next((line for line in self.price_lines if (line.component, line.tier) == (component, tier)), None)

    def refuse_term(self, term: Term) -> str | None:
        if term.start < self.term.start or term.start >= self.term.end:
            return f"the term starts {term.start}, outside the framework's {self.term.start} to {self.term.end}"
        if term.end > self.term.end:
            return f"the term ends {term.end}, after the end of the framework on {self.term.end}; reduce months"
        return None

    def refuse_component(self, component: str, catalog: Catalog) -> list[str]:
        """Why this component cannot be ordered; empty if it can."""
        offered = self.offered
        refusals = []
        if component not in offered:
            refusals.append(f"{self.framework} does not offer {component!r}; it offers: {', '.join(sorted(offered))}")
        missing = [need for need in catalog.components[component].needs if need not in offered]
        refusals += [f"{component!r} needs {need!r}, which {self.framework} does not offer" for need in missing]
        return refusals


class Contact(Value):
    role: Annotated[str, LINE.up_to(60).field]
    name: Annotated[str, LINE.field]
    email: Annotated[str, EMAIL_ADDRESS.field]


class Agency(Value):
    id: AgencyId
    name: Annotated[str, LINE.field]
    agency_class: Annotated[Identifier, Field(alias="class")]
    seats: Annotated[int, Field(ge=1, le=1_000_000)]
    contacts: Annotated[tuple[Contact, ...], Field(min_length=1)]


class CallOff(Value):
    """One agency's contract under a framework agreement: the file an engineer writes.

    Without recovery terms, its document has none, as before they existed.
    """

    framework: Identifier
    agency: Agency
    site: Identifier
    term: Term
    services: Mapping[Identifier, ServiceOrder]
    recovery: RecoveryTerms | None = Field(default=None, exclude_if=lambda terms: terms is None)

    def document(self) -> dict[str, Any]:
        """The JSON-compatible form, as in the file."""
        return self.model_dump(mode="json", by_alias=True)
