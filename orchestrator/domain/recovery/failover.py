"""Failover: bringing a lost service up on hosts that stand by, and returning it. Plans, and what is measured."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.allocation import Allocation, chosen
from orchestrator.domain.estate.site import Placement, Site, hosts_in, joined, without
from orchestrator.domain.ordering.difference import FieldChange, differences
from orchestrator.domain.ordering.instance import InstanceState, ServiceInstance, existing
from orchestrator.domain.ordering.plan import Change, Effect, Move, Plan, Purpose, Step
from orchestrator.domain.ordering.plan_steps import step_of
from orchestrator.domain.ordering.reachability import reach_changes
from orchestrator.domain.ordering.upkeep import bare_plan
from orchestrator.domain.recovery.canary import RecoveredRecords
from orchestrator.domain.selling.catalog import KEEPER, Catalog, Component, RecoveryTarget, Verb
from orchestrator.domain.value import Value, digest_of

SHUT = "shut"
"""The part of a step that has another service lead nowhere for the time being."""


class Situation(Value):
    """What an agency has, and where, when one of its services is to be moved."""

    agency: str
    component: Component
    recorded: Mapping[str, ServiceInstance]
    catalog: Catalog
    allocations: Mapping[str, Allocation]
    site: Site

    @property
    def instance(self) -> ServiceInstance:
        return self.recorded[self.component.component]

    @property
    def named(self) -> str:
        return f"{self.component.component} of {self.agency}"

    @property
    def copies(self) -> Placement:
        """The hosts of the site that have a copy which does not serve."""
        return self.site.present(self.instance.elsewhere)

    @property
    def failed_over(self) -> bool:
        """Whether hosts that stand by serve it."""
        standing_by = {host for group in self.component.hosts.values() for host in self.site.standby(group)}
        return not standing_by.isdisjoint(hosts_in(self.instance.hosts))


def failover_plan(now: Situation, *, declared_at: datetime, backup_at: datetime) -> Plan:
    """The plan that brings the service up on hosts that stand by, from its newest backup. Nothing is asked of the lost
    hosts. Raises CONFLICT if that is not possible."""
    before, name = now.instance, now.component.component
    if now.failed_over:
        raise OrchestratorError(
            Kind.CONFLICT,
            f"{now.named} has failed over already: {', '.join(hosts_in(before.hosts))} serves it",
            hint=f"to return it: orchestrator recovery failback {now.agency} {name}",
        )
    there = _standby(now)
    after = before.model_copy(update={"hosts": there, "elsewhere": without(before.everywhere, there)})
    others, keeper = _others(now, after), now.recorded[KEEPER].hosts
    done = _Ids(name)
    steps = (
        step_of(name, Verb.PRECHECK, there, needs=(), because="the hosts that stand by must be able to carry it"),
        step_of(KEEPER, Verb.PROVISION, keeper, needs=(done.precheck,), because="they must be let in to its backups"),
        step_of(
            KEEPER,
            Verb.VERIFY,
            keeper,
            needs=(f"{KEEPER}.{Verb.PROVISION}",),
            because="no false backup may be restored",
        ),
        step_of(name, Verb.RESTORE, there, needs=(f"{KEEPER}.{Verb.VERIFY}",), because="from the newest backup"),
        *_deliver(name, there),
        *_lead(now, others, needs=(done.verify,)),
        step_of(name, Verb.CHECK, keeper, needs=(done.verify,), because="canaries tell what was lost"),
        step_of(name, Verb.BACKUP, there, needs=(done.check,), because="these hosts have none yet"),
    )
    move = Move(component=name, declared_at=declared_at, sources=_sources(there, before.hosts), backup_at=backup_at)
    return _plan(now, Purpose.FAILOVER, steps, after=after, others=others, move=move)


def failback_plan(now: Situation, *, declared_at: datetime) -> Plan:
    """The plan that returns the service to the hosts that it was lost on, or removes what an unfinished failover has
    left. Raises CONFLICT if there is nothing to return."""
    before, name, keeper = now.instance, now.component.component, now.recorded[KEEPER].hosts
    if not now.failed_over and not now.copies:
        raise OrchestratorError(
            Kind.CONFLICT,
            f"{now.named} has not failed over: {', '.join(hosts_in(before.hosts))} serves it",
            hint=f"see: orchestrator agency show {now.agency}",
        )
    home, done = _home(now) if now.failed_over else before.hosts, _Ids(name)
    after = before.model_copy(update={"hosts": home, "elsewhere": {}})
    others, left = _others(now, after), without(joined(before.hosts, now.copies), home)
    led = (f"{other}.{Verb.PROVISION}" for other in others)
    last = (
        step_of(name, Verb.RETIRE, left, needs=(done.check, *led), because="nobody is led there any more"),
        step_of(KEEPER, Verb.PROVISION, keeper, needs=(done.retire,), because="its backups come from elsewhere"),
        step_of(KEEPER, Verb.VERIFY, keeper, needs=(f"{KEEPER}.{Verb.PROVISION}",), because="backups must go on"),
    )
    if not now.failed_over:
        alone = last[0].model_copy(update={"needs": (), "because": "what a failover has not finished"})
        move = Move(component=name, declared_at=declared_at)
        return _plan(now, Purpose.FAILBACK, (alone, *last[1:]), after=after, others={}, move=move)
    stale = step_of(name, Verb.RETIRE, home, part="stale", needs=(done.precheck,), because="the copy there is stale")
    shut = tuple(
        step_of(
            c, Verb.PROVISION, now.recorded[c].hosts, part=SHUT, needs=(stale.id,), because="nothing may be written"
        )
        for c in others
    )
    steps = (
        step_of(name, Verb.PRECHECK, home, needs=(), because="they must be able to carry it again"),
        stale,
        *shut,
        step_of(name, Verb.BACKUP, before.hosts, needs=tuple(s.id for s in (stale, *shut)), because="it is returned"),
        step_of(name, Verb.RESTORE, home, needs=(done.backup,), because="from that backup"),
        *_deliver(name, home),
        *_lead(now, others, needs=(done.verify,)),
        step_of(name, Verb.CHECK, keeper, needs=(done.verify,), because="canaries tell what was lost"),
        *last,
        step_of(name, Verb.BACKUP, home, part="again", needs=(f"{KEEPER}.{Verb.VERIFY}",), because="theirs is old"),
    )
    move = Move(component=name, declared_at=declared_at, sources=_sources(home, before.hosts))
    return _plan(now, Purpose.FAILBACK, steps, after=after, others=others, move=move)


class _Ids:
    """The ids of a component's steps."""

    def __init__(self, component: str) -> None:
        self.precheck, self.restore, self.verify = (f"{component}.{v}" for v in ("precheck", "restore", "verify"))
        self.check, self.retire, self.backup = (f"{component}.{v}" for v in ("check", "retire", "backup"))


