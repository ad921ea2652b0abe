"""Ordering: what agencies order, delivering it, and what is left when they leave."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.bootstrap.base import Base
from orchestrator.usecases.ordering.planning import Planning

if TYPE_CHECKING:
    from orchestrator.usecases.ordering.appraising import Appraising
    from orchestrator.usecases.ordering.batching import Batching
    from orchestrator.usecases.ordering.comparing import Comparing
    from orchestrator.usecases.ordering.holding import Holding
    from orchestrator.usecases.ordering.provisioning import Provisioning
    from orchestrator.usecases.ordering.verifying import Verifying


@dataclass(frozen=True)
class OrderingParts:
    base: Base

    @cached_property
    def planning(self) -> Planning:
        return Planning(source=self.base.source, store=self.base.store, clock=self.base.clock)

    @cached_property
    def batching(self) -> "Batching":
        from orchestrator.usecases.ordering.batching import Batching

        return Batching(store=self.base.store, planning=self.planning)

    @cached_property
    def appraising(self) -> "Appraising":
        from orchestrator.adapters import home_weights
        from orchestrator.usecases.ordering.appraising import Appraising

        base, program = self.base, Path(home_weights.__file__).read_text(encoding="utf-8")
        return Appraising(source=base.source, store=base.store, clock=base.clock, hosts=base.hosts, program=program)

    @cached_property
    def provisioning(self) -> "Provisioning":
        from orchestrator.usecases.ordering.provisioning import Provisioning

        base = self.base
        return Provisioning(store=base.store, clock=base.clock, planning=self.planning, assigning=base.assigning)

    @cached_property
    def comparing(self) -> "Comparing":
        from orchestrator.usecases.ordering.comparing import Comparing

        base = self.base
        return Comparing(source=base.source, store=base.store, clock=base.clock, assigning=base.assigning)

    @cached_property
    def verifying(self) -> "Verifying":
        from orchestrator.usecases.ordering.verifying import Verifying

        base = self.base
        return Verifying(source=base.source, store=base.store, clock=base.clock, assigning=base.assigning)

    @cached_property
    def holding(self) -> "Holding":
        from orchestrator.usecases.ordering.holding import Holding

        base = self.base
        return Holding(source=base.source, store=base.store, clock=base.clock, assigning=base.assigning)
