"""The steps of a plan, and what each of them needs."""

from collections.abc import Iterator, Mapping

from orchestrator.domain.estate.site import Placement, joined, without
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.ordering.plan import Basis, Change, Effect, Step
from orchestrator.domain.ordering.protection import protected
from orchestrator.domain.selling.catalog import KEEPER, Verb


def steps_of(
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
        steps += _build(change, wanted[change.component], first, built, basis)
    shrunk = {c.component: _shrunk(c, recorded.get(c.component), wanted[c.component]) for c in built}
    leaving = [c for c in changes if c in removed or shrunk.get(c.component)]
    for change in reversed(leaving):
        component = change.component
        dependents = tuple(f"{c.component}.{Verb.RETIRE}" for c in leaving if component in catalog.follows(c.component))
        if change in built:
            needs, hosts = [f"{component}.{Verb.VERIFY}"], shrunk[component]
        else:
            kept = backups if component == KEEPER else _own(backups, component)
            needs = [*kept, *_released(change, built, recorded)]
            hosts = joined(recorded[component].hosts, basis.site.present(recorded[component].elsewhere))
        because = "these hosts are no longer ordered" if change in built else "no longer ordered"
        steps.append(step_of(component, Verb.RETIRE, hosts, needs=(*needs, *dependents), because=because))
    return tuple(steps)


def _released(change: Change, built: list[Change], recorded: Mapping[str, ServiceInstance]) -> Iterator[str]:
    """The steps after which nobody asks a component that goes for passwords any more."""
    for other in (c.component for c in built if c.component in recorded):
        if recorded[other].accounts_from == change.component:
            yield f"{other}.{Verb.VERIFY}"


def _final_backups(
    changes: tuple[Change, ...], prechecks: tuple[str, ...], basis: Basis, recorded: Mapping[str, ServiceInstance]
) -> Iterator[Step]:
    kept = protected(recorded, basis.catalog) if basis.options.final_backup else ()
    for change in changes:
        if change.destroys and change.component in kept:
            reason = f"destroyed: {'; '.join(map(str, change.destroys))}"
            yield step_of(
                change.component, Verb.BACKUP, recorded[change.component].hosts, needs=prechecks, because=reason
            )


def _own(backups: tuple[str, ...], component: str) -> tuple[str, ...]:
    """The final backup of a component, if there is one."""
    return tuple(step for step in backups if step == f"{component}.{Verb.BACKUP}")


def _build(
    change: Change, instance: ServiceInstance, first: tuple[str, ...], built: list[Change], basis: Basis
) -> Iterator[Step]:
    component, catalog = change.component, basis.catalog
    reason = {
        Effect.CREATE: f"{_ordered_because(basis, component)}, not yet delivered",
        Effect.REPLACE: "its hosts are no longer part of the site",
    }.get(change.effect, "differs in " + ", ".join(f.path for f in change.fields))
    needed = [c.component for c in built if c.component in catalog.follows(component)]
    by_people = catalog.components[component].by_people
    if not by_people:
        yield step_of(component, Verb.PRECHECK, instance.hosts, needs=(), because=reason)
    yield step_of(
        component,
        Verb.PROVISION,
        instance.hosts,
        needs=(*first, *(f"{n}.{Verb.VERIFY}" for n in needed)),
        because=reason,
    )
    yield step_of(
        component,
        Verb.VERIFY,
        instance.hosts,
        needs=(f"{component}.{Verb.PROVISION}",),
        because="the agency must accept it" if by_people else "users must be able to use it",
    )


def _ordered_because(basis: Basis, component: str) -> str:
    """Why it is in the order, for one that the agency's file does not name itself."""
    return (basis.call_off.services[component].because if basis.call_off else None) or "ordered"


def _shrunk(change: Change, before: ServiceInstance | None, after: ServiceInstance) -> Placement:
    """The hosts that no longer serve the agency after an update."""
    return without(before.hosts, after.hosts) if before and change.effect is Effect.UPDATE else {}


def step_of(
    component: str, verb: Verb, placement: Placement, *, needs: tuple[str, ...], because: str, part: str = ""
) -> Step:
    """A step. `part` tells it from another of the same verb."""
    name = f"{component}.{verb}.{part}".removesuffix(".")
    return Step(id=name, component=component, verb=verb, placement=placement, needs=needs, because=because)
