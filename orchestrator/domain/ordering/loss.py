"""What a change destroys: the data of components, people and hosts that an agency loses."""

from collections.abc import Iterator
from enum import StrEnum

from orchestrator.domain.ordering.instance import InstanceState, ServiceInstance
from orchestrator.domain.selling.catalog import Component, names_of
from orchestrator.domain.value import Value


class LossKind(StrEnum):
    COMPONENT = "component"
    """All that it stores for the agency."""
    PEOPLE = "people"
    """Their accounts and homes."""
    HOSTS = "hosts"
    """What it stores on them."""


class Loss(Value):
    """`names` are those of people or hosts."""

    kind: LossKind
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.kind.value, ", ".join(self.names)]).strip()


def losses(before: ServiceInstance, after: ServiceInstance | None, component: Component) -> Iterator[Loss]:
    """The losses of a component that is removed or changed. One that was never built, or that people deliver, has
    nothing to lose."""
    if before.state is InstanceState.PENDING or component.by_people:
        return
    if after is None:
        yield Loss(kind=LossKind.COMPONENT)
        return
    for listed in component.people:
        was, stays = (names_of(instance.parameters.get(listed, ())) for instance in (before, after))
        if gone := tuple(person for person in was if person not in stays):
            yield Loss(kind=LossKind.PEOPLE, names=gone)
    left = {
        host for function, hosts in before.hosts.items() for host in hosts if host not in after.hosts.get(function, ())
    }
    if left:
        yield Loss(kind=LossKind.HOSTS, names=tuple(sorted(left)))
