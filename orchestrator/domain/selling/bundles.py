"""Bundles: names under which several components are ordered at once, and what an order needs besides."""

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field

from orchestrator.domain.identifiers import Identifier
from orchestrator.domain.selling.catalog import Catalog
from orchestrator.domain.selling.service_order import ServiceOrder
from orchestrator.domain.value import Value

Members = Annotated[Mapping[Identifier, ServiceOrder], Field(min_length=1)]


class Bundle(Value):
    """`tiers` says for each tier which components it orders, and how."""

    bundle: Identifier
    title: str
    description: str
    tiers: Annotated[Mapping[Identifier, Members], Field(min_length=1)]


Bundles = Mapping[str, Bundle]


def bundle_problems(bundle: Bundle, catalog: Catalog) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where in the file, and what it orders that is not on sale."""
    if bundle.bundle in catalog.components:
        yield ("bundle",), f"{bundle.bundle!r} is a component; a bundle needs a name of its own"
    for tier, members in bundle.tiers.items():
        for component, order in members.items():
            at = ("tiers", tier, component)
            if component not in catalog.components:
                yield at, f"{component!r} is not in the catalog"
            elif order.tier not in (known := catalog.components[component].tiers):
                yield (*at, "tier"), f"{component} has no tier {order.tier!r}; tiers: {', '.join(known)}"


def completed(services: Mapping[str, ServiceOrder], bundles: Bundles, catalog: Catalog) -> dict[str, ServiceOrder]:
    """What is ordered, component by component: bundles give way to their members, and what is needed joins them.

    What the agency states itself counts before what a bundle says. A need that nobody states has the tier of what needs
    it, or the first of its own.
    """
    ordered = {name: service for name, service in services.items() if name not in bundles}
    for name, service in services.items():
        for component, member in bundles[name].tiers[service.tier].items() if name in bundles else ():
            ordered.setdefault(component, member.model_copy(update={"because": f"part of {name}"}))
    for component in list(ordered):
        for need in catalog.in_order(catalog.with_needs(component)):
            if need not in ordered:
                tiers, wanted = catalog.components[need].tiers, ordered[component].tier
                tier = wanted if wanted in tiers else next(iter(tiers))
                ordered[need] = ServiceOrder(tier=tier, because=f"needed by {component}")
    return ordered