def _standby(now: Situation) -> Placement:
    """The hosts that stand by for each function, one for each, as shared hosts are chosen. A dedicated function has
    none."""
    groups = now.component.hosts
    by_function = {f: now.site.standby(g) for f, g in groups.items() if not now.component.dedicates(f)}
    if without_any := [groups[f] for f in groups if not by_function.get(f)]:
        raise OrchestratorError(
            Kind.CONFLICT,
            f"no host of site {now.site.name} stands by for {', '.join(without_any)}, which {now.named} is on",
            hint=f"name hosts in the group {without_any[0]}_standby of inventories/{now.site.name}/hosts.yml",
        )
    return {function: chosen(hosts, now.allocations) for function, hosts in by_function.items()}


def _home(now: Situation) -> Placement:
    """The hosts that it was on, or others of their group if they are no longer part of the site."""
    members = {f: now.site.group(g) for f, g in now.component.hosts.items()}
    if gone := [now.component.hosts[f] for f, hosts in members.items() if not hosts]:
        raise OrchestratorError(
            Kind.CONFLICT,
            f"site {now.site.name} has no host in {', '.join(gone)} to return {now.named} to",
            hint=f"add one to inventories/{now.site.name}/hosts.yml, or move there those that stand by, for good",
        )
    kept = {f: tuple(h for h in now.instance.elsewhere.get(f, ()) if h in hosts) for f, hosts in members.items()}
    return {f: kept[f] or chosen(hosts, now.allocations) for f, hosts in members.items()}


def _sources(there: Placement, before: Placement) -> dict[str, str]:
    return {host: source for f, hosts in there.items() for host, source in zip(hosts, before[f], strict=True)}


def _others(now: Situation, after: ServiceInstance) -> dict[str, tuple[FieldChange, ...]]:
    """The agency's other services that must know the new place, with what changes for them. The keeper of backups has
    steps of its own."""
    name, present = after.component, existing(now.recorded)
    found = reach_changes(
        present, {**present, name: after}, catalog=now.catalog, allocations=now.allocations, site=now.site
    )
    serving = [
        c
        for c in now.catalog.in_order(present)
        if c not in (name, KEEPER)
        and present[c].state is InstanceState.IN_SERVICE
        and not now.catalog.components[c].by_people
    ]
    moved = (FieldChange(path=f"needs.{name}", before=_names(now.instance.hosts), after=_names(after.hosts)),)
    needing = {c: moved for c in serving if name in now.catalog.follows(c)}
    return {c: (*found.get(c, ()), *needing.get(c, ())) for c in serving if c in found or c in needing}


def _deliver(name: str, there: Placement) -> Iterator[Step]:
    yield step_of(name, Verb.PROVISION, there, needs=(_Ids(name).restore,), because="as it is ordered now")
    provisioned = f"{name}.{Verb.PROVISION}"
    yield step_of(name, Verb.VERIFY, there, needs=(provisioned,), because="users must be able to use it")


