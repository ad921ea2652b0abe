"""Gathering incidents from the service desks, so that their response and fix times can be measured."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestrator.domain.errors import OrchestratorError
from orchestrator.domain.probing.readings import ProbeTarget
from orchestrator.domain.selling.catalog import ProbeKind
from orchestrator.domain.service_levels.incidents import Incident
from orchestrator.ports.outside import Clock
from orchestrator.ports.probing import Prepared
from orchestrator.ports.store import Store
from orchestrator.usecases.probing.targeting import Targeting

log = logging.getLogger(__name__)

AT_FIRST = timedelta(days=62)
"""How far back a new process looks: over the current month, and the one that is to be closed."""


@dataclass
class Gathering:
    """Remembers how far it has read each agency's desk."""

    store: Store
    clock: Clock
    targeting: Targeting
    read: Callable[[Prepared, datetime], dict[str, Incident]]
    _read_until: dict[str, datetime] = field(default_factory=dict)

    def gather(self) -> int:
        """Record what has changed at every desk in service; returns the number of incidents. A desk that does not
        answer is asked again next time, for everything since its last answer."""
        return sum(self._gather(target) for target in self.targeting.targets() if target.kind is ProbeKind.RT)

    def _gather(self, target: ProbeTarget) -> int:
        agency, now = target.key.agency, self.clock.now()
        try:
            found = self.read(self.targeting.prepare(target), self._read_until.get(agency, now - AT_FIRST))
        except OrchestratorError as error:
            log.warning("%s", error.message)
            return 0
        if found:
            with self.store.begin() as tx:
                for number, incident in found.items():
                    tx.incidents.put(agency, number, incident)
        self._read_until[agency] = now
        return len(found)
