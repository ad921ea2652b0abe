"""Finds what an agreement says that cannot be meant, in itself or beside the catalog."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from orchestrator.domain.selling.agreement import FrameworkAgreement, Lot
from orchestrator.domain.selling.catalog import Catalog
from orchestrator.domain.selling.prices import PricedBy, PriceLine

Part = tuple[str | int, ...]
"""Where in the agreement's file."""

Contradiction = tuple[Part, str]


def contradictions(agreement: FrameworkAgreement, catalog: Catalog) -> Iterator[Contradiction]:
    """Each contradiction, and what would be right."""
    if agreement.framework in catalog.components:
        yield ("framework",), f"{agreement.framework!r} is a component; an agreement needs a name of its own"
    yield from _in_bodies(agreement)
    yield from _in_lots(agreement, catalog)
    yield from _in_the_seat_price(agreement)
    for n, line in enumerate(agreement.price_lines):
        yield from _in_a_price_line(agreement, catalog, line, ("price_lines", n))
        if (line.component, line.tier) in [(other.component, other.tier) for other in agreement.price_lines[:n]]:
            yield ("price_lines", n), f"{line.component}, {line.tier} is priced twice"
    yield from _without_a_price(agreement, catalog)
    for field in agreement.sources:
        if field not in FrameworkAgreement.model_fields or field == "sources":
            known = ", ".join(name for name in FrameworkAgreement.model_fields if name != "sources")
            yield ("sources", field), f"there is no field {field!r}; fields: {known}"


def _in_bodies(agreement: FrameworkAgreement) -> Iterator[Contradiction]:
    for agency_class, bodies in agreement.eligible_bodies.items():
        if agency_class not in agreement.eligible_classes:
            yield ("eligible_bodies", agency_class), f"{agency_class!r} is not one of eligible_classes; add it there"
        for n, name in enumerate(bodies):
            if name in bodies[:n]:
                yield ("eligible_bodies", agency_class, n), f"{name!r} is named twice"


def _in_lots(agreement: FrameworkAgreement, catalog: Catalog) -> Iterator[Contradiction]:
    found: dict[str, str] = {}
    for lot, terms in agreement.lots.items():
        for component in terms.components:
            at = _scope_of(lot, terms, component)
            if component not in catalog.components:
                yield at, f"{component!r} is not in the catalog"
            if component in found:
                yield at, f"{component!r} is in the lot {found[component]!r} already; a component is in one lot"
            found[component] = lot


def _in_the_seat_price(agreement: FrameworkAgreement) -> Iterator[Contradiction]:
    price = agreement.seat_price
    if price is None:
        return
    if "core" not in agreement.lots:
        yield ("seat_price",), "is the price of the lot 'core', which the agreement does not have"
    yield from _in_bands([band.seats for band in price.bands], ("seat_price", "bands"))


def _in_a_price_line(
    agreement: FrameworkAgreement, catalog: Catalog, line: PriceLine, at: Part
) -> Iterator[Contradiction]:
    component = catalog.components.get(line.component)
    if component is None or line.component not in agreement.offered:
        yield (*at, "component"), f"{line.component!r} is in none of the lots; add it to one, or remove its price"
    elif line.tier not in component.tiers:
        yield (*at, "tier"), f"{line.component} has no tier {line.tier!r}; tiers: {', '.join(component.tiers)}"
    elif line.per is PricedBy.UNIT and not component.sold_by_unit:
        yield (*at, "per"), f"{line.component} is not sold by unit; set agency or seat"
    if line.per is PricedBy.AGENCY and len(line.bands) > 1:
        yield (*at, "bands", 1), "a price per agency has one band"
    else:
        yield from _in_bands([band.quantity for band in line.bands], (*at, "bands"))


def _in_bands(begin: Sequence[int], at: Part) -> Iterator[Contradiction]:
    if begin[0] != 1:
        yield (*at, 0), f"the first band begins with 1, not with {begin[0]:,}"
    for n, (below, above) in enumerate(pairwise(begin), 1):
        if above <= below:
            yield (*at, n), f"bands rise, but {above:,} comes after {below:,}"


def _without_a_price(agreement: FrameworkAgreement, catalog: Catalog) -> Iterator[Contradiction]:
    """Prices of the catalog are supplements to a seat price: without one, every tier needs a price line."""
    if agreement.seat_price is not None:
        return
    for lot, terms in agreement.lots.items():
        for component in terms.components:
            tiers = catalog.components[component].tiers if component in catalog.components else ()
            if missing := [tier for tier in tiers if agreement.price_line(component, tier) is None]:
                message = f"{component!r} has no price for {', '.join(missing)}; add price_lines, or a seat_price"
                yield _scope_of(lot, terms, component), message


def _scope_of(lot: str, terms: Lot, component: str) -> Part:
    """Where a lot first names a component."""
    row, delivering = next((row, some) for row, some in terms.scope.items() if component in some)
    return ("lots", lot, "scope", row, delivering.index(component))
