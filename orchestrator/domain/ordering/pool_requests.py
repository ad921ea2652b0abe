"""What an order needs from the pools of a site."""

from collections.abc import Iterator

from orchestrator.domain.estate.allocation import NUMBER, NUMBERS, host_pool
from orchestrator.domain.selling.agreement import CallOff
from orchestrator.domain.selling.catalog import Catalog
from orchestrator.domain.value import Value


class Request(Value):
    """A block that the order needs from a pool of the site."""

    name: str
    pool: str


def requests(call_off: CallOff, catalog: Catalog) -> tuple[Request, ...]:
    """Everything the order needs from the site's pools, in a fixed order."""
    return (Request(name=NUMBER, pool=NUMBERS), *_component_requests(call_off, catalog))


def _component_requests(call_off: CallOff, catalog: Catalog) -> Iterator[Request]:
    for component_id in catalog.in_order(call_off.services):
        component = catalog.components[component_id]
        yield from (Request(name=name, pool=pool) for name, pool in sorted(component.allocates.items()))
        own = () if component.accompanies else sorted(filter(component.dedicates, component.hosts))
        for function in own:
            for unit in range(1, call_off.services[component_id].quantity + 1):
                pool = host_pool(component.hosts[function])
                yield Request(name=_host_name(component_id, function, unit), pool=pool)


def _host_name(component: str, function: str, unit: int) -> str:
    return f"host:{component}:{function}:{unit:04d}"