def _lead(now: Situation, others: Mapping[str, Any], *, needs: tuple[str, ...]) -> Iterator[Step]:
    """Have other services lead to the new place."""
    for other in others:
        hosts = now.recorded[other].hosts
        first = tuple(f"{n}.{Verb.VERIFY}" for n in now.catalog.follows(other) if n in others)
        yield step_of(other, Verb.PROVISION, hosts, needs=(*needs, *first), because="it leads users there")
        provisioned = f"{other}.{Verb.PROVISION}"
        yield step_of(other, Verb.VERIFY, hosts, needs=(provisioned,), because="users must be able to use it")


def _plan(
    now: Situation,
    purpose: Purpose,
    steps: Sequence[Step],
    *,
    after: ServiceInstance,
    others: Mapping[str, tuple[FieldChange, ...]],
    move: Move,
) -> Plan:
    before, name = now.instance, after.component
    fields = differences(_places(before), _places(after))
    known = [now.recorded[c].model_dump(mode="json", exclude={"changed_at", "error"}) for c in sorted(now.recorded)]
    touched = sorted({host for step in steps for host in step.hosts if host in now.site.hosts})
    basis = digest_of([known, [now.site.hosts[host].model_dump(mode="json") for host in touched]])
    plan = bare_plan(now.agency, purpose, tuple(steps), site=now.site.name, basis=basis)
    return plan.model_copy(
        update={
            "changes": (
                Change(component=name, effect=Effect.REPLACE, tier=before.tier, fields=fields),
                *(
                    Change(component=c, effect=Effect.UPDATE, tier=now.recorded[c].tier, fields=changed)
                    for c, changed in others.items()
                ),
            ),
            "desired": {name: after, **{c: now.recorded[c] for c in (*others, KEEPER)}},
            "move": move,
        }
    )


def _places(instance: ServiceInstance) -> dict[str, list[str]]:
    """Where it is, as a plan shows it."""
    placed = {"hosts": instance.hosts, "elsewhere": instance.elsewhere}
    return {f"{name}.{f}": list(hosts) for name, placement in placed.items() for f, hosts in placement.items()}


def _names(placement: Placement) -> list[str]:
    return list(hosts_in(placement))


class Surveyed(Value):
    """What a service that was moved has of canaries. `records` is None if there are none; the ledger goes on after the
    `newest` that is there."""

    records: RecoveredRecords | None
    newest: int | None = None


class Moved(Value):
    """What a failover, or the return from it, took and lost, compared with what the tier promises. Durations are in
    seconds.

    `recovered_at` is when the service had been verified as its users use it and the agency's other services led there.
    The recovery point of a failover is T0 less the instant up to which the restored service is known to have
    everything, by its canaries or, if there are none, by when its backup began. That of a return is the time for which
    users could still write after the backup that was returned had begun.
    """

    component: str
    declared_at: datetime
    recovered_at: datetime | None
    rto_seconds: float | None
    rto_objective_seconds: float
    rpo_seconds: float | None
    rpo_objective_seconds: float
    known_by: str | None
    """`canaries` or `backup`: what tells the recovery point."""
    acknowledged: int | None = None
    lost: int | None = None
    """Canaries: how many there were, and how many of them are gone."""


def measured(
    plan: Plan,
    target: RecoveryTarget,
    *,
    ended: Mapping[str, datetime],
    backed_up_at: datetime | None,
    records: RecoveredRecords | None,
) -> Moved:
    """The measurements of a plan that is carried out. `ended` maps each step that has succeeded to its end; a backup
    that the run has taken began at `backed_up_at`."""
    move = plan.move
    assert move is not None
    awaited = [f"{move.component}.{Verb.VERIFY}"]
    awaited += [s.id for s in plan.steps if s.verb is Verb.PROVISION and s.component not in (move.component, KEEPER)]
    recovered = max(ended[step] for step in awaited) if ended.keys() >= set(awaited) else None
    if plan.purpose is Purpose.FAILBACK:
        shut = [ended[step.id] for step in plan.steps if step.id.endswith(f".{SHUT}") and step.id in ended]
        point, known_by = _since(backed_up_at, max(shut, default=recovered)), "backup"
    elif records is not None and records.rpo_seconds is not None:
        point, known_by = records.rpo_seconds, "canaries"
    else:
        point, known_by = _since(move.backup_at, move.declared_at), "backup"
    return Moved(
        component=move.component,
        declared_at=move.declared_at,
        recovered_at=recovered,
        rto_seconds=_since(move.declared_at, recovered),
        rto_objective_seconds=target.rto.total_seconds(),
        rpo_seconds=point,
        rpo_objective_seconds=target.rpo.total_seconds(),
        known_by=known_by if point is not None else None,
        acknowledged=records.acknowledged if records else None,
        lost=records.lost if records else None,
    )


def _since(start: datetime | None, end: datetime | None) -> float | None:
    return max(end - start, timedelta(0)).total_seconds() if start and end else None
