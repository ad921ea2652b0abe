"""What a change destroys."""

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.domain.ordering.instance import InstanceState, ServiceInstance
from orchestrator.domain.ordering.loss import losses
from tests.domain.conftest import component

DESKTOP = component("desktop", dedicated=True, secrets={"word": "password"}, people={"users": "word"})


def instance(
    *, hosts: tuple[str, ...] = ("pc1",), users: tuple[str, ...] = ("ada", "bob"), **more: Any
) -> ServiceInstance:
    given = {"tier": "standard", "quantity": 1, "state": InstanceState.IN_SERVICE, **more}
    parameters = {"users": list(users), "size": 1}
    return ServiceInstance(
        agency="a1", component="desktop", hosts={"main": hosts}, parameters=parameters,
        changed_at=datetime(2026, 1, 1, tzinfo=UTC), **given,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("after", "lost"),
    [
        (instance(), []),
        (instance(tier="premium"), []),
        (instance(users=("bob", "ada", "eve")), []),
        (instance(users=("bob",)), ["people ada"]),
        (instance(hosts=("pc2",), users=("eve",)), ["people ada, bob", "hosts pc1"]),
        (None, ["component"]),
    ],
)
def test_a_change_destroys_what_is_no_longer_ordered(after: ServiceInstance | None, lost: list[str]) -> None:
    assert [str(loss) for loss in losses(instance(), after, DESKTOP)] == lost


def test_a_person_of_whom_something_else_is_said_is_not_lost() -> None:
    was, stays = (
        instance().model_copy(update={"parameters": {"users": [{"name": "ada", "email": email}, *more]}})
        for email, more in (("a@one.example", [{"name": "bob"}]), ("a@two.example", []))
    )
    assert [str(loss) for loss in losses(was, stays, DESKTOP)] == ["people bob"]


def test_a_change_destroys_nothing_that_was_never_built() -> None:
    assert list(losses(instance(state=InstanceState.PENDING), None, DESKTOP)) == []
