"""A plan: the difference between what is ordered and what is recorded, and the steps that close it.

`make_plan` is pure and total: the same input gives the same plan, byte for byte. An empty plan is valid.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from orchestrator.domain.charging.charges import Agreed
from orchestrator.domain.charging.cost import Cost, cost_of
from orchestrator.domain.estate.allocation import NUMBER, Allocation
from orchestrator.domain.estate.site import Placement, Site, hosts_in
from orchestrator.domain.ordering.contract import NAME, contract_changes
from orchestrator.domain.ordering.difference import FieldChange, differences
from orchestrator.domain.ordering.instance import InstanceState, ServiceInstance, existing
from orchestrator.domain.ordering.loss import Loss, losses
from orchestrator.domain.ordering.protection import protected
from orchestrator.domain.ordering.reachability import Reachability
from orchestrator.domain.selling.agreement import CallOff, FrameworkAgreement
from orchestrator.domain.selling.catalog import KEEPER, Catalog, Component, Tenancy, Verb
from orchestrator.domain.value import Value, digest_of

_NEVER = datetime.min.replace(tzinfo=UTC)


class Effect(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    """Rebuilt on other hosts, because the recorded ones are no longer part of the site."""
    REMOVE = "remove"
    NONE = "none"


class Purpose(StrEnum):
    """What a plan, and the run that carries it out, is for."""

    ONBOARD = "onboard"
    CHANGE = "change"
    OFFBOARD = "offboard"
    BACKUP = "backup"
    DRILL = "drill"
    DRIFT = "drift"
    DESTROY = "destroy"
    """Destruction of held backups."""
    VERIFY = "verify"


CHANGES = (Purpose.ONBOARD, Purpose.CHANGE, Purpose.OFFBOARD, Purpose.DESTROY)
"""Purposes of runs that change what an agency has."""


class Change(Value):
    component: str
    effect: Effect
    tier: str
    fields: tuple[FieldChange, ...] = ()
    destroys: tuple[Loss, ...] = ()


class PlanOptions(Value):
    """How much of the difference a plan closes: only the components in `target`, if there are any. Unless
    `final_backup` is off, data is backed up before it is destroyed. With `force`, even unchanged components are
    provisioned again."""

    target: tuple[str, ...] = ()
    final_backup: bool = True
    force: bool = False

    def leaves_alone(self, component: str) -> bool:
        return bool(self.target) and component not in self.target


class Step(Value):
    """One verb of one component. `placement` maps a function to the hosts that serve it in this step.

    A step that is `always` done comes last, whatever the outcome of the others; a run with such a step is sequential.
    """

    id: str
    component: str
    verb: Verb
    placement: Placement
    needs: tuple[str, ...]
    because: str
    always: bool = False

    @property
    def hosts(self) -> tuple[str, ...]:
        """Empty for a step that people carry out."""
        return hosts_in(self.placement)


class Plan(Value):
    agency: str
    purpose: Purpose
    site: str
    contract: tuple[FieldChange, ...] = ()
    """What else in the call-off differs from the last one applied: names, seats, terms."""
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    allocations: Mapping[str, str]
    cost: Cost
    desired: Mapping[str, ServiceInstance | None]
    """component -> the instance as it will be recorded, or None if it is removed."""
    options: PlanOptions = PlanOptions()
    basis: str
    """Digest of everything the plan was computed from."""

    @property
    def empty(self) -> bool:
        return not self.steps and not self.contract

    def unconfirmed(self, said: Collection[str]) -> tuple[str, ...]:
        """Components with losses that `said` does not consent to, neither by their name nor by the agency's id."""
        losing = (change.component for change in self.changes if change.destroys)
        return () if self.agency in said else tuple(component for component in losing if component not in said)

    @cached_property
    def digest(self) -> str:
        """Identifies the plan. Two plans with the same digest do the same things for the same reasons."""
        return digest_of(self.model_dump(mode="json", exclude={"desired"}))


