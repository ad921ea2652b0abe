"""Parts of orders with a component that accompanies others on their hosts."""

from typing import Any

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.order_part import part_of
from orchestrator.domain.selling.catalog import Catalog
from tests.domain.conftest import call_off

ALL: dict[str, Any] = {name: {"tier": "standard"} for name in ("network", "desktop", "guard")}


def test_hosts_are_not_planned_without_what_accompanies_them(catalog: Catalog) -> None:
    order = call_off(ALL)
    with pytest.raises(OrchestratorError, match="'guard' is on the hosts of 'desktop' of a1") as refused:
        part_of(order, order, ["desktop"], served=ALL, catalog=catalog)
    assert (refused.value.kind, refused.value.hint) == (Kind.CONFLICT, "add --target guard")
    for target in (["desktop", "guard"], ["guard"], ["network"]):
        assert part_of(order, order, target, served=ALL, catalog=catalog).services.keys() == ALL.keys()


def test_what_accompanies_others_is_not_planned_without_hosts(catalog: Catalog) -> None:
    order = call_off(ALL)
    with pytest.raises(OrchestratorError, match="is on hosts of the agency's own, and a1 would have none") as refused:
        part_of(order, None, ["network", "guard"], served=[], catalog=catalog)
    assert (refused.value.kind, refused.value.hint) == (Kind.CONFLICT, "add --target desktop")
    part = part_of(order, None, ["network", "desktop"], served=[], catalog=catalog)
    assert part.services.keys() == {"network", "desktop"}, "it may come later"
