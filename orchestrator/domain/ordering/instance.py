"""A service instance: one component delivered to one agency, and its lifecycle."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from orchestrator.domain.estate.site import Placement, joined
from orchestrator.domain.lifecycle import Lifecycle
from orchestrator.domain.value import Value


class InstanceState(StrEnum):
    PENDING = "pending"
    PROVISIONING = "provisioning"
    IN_SERVICE = "in_service"
    UPDATING = "updating"
    RETIRING = "retiring"
    RETIRED = "retired"
    FAILED = "failed"


class InstanceEvent(StrEnum):
    """Events that move an instance: the first and last steps of its changes."""

    PROVISION = "provision"
    ACCEPT = "accept"
    RETIRE = "retire"
    REMOVE = "remove"
    FAIL = "fail"


_S, _E = InstanceState, InstanceEvent

INSTANCE_LIFE = Lifecycle(
    "service instance",
    {
        (_S.PENDING, _E.PROVISION): _S.PROVISIONING,
        (_S.PENDING, _E.RETIRE): _S.RETIRING,
        (_S.PENDING, _E.FAIL): _S.FAILED,
        (_S.PROVISIONING, _E.ACCEPT): _S.IN_SERVICE,
        (_S.PROVISIONING, _E.FAIL): _S.FAILED,
        (_S.IN_SERVICE, _E.PROVISION): _S.UPDATING,
        (_S.IN_SERVICE, _E.RETIRE): _S.RETIRING,
        (_S.UPDATING, _E.ACCEPT): _S.IN_SERVICE,
        (_S.UPDATING, _E.FAIL): _S.FAILED,
        (_S.FAILED, _E.PROVISION): _S.UPDATING,
        (_S.FAILED, _E.ACCEPT): _S.IN_SERVICE,  # only its verify was left
        (_S.FAILED, _E.RETIRE): _S.RETIRING,
        (_S.RETIRING, _E.REMOVE): _S.RETIRED,
        (_S.RETIRING, _E.FAIL): _S.FAILED,
        (_S.RETIRED, _E.PROVISION): _S.PROVISIONING,
    },
)


class ServiceInstance(Value):
    """The record of one component delivered to one agency. `hosts` maps a function to host names. `accounts_from` is
    the component that vouches for its people's passwords, None if its own secrets do. `elsewhere` are hosts with
    another copy of it that does not serve: what a failover has left behind, or has not finished."""

    agency: str
    component: str
    tier: str
    quantity: int
    parameters: Mapping[str, Any]
    hosts: Mapping[str, tuple[str, ...]]
    state: InstanceState
    changed_at: datetime
    error: str | None = None
    accounts_from: str | None = Field(default=None, exclude_if=lambda source: source is None)
    elsewhere: Placement = Field(default={}, exclude_if=lambda elsewhere: not elsewhere)

    def after(self, event: InstanceEvent, *, at: datetime, error: str | None = None) -> "ServiceInstance | None":
        """The instance in its next state, or None if the event does not apply in its present one."""
        if not INSTANCE_LIFE.allows(self.state, event):
            return None
        state = INSTANCE_LIFE.after(self.state, event)
        return self.model_copy(update={"state": state, "changed_at": at, "error": error})

    @property
    def everywhere(self) -> Placement:
        """All hosts on which anything of it may be."""
        return joined(self.hosts, self.elsewhere)

    @property
    def exists(self) -> bool:
        """Whether anything of it may be on a host."""
        return self.state is not InstanceState.RETIRED


def existing(recorded: Mapping[str, ServiceInstance]) -> dict[str, ServiceInstance]:
    """The instances of which anything may be on a host."""
    return {component: instance for component, instance in recorded.items() if instance.exists}


def display_status(state: InstanceState, *, run_open: bool) -> str:
    """The status to display: the recorded state, and whether a run is working on it."""
    busy = state in (InstanceState.PROVISIONING, InstanceState.UPDATING, InstanceState.RETIRING)
    if busy and not run_open:
        return "interrupted"
    if state is InstanceState.PENDING and run_open:
        return "queued"
    return state.value
