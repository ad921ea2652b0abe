"""The life of a service instance."""

from orchestrator.domain.ordering.instance import INSTANCE_LIFE, InstanceEvent, InstanceState
from tests.domain.moves import check_moves

MOVES = """
pending: provision provisioning, retire retiring, fail failed
provisioning: accept in_service, fail failed
in_service: provision updating, retire retiring
updating: accept in_service, fail failed
retiring: remove retired, fail failed
retired: provision provisioning
failed: provision updating, accept in_service, retire retiring
"""


def test_an_instance_moves_exactly_as_listed_here() -> None:
    check_moves(INSTANCE_LIFE, InstanceState, InstanceEvent, MOVES)
