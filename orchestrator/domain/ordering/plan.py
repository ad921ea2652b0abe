"""A plan: the difference between what is ordered and what is recorded, and the steps that close it."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from pydantic import Field

from orchestrator.domain.charging.charges import Agreed
from orchestrator.domain.charging.cost import Cost
from orchestrator.domain.estate.allocation import Allocation
from orchestrator.domain.estate.site import Placement, Site, hosts_in
from orchestrator.domain.ordering.difference import FieldChange
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.ordering.loss import Loss
from orchestrator.domain.selling.agreement import CallOff, FrameworkAgreement
from orchestrator.domain.selling.catalog import Catalog, Verb
from orchestrator.domain.value import Value, digest_of


class Effect(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    """Rebuilt on other hosts: the recorded ones are no longer part of the site, or are lost."""
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
    FAILOVER = "failover"
    FAILBACK = "failback"


MOVES = (Purpose.FAILOVER, Purpose.FAILBACK)
"""Purposes of runs that move a service to other hosts, with what it stores."""

CHANGES = (Purpose.ONBOARD, Purpose.CHANGE, Purpose.OFFBOARD, Purpose.DESTROY, *MOVES)
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


class Move(Value):
    """A failover, or the return from it. `declared_at` is T0, from which it is measured. `sources` maps each host that
    restores to the one whose backups it restores. `backup_at` is when the backup began that is restored, unless the run
    takes one first."""

    component: str
    declared_at: datetime
    sources: Mapping[str, str] = {}
    backup_at: datetime | None = None


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
    move: Move | None = Field(default=None, exclude_if=lambda move: move is None)
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
    """What the order needs from the site's pools."""
    held: Mapping[str, Allocation] = {}
    """What the agency holds, including what the order needs no longer."""
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
