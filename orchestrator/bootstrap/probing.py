"""Probing: checking whether services work, and reading incidents from desks."""

import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.bootstrap.base import Base
from orchestrator.ports.figures import ProbeCounts

if TYPE_CHECKING:
    from orchestrator.domain.probing.readings import ProbeTarget, Reading
    from orchestrator.usecases.probing.targeting import Targeting
    from orchestrator.usecases.service_levels.gathering import Gathering


@dataclass(frozen=True)
class ProbingParts:
    """`counts` counts the probes of this process."""

    base: Base
    counts: ProbeCounts = field(default_factory=ProbeCounts)

    @cached_property
    def targeting(self) -> "Targeting":
        from orchestrator.usecases.probing.targeting import Targeting

        base = self.base
        return Targeting(source=base.source, store=base.store, clock=base.clock, secrets=base.secrets, hosts=base.hosts)

    @cached_property
    def gathering(self) -> "Gathering":
        from orchestrator.adapters.probes.incidents import read_incidents
        from orchestrator.usecases.service_levels.gathering import Gathering

        base = self.base
        return Gathering(store=base.store, clock=base.clock, targeting=self.targeting, read=read_incidents)

    def probe(self, until: Callable[[], bool]) -> None:
        """Probe live services until told to stop, whenever no other process does."""
        from orchestrator.adapters.probes.pool import ProbePool
        from orchestrator.usecases.probing.watching import Probing

        base, holder = self.base, f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}"
        watcher = Probing(base.store, base.clock, self.targeting, holder, self.counts)
        ProbePool(watcher, base.clock, self.counts, base.settings.probing.concurrency).run(until)

    def probe_now(self, agency: str, component: str | None = None) -> "list[tuple[ProbeTarget, Reading]]":
        """What the probes of an agency's live services find at this moment. Nothing is recorded."""
        from orchestrator.adapters.probes.once import read_once

        return read_once(self.targeting.prepare, self.targeting.of(agency, component), self.base.clock)
