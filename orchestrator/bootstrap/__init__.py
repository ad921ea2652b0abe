"""The composition root: which adapter implements which port. The only place where they are constructed."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.bootstrap.base import Base
from orchestrator.bootstrap.installing import initialise as initialise
from orchestrator.bootstrap.installing import upgrade as upgrade
from orchestrator.bootstrap.practice import practice_site as practice_site
from orchestrator.settings import Settings

if TYPE_CHECKING:  # parts that a command does not use are not even imported
    from orchestrator.adapters.exposition.negotiated import Exposition
    from orchestrator.bootstrap.engine import EngineParts
    from orchestrator.bootstrap.evidence import EvidenceParts
    from orchestrator.bootstrap.keys import KeyParts
    from orchestrator.bootstrap.ordering import OrderingParts
    from orchestrator.bootstrap.probing import ProbingParts
    from orchestrator.bootstrap.recovery import RecoveryParts
    from orchestrator.bootstrap.service_levels import ServiceLevelParts
    from orchestrator.usecases.examining import Examining, Finding
    from orchestrator.usecases.observing import Observing


@dataclass(frozen=True)
class Application:
    """The use-cases, by subject."""

    settings: Settings

    @cached_property
    def base(self) -> Base:
        return Base(self.settings)

    @cached_property
    def ordering(self) -> "OrderingParts":
        from orchestrator.bootstrap.ordering import OrderingParts

        return OrderingParts(self.base)

    @cached_property
    def evidence(self) -> "EvidenceParts":
        from orchestrator.bootstrap.evidence import EvidenceParts

        return EvidenceParts(self.base)

    @cached_property
    def recovery(self) -> "RecoveryParts":
        from orchestrator.bootstrap.recovery import RecoveryParts

        return RecoveryParts(self.base, self.evidence)

    @cached_property
    def service_levels(self) -> "ServiceLevelParts":
        from orchestrator.bootstrap.service_levels import ServiceLevelParts

        return ServiceLevelParts(self.base)

    @cached_property
    def probing(self) -> "ProbingParts":
        from orchestrator.bootstrap.probing import ProbingParts

        return ProbingParts(self.base)

    @cached_property
    def keys(self) -> "KeyParts":
        from orchestrator.bootstrap.keys import KeyParts

        return KeyParts(self.base, self.ordering)

    @cached_property
    def engine(self) -> "EngineParts":
        from orchestrator.bootstrap.engine import EngineParts

        return EngineParts(self.base, self.ordering, self.recovery, self.probing)

    @cached_property
    def observing(self) -> "Observing":
        from orchestrator.usecases.observing import Observing

        return Observing(
            source=self.base.source,
            store=self.base.store,
            clock=self.base.clock,
            admitting=self.engine.admitting,
            metering=self.service_levels.metering,
            probe_counts=self.probing.counts,
            crew=self.engine.crew,
        )

    @cached_property
    def exposition(self) -> "Exposition":
        from orchestrator.adapters.exposition.negotiated import Exposition

        return Exposition(self.observing.snapshot)

    @cached_property
    def examining(self) -> "Examining":
        from orchestrator.usecases.examining import Examining

        base = self.base
        return Examining(source=base.source, store=base.store, clock=base.clock, hosts=base.hosts)

    def examine(self) -> "list[Finding]":
        """What is in order in the installation, and what is not."""
        from orchestrator.bootstrap.doctor import findings

        return findings(self)

    def scheduling(self) -> AbstractContextManager[None]:
        """A scheduler that runs while the context lasts. Any number of processes may have one."""
        from orchestrator.adapters.scheduler import Scheduler
        from orchestrator.bootstrap.schedules import schedules

        return Scheduler(store=self.base.store, clock=self.base.clock, schedules=schedules(self)).running()

    def close(self) -> None:
        """Close what was opened."""
        self.base.close()


@contextmanager
def build(settings: Settings) -> Iterator[Application]:
    """The application. What it opened is closed on exit."""
    app = Application(settings)
    try:
        yield app
    finally:
        app.close()
