"""Plans that change nothing of an agency's services: backups and recovery drills."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from orchestrator.domain.estate.site import Placement, Site
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.ordering.plan import Plan, Purpose, Step
from orchestrator.domain.ordering.upkeep import _basis, bare_plan, side_by_side
from orchestrator.domain.selling.catalog import KEEPER, RecoveryTarget, Verb

PHASES = (
    (Verb.EXAMINE, "the recovery host must be able to carry it"),
    (Verb.PIN, "only what was there at the disaster may be restored"),
    (Verb.PREPARE, "nothing may get out of the restored copy"),
    (Verb.RESTORE, "from the pin only"),
    (Verb.START, "users must find it by its name"),
    (Verb.PROBE, "it is back when users can work, not when a process runs"),
    (Verb.CHECK, "what came back must be whole, and stay inside"),
    (Verb.CLEANUP, "nothing may be left on the recovery host"),
    (Verb.REPORT, "what was measured is signed and kept"),
)
ALWAYS = (Verb.CLEANUP, Verb.REPORT)


def backup_interval(target: RecoveryTarget) -> timedelta:
    """The interval between backups: half the time for which work may be lost, because what is written just after one
    has begun is safe only when the next has ended."""
    return target.rpo / 2


def next_backup(started: datetime, finished: datetime, target: RecoveryTarget) -> tuple[datetime, datetime]:
    """When the next backup begins after one from `started` to `finished`, and when it is complete if it takes as long.
    Just before the latter is the worst moment for a disaster."""
    begins = started + backup_interval(target)
    return begins, begins + max(finished - started, timedelta(0))


def backup_plan(agency: str, components: Sequence[str], *, recorded: Mapping[str, ServiceInstance], site: Site) -> Plan:
    because = "its backup is due"
    return side_by_side(agency, Purpose.BACKUP, Verb.BACKUP, components, because=because, recorded=recorded, site=site)


def drill_plan(agency: str, component: str, *, recorded: Mapping[str, ServiceInstance], site: Site) -> Plan:
    """The phases of a drill, in sequence, on the recovery host."""
    placement: Placement = recorded[KEEPER].hosts
    steps: list[Step] = []
    for verb, because in PHASES:
        steps.append(
            Step(
                id=f"{component}.{verb}",
                component=component,
                verb=verb,
                placement=placement,
                needs=tuple(s.id for s in steps[-1:]) if verb not in ALWAYS else (),
                because=because,
                always=verb in ALWAYS,
            )
        )
    basis = _basis((component, KEEPER), recorded=recorded)
    return bare_plan(agency, Purpose.DRILL, tuple(steps), site=site.name, basis=basis)
