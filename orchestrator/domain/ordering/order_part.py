"""A part of an order: some of its components, with the others unchanged."""

from collections.abc import Collection

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.selling.agreement import CallOff
from orchestrator.domain.selling.catalog import Catalog


def part_of(
    order: CallOff, recorded: CallOff | None, target: Collection[str], *, served: Collection[str], catalog: Catalog
) -> CallOff:
    """The order if only the components of `target` had changed since the recorded one. Without a target, the whole
    order.

    Raises NOT_FOUND for a component that is neither ordered nor served, and CONFLICT for one that needs a component
    that is not there, for hosts without what accompanies them there, or while a component still has to be removed.
    """
    if not target:
        return order
    if left := [c for c in served if recorded and c not in recorded.services and c not in target]:
        raise OrchestratorError(
            Kind.CONFLICT, f"{left[0]} of {order.agency.id} is still to be removed", hint="apply without --target first"
        )
    if unknown := [c for c in target if c not in order.services and c not in served]:
        raise OrchestratorError(
            Kind.NOT_FOUND,
            f"--target {unknown[0]}: {order.agency.id} neither has nor orders it",
            hint=f"components of the order: {', '.join(sorted(order.services))}",
        )
    for component in order.services.keys() & set(target):
        for need in catalog.components[component].needs:
            if need not in served and need not in target:
                raise OrchestratorError(
                    Kind.CONFLICT,
                    f"{component!r} needs {need!r}, which {order.agency.id} does not have yet",
                    hint=f"add --target {need}",
                )
    before = recorded or order.model_copy(update={"services": {}})
    others = {c: service for c, service in before.services.items() if c not in target}
    chosen = {c: service for c, service in order.services.items() if c in target}
    part = before.model_copy(update={"services": {**others, **chosen}})
    _check_company(part, target, served, catalog)
    return part


def _check_company(part: CallOff, target: Collection[str], served: Collection[str], catalog: Catalog) -> None:
    """What accompanies others is planned with them, so that no host leaves the agency with it."""
    for component in sorted({*served, *part.services}):
        if not catalog.components[component].accompanies:
            continue
        if component not in target and (hosting := [c for c in catalog.hosting if c in target]):
            raise OrchestratorError(
                Kind.CONFLICT,
                f"{component!r} is on the hosts of {hosting[0]!r} of {part.agency.id}",
                hint=f"add --target {component}",
            )
        if component in part.services and not part.services.keys() & set(catalog.hosting):
            raise OrchestratorError(
                Kind.CONFLICT,
                f"{component!r} is on hosts of the agency's own, and {part.agency.id} would have none",
                hint=f"add --target {' or --target '.join(catalog.hosting)}",
            )