class Basis(Value):
    """Everything that a plan is computed from. `call_off` is None when the agency leaves."""

    agency: str
    call_off: CallOff | None
    agreement: FrameworkAgreement
    catalog: Catalog
    site: Site
    recorded: Mapping[str, ServiceInstance]
    allocations: Mapping[str, Allocation] = {}
    drifted: Mapping[str, int] = {}
    """component -> the run that found drift on its hosts, which has not been corrected since."""
    renewed: Mapping[str, tuple[str, ...]] = {}
    """component -> what its hosts need renewed: `secrets.<name>`, `certificates`."""
    agreed: Agreed | None = None
    """None for an agency that is not served yet, or has left."""
    options: PlanOptions = PlanOptions()

    def digest(self, hosts: Iterable[str]) -> str:
        """The digest of everything that affects the plan. `hosts` are those that it would touch; the site's others do
        not count."""
        ordered = self.call_off.services if self.call_off else {}
        involved = {*self.recorded, *ordered}
        drifted = {component: run for component, run in self.drifted.items() if component in ordered}
        renewed = {component: list(what) for component, what in self.renewed.items() if component in ordered}
        return digest_of(
            {
                "call_off": self.call_off and self.call_off.document(),
                "agreement": self.agreement.document,
                "components": [self.catalog.components[c].document for c in sorted(involved)],
                "hosts": [self.site.hosts[h].model_dump(mode="json") for h in sorted(hosts) if h in self.site.hosts],
                "facts": dict(self.site.facts),
                "recorded": [
                    i.model_dump(mode="json", exclude={"changed_at", "error"}) for _, i in sorted(self.recorded.items())
                ],
                "allocations": {name: a.block for name, a in sorted(self.allocations.items())},
                **({"drifted": drifted} if drifted else {}),
                **({"renewed": renewed} if renewed else {}),
            }
        )


def make_plan(basis: Basis) -> Plan:
    """The plan that turns what is recorded into what is ordered."""
    order = basis.call_off
    recorded, options = existing(basis.recorded), basis.options
    wanted = {c: _wish(basis, c) for c in (order.services if order else ()) if not options.leaves_alone(c)}
    wanted |= {c: instance for c, instance in recorded.items() if options.leaves_alone(c)}
    contract = contract_changes(basis.agreed.call_off, order) if basis.agreed and order else ()
    named = tuple(field for field in contract if field.path == NAME)  # roles use the name
    reached = _reached(basis, recorded, wanted)
    changes = tuple(
        _change(recorded.get(c), wanted.get(c), basis=basis, besides=(*reached.get(c, ()), *named))
        for c in basis.catalog.in_order({*wanted, *recorded})
    )
    return Plan(
        agency=basis.agency,
        purpose=_purpose(basis, recorded),
        site=basis.site.name,
        contract=contract,
        changes=changes,
        steps=_steps(changes, basis=basis, recorded=recorded, wanted=wanted),
        allocations={name: a.block for name, a in sorted(basis.allocations.items())},
        cost=cost_of(order, basis.agreement, basis.catalog, basis.agreed),
        desired={c.component: wanted.get(c.component) for c in changes if c.effect is not Effect.NONE},
        options=options,
        basis=basis.digest(_touched(recorded, wanted)),
    )


def _touched(*instances: Mapping[str, ServiceInstance]) -> set[str]:
    return {host for some in instances for i in some.values() for host in hosts_in(i.hosts)}


def _reached(
    basis: Basis, recorded: Mapping[str, ServiceInstance], wanted: Mapping[str, ServiceInstance]
) -> Mapping[str, tuple[FieldChange, ...]]:
    """component that stays -> its changes in reachability, because others come, go or move."""
    before, after = (
        Reachability(services, catalog=basis.catalog, allocations=basis.allocations, site=basis.site)
        for services in (recorded, wanted)
    )
    stays = [basis.catalog.components[c] for c in wanted if c in recorded]
    told = {one.component: (before.described(one), after.described(one)) for one in stays}
    return {c: (FieldChange(path="reachability", before=b, after=a),) for c, (b, a) in told.items() if b != a}


def _purpose(basis: Basis, recorded: Mapping[str, ServiceInstance]) -> Purpose:
    if basis.call_off is None:
        return Purpose.OFFBOARD
    return Purpose.CHANGE if recorded else Purpose.ONBOARD


def _wish(basis: Basis, component_id: str) -> ServiceInstance:
    """The instance that the order requests, placed on hosts."""
    assert basis.call_off is not None
    component, ordered = basis.catalog.components[component_id], basis.call_off.services[component_id]
    before = basis.recorded.get(component_id)
    return ServiceInstance(
        agency=basis.agency,
        component=component_id,
        tier=ordered.tier,
        quantity=ordered.quantity,
        parameters=component.resolve(ordered.tier, ordered.parameters),
        hosts={f: _place(basis, component, f, group, before) for f, group in sorted(component.hosts.items())},
        state=before.state if before else InstanceState.PENDING,
        changed_at=before.changed_at if before else _NEVER,
    )


