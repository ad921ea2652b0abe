"""Which services are backed up."""

from collections.abc import Mapping
from typing import Protocol

from orchestrator.domain.ordering.instance import InstanceState
from orchestrator.domain.selling.catalog import KEEPER, Catalog


class HasState(Protocol):
    @property
    def state(self) -> InstanceState: ...


def protected(recorded: Mapping[str, HasState], catalog: Catalog) -> tuple[str, ...]:
    """An agency's components that are backed up: in service, with data, and with disaster recovery."""
    keeper = recorded.get(KEEPER)
    if keeper is None or keeper.state is not InstanceState.IN_SERVICE:
        return ()
    kept = (c for c, i in recorded.items() if c != KEEPER and i.state is InstanceState.IN_SERVICE)
    return tuple(sorted(c for c in kept if catalog.components[c].recovery.data))
