"""Making a plan from its basis.

`make_plan` is pure and total: the same input gives the same plan, byte for byte. An empty plan is valid.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from orchestrator.domain.charging.cost import cost_of
from orchestrator.domain.estate.allocation import chosen
from orchestrator.domain.estate.site import hosts_in, without
from orchestrator.domain.ordering.accounts import vouched, vouching_changes
from orchestrator.domain.ordering.contract import NAME, contract_changes
from orchestrator.domain.ordering.difference import FieldChange, differences
from orchestrator.domain.ordering.instance import InstanceState, ServiceInstance, existing
from orchestrator.domain.ordering.loss import losses
from orchestrator.domain.ordering.plan import Basis, Change, Effect, Plan, Purpose
from orchestrator.domain.ordering.plan_steps import steps_of
from orchestrator.domain.ordering.reachability import reach_changes
from orchestrator.domain.selling.catalog import Component

_NEVER = datetime.min.replace(tzinfo=UTC)


def make_plan(basis: Basis) -> Plan:
    """The plan that turns what is recorded into what is ordered."""
    order = basis.call_off
    recorded, options = existing(basis.recorded), basis.options
    wanted = {c: _wish(basis, c) for c in (order.services if order else ()) if not options.leaves_alone(c)}
    wanted |= {c: instance for c, instance in recorded.items() if options.leaves_alone(c)}
    wanted = vouched(wanted, basis.catalog)
    contract = contract_changes(basis.agreed.call_off, order) if basis.agreed and order else ()
    named = tuple(field for field in contract if field.path == NAME)  # roles use the name
    by_others = _by_others(basis, recorded, wanted)
    changes = tuple(
        _change(recorded.get(c), wanted.get(c), basis=basis, besides=(*by_others.get(c, ()), *named))
        for c in basis.catalog.in_order({*wanted, *recorded})
    )
    return Plan(
        agency=basis.agency,
        purpose=_purpose(basis, recorded),
        site=basis.site.name,
        contract=contract,
        changes=changes,
        steps=steps_of(changes, basis=basis, recorded=recorded, wanted=wanted),
        allocations={name: a.block for name, a in sorted(basis.allocations.items())},
        cost=cost_of(order, basis.agreement, basis.catalog, basis.agreed),
        desired={c.component: wanted.get(c.component) for c in changes if c.effect is not Effect.NONE},
        options=options,
        basis=basis.digest(_touched(recorded, wanted)),
    )


def _touched(*instances: Mapping[str, ServiceInstance]) -> set[str]:
    return {host for some in instances for i in some.values() for host in hosts_in(i.everywhere)}


def _by_others(
    basis: Basis, recorded: Mapping[str, ServiceInstance], wanted: Mapping[str, ServiceInstance]
) -> Mapping[str, tuple[FieldChange, ...]]:
    """component that stays -> what changes for it because others come, go or move: who reaches what, and who vouches
    for its people's passwords."""
    reached = reach_changes(
        recorded,
        wanted,
        catalog=basis.catalog,
        allocations=basis.allocations,
        released={name: a for name, a in basis.held.items() if name not in basis.allocations},
        site=basis.site,
    )
    stays = [c for c in wanted if c in recorded]
    vouching = {c: vouching_changes(c, recorded=recorded, wanted=wanted, basis=basis) for c in stays}
    return {c: (*reached.get(c, ()), *vouching[c]) for c in stays}


def _purpose(basis: Basis, recorded: Mapping[str, ServiceInstance]) -> Purpose:
    if basis.call_off is None:
        return Purpose.OFFBOARD
    return Purpose.CHANGE if recorded else Purpose.ONBOARD


def _wish(basis: Basis, component_id: str) -> ServiceInstance:
    """The instance that the order requests, placed on hosts."""
    assert basis.call_off is not None
    component, ordered = basis.catalog.components[component_id], basis.call_off.services[component_id]
    before = basis.recorded.get(component_id)
    hosts = {f: _place(basis, component, f, group, before) for f, group in sorted(component.hosts.items())}
    return ServiceInstance(
        agency=basis.agency,
        component=component_id,
        tier=ordered.tier,
        quantity=ordered.quantity,
        parameters=component.resolve(ordered.tier, ordered.parameters),
        hosts=hosts,
        state=before.state if before else InstanceState.PENDING,
        changed_at=before.changed_at if before else _NEVER,
        elsewhere=without(before.elsewhere, hosts) if before else {},
    )


def _place(
    basis: Basis, component: Component, function: str, group: str, before: ServiceInstance | None
) -> tuple[str, ...]:
    if component.accompanies:
        own = {a.block for name, a in basis.allocations.items() if name.startswith("host:")}
        return tuple(host for host in basis.site.group(group) if host in own)
    if component.dedicates(function):
        prefix = f"host:{component.component}:{function}:"
        return tuple(sorted(a.block for name, a in basis.allocations.items() if name.startswith(prefix)))
    hosts = basis.site.group(group)
    serving = (*hosts, *basis.site.standby(group)) if before and before.exists else hosts
    kept = tuple(h for h in (before.hosts.get(function, ()) if before else ()) if h in serving)
    if kept or not hosts:
        return kept
    return chosen(hosts, basis.allocations)


def _change(
    before: ServiceInstance | None,
    after: ServiceInstance | None,
    *,
    basis: Basis,
    besides: tuple[FieldChange, ...],
) -> Change:
    if after is None:
        assert before is not None
        return Change(
            component=before.component,
            effect=Effect.REMOVE,
            tier=before.tier,
            fields=_differences(before, None),
            destroys=tuple(losses(before, None, basis.catalog.components[before.component])),
        )
    if before is None:
        return Change(
            component=after.component, effect=Effect.CREATE, tier=after.tier, fields=_differences(None, after)
        )
    fields = (*_differences(before, after), *besides)
    if not basis.options.leaves_alone(after.component):
        fields = (*fields, *_found(before, basis))
    lost = any(host not in basis.site.hosts for hosts in before.hosts.values() for host in hosts)
    effect = Effect.REPLACE if lost else Effect.UPDATE if fields else Effect.NONE
    destroyed = losses(before, after, basis.catalog.components[after.component]) if effect is Effect.UPDATE else ()
    return Change(component=after.component, effect=effect, tier=after.tier, fields=fields, destroys=tuple(destroyed))


def _found(before: ServiceInstance, basis: Basis) -> Iterator[FieldChange]:
    """What has drifted or must be renewed."""
    component = before.component
    if before.state is not InstanceState.IN_SERVICE:
        yield FieldChange(path="state", before=before.state.value, after=InstanceState.IN_SERVICE.value)
    elif (found := basis.drifted.get(component)) is not None:
        yield FieldChange(path="hosts", before=f"changed, as run {found} found", after="as recorded")
    elif basis.options.force:
        yield FieldChange(path="hosts", before="as they are", after="as recorded")
    for path in basis.renewed.get(component, ()):
        yield FieldChange(path=path, before="in force", after="new")


def _differences(before: ServiceInstance | None, after: ServiceInstance | None) -> tuple[FieldChange, ...]:
    return differences(_flat(before), _flat(after))


def _flat(instance: ServiceInstance | None) -> dict[str, Any]:
    if instance is None:
        return {}
    return {
        "tier": instance.tier,
        "quantity": instance.quantity,
        "accounts_from": instance.accounts_from,
        **{f"parameters.{name}": value for name, value in instance.parameters.items()},
        **{f"hosts.{function}": list(hosts) for function, hosts in instance.hosts.items()},
    }