def _place(
    basis: Basis, component: Component, function: str, group: str, before: ServiceInstance | None
) -> tuple[str, ...]:
    if component.tenancy is Tenancy.DEDICATED:
        prefix = f"host:{component.component}:{function}:"
        return tuple(sorted(a.block for name, a in basis.allocations.items() if name.startswith(prefix)))
    hosts = basis.site.group(group)
    kept = tuple(h for h in (before.hosts.get(function, ()) if before else ()) if h in hosts)
    if kept or not hosts:
        return kept
    number = int(basis.allocations[NUMBER].block)
    return (hosts[(number - 1) % len(hosts)],)


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
        **{f"parameters.{name}": value for name, value in instance.parameters.items()},
        **{f"hosts.{function}": list(hosts) for function, hosts in instance.hosts.items()},
    }


def _steps(
    changes: tuple[Change, ...],
    *,
    basis: Basis,
    recorded: Mapping[str, ServiceInstance],
    wanted: Mapping[str, ServiceInstance],
) -> tuple[Step, ...]:
    """The steps in order. Nothing is touched until every precheck has passed, and nothing is destroyed before it is
    backed up. Removal runs in the reverse order of the needs."""
    catalog = basis.catalog
    built = [c for c in changes if c.effect in (Effect.CREATE, Effect.UPDATE, Effect.REPLACE)]
    removed = [c for c in changes if c.effect is Effect.REMOVE]
    prechecks = tuple(f"{c.component}.{Verb.PRECHECK}" for c in built if not catalog.components[c.component].by_people)
    steps = list(_final_backups(changes, prechecks, basis, recorded))
    backups = tuple(step.id for step in steps)
    for change in built:
        first = (*prechecks, *_own(backups, change.component))
        steps += _build(change, wanted[change.component], first, built, catalog)
        steps += _shrink(change, recorded.get(change.component), wanted[change.component])
    for change in reversed(removed):
        component = change.component
        dependents = [c.component for c in removed if component in catalog.components[c.component].needs]
        kept = backups if component == KEEPER else _own(backups, component)
        steps.append(
            _step(
                component,
                Verb.RETIRE,
                recorded[component].hosts,
                needs=(*kept, *(f"{d}.{Verb.RETIRE}" for d in dependents)),
                because="no longer ordered",
            )
        )
    return tuple(steps)


def _final_backups(
    changes: tuple[Change, ...], prechecks: tuple[str, ...], basis: Basis, recorded: Mapping[str, ServiceInstance]
) -> Iterator[Step]:
    kept = protected(recorded, basis.catalog) if basis.options.final_backup else ()
    for change in changes:
        if change.destroys and change.component in kept:
            reason = f"destroyed: {'; '.join(map(str, change.destroys))}"
            yield _step(
                change.component, Verb.BACKUP, recorded[change.component].hosts, needs=prechecks, because=reason
            )


def _own(backups: tuple[str, ...], component: str) -> tuple[str, ...]:
    """The final backup of a component, if there is one."""
    return tuple(step for step in backups if step == f"{component}.{Verb.BACKUP}")


def _build(
    change: Change, instance: ServiceInstance, first: tuple[str, ...], built: list[Change], catalog: Catalog
) -> Iterator[Step]:
    component = change.component
    reason = {
        Effect.CREATE: "ordered, not yet delivered",
        Effect.REPLACE: "its hosts are no longer part of the site",
    }.get(change.effect, "differs in " + ", ".join(f.path for f in change.fields))
    needed = [c.component for c in built if c.component in catalog.components[component].needs]
    by_people = catalog.components[component].by_people
    if not by_people:
        yield _step(component, Verb.PRECHECK, instance.hosts, needs=(), because=reason)
    yield _step(
        component,
        Verb.PROVISION,
        instance.hosts,
        needs=(*first, *(f"{n}.{Verb.VERIFY}" for n in needed)),
        because=reason,
    )
    yield _step(
        component,
        Verb.VERIFY,
        instance.hosts,
        needs=(f"{component}.{Verb.PROVISION}",),
        because="the agency must accept it" if by_people else "users must be able to use it",
    )


def _shrink(change: Change, before: ServiceInstance | None, after: ServiceInstance) -> Iterator[Step]:
    """Retire the component on hosts that no longer serve the agency after an update."""
    if before is None or change.effect is not Effect.UPDATE:
        return
    leaving = {f: tuple(h for h in hosts if h not in after.hosts.get(f, ())) for f, hosts in before.hosts.items()}
    if leaving := {f: hosts for f, hosts in leaving.items() if hosts}:
        needs = (f"{change.component}.{Verb.VERIFY}",)
        yield _step(change.component, Verb.RETIRE, leaving, needs=needs, because="these hosts are no longer ordered")


def _step(
    component: str, verb: Verb, placement: Mapping[str, tuple[str, ...]], *, needs: tuple[str, ...], because: str
) -> Step:
    return Step(
        id=f"{component}.{verb}", component=component, verb=verb, placement=placement, needs=needs, because=because
    )
