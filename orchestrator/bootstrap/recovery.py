"""Recovery: backups, drills and their schedule, canaries, and what people see of them."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.bootstrap.base import Base
from orchestrator.bootstrap.evidence import EvidenceParts

if TYPE_CHECKING:
    from orchestrator.domain.recovery.fleet_calendar import Placed
    from orchestrator.domain.selling.drill_policy import Blackout
    from orchestrator.usecases.recovery.backing_up import BackingUp
    from orchestrator.usecases.recovery.concluding import Concluding
    from orchestrator.usecases.recovery.drilling import Drilling
    from orchestrator.usecases.recovery.protecting import Protecting
    from orchestrator.usecases.recovery.recalling import Recalling
    from orchestrator.usecases.recovery.scheduling import Scheduling
    from orchestrator.usecases.recovery.witnessing import Witnessing

FORESEEN = timedelta(days=730)
"""How far ahead a calendar of closures is read."""


@dataclass(frozen=True)
class RecoveryParts:
    base: Base
    evidence: EvidenceParts

    @cached_property
    def protecting(self) -> "Protecting":
        from orchestrator.usecases.recovery.protecting import Protecting

        base = self.base
        return Protecting(source=base.source, store=base.store, clock=base.clock, assigning=base.assigning)

    @cached_property
    def drilling(self) -> "Drilling":
        from orchestrator.usecases.recovery.drilling import Drilling

        base, wait = self.base, self.base.settings.recovery.wait_seconds
        limit = timedelta(seconds=wait) if wait else None
        return Drilling(source=base.source, store=base.store, clock=base.clock, assigning=base.assigning, limit=limit)

    @cached_property
    def scheduling(self) -> "Scheduling":
        from orchestrator.usecases.recovery.scheduling import Scheduling

        base, lanes = self.base, self.base.settings.recovery.drills_per_host
        return Scheduling(source=base.source, store=base.store, clock=base.clock, drilling=self.drilling, lanes=lanes)

    @cached_property
    def recalling(self) -> "Recalling":
        from orchestrator.usecases.recovery.recalling import Recalling

        return Recalling(store=self.base.store)

    @cached_property
    def witnessing(self) -> "Witnessing":
        from orchestrator.usecases.recovery.witnessing import Witnessing

        base = self.base
        return Witnessing(
            source=base.source,
            store=base.store,
            clock=base.clock,
            assigning=base.assigning,
            hosts=base.hosts,
            stopwatch=base.stopwatch,
        )

    @cached_property
    def backing_up(self) -> "BackingUp":
        from orchestrator.usecases.recovery.backing_up import BackingUp

        return BackingUp(witnessing=self.witnessing, protecting=self.protecting)

    @cached_property
    def concluding(self) -> "Concluding":
        from orchestrator.adapters.bank_holidays import report_due
        from orchestrator.usecases.recovery.concluding import Concluding

        base = self.base
        return Concluding(
            source=base.source,
            store=base.store,
            clock=base.clock,
            stopwatch=base.stopwatch,
            name=socket.gethostname(),
            interval=timedelta(minutes=base.settings.recovery.canary_minutes),
            seal=self.evidence.seal,
            report_due=report_due,
        )

    def start_what_is_due(self) -> None:
        """Drills first: one at the worst moment begins just before the backup would."""
        self.scheduling.start_due()
        self.protecting.open_due()

    def calendar_file(self, drills: "Iterable[Placed]") -> bytes:
        """Drills for people's calendars."""
        from orchestrator.adapters.icalendar_files import write_calendar
        from orchestrator.domain.selling.drill_policy import DrillPolicy

        return write_calendar(drills, lasts=DrillPolicy().lasts, stamped=self.base.clock.now())

    def blackouts(self, file: Path) -> "tuple[Blackout, ...]":
        """The closures in a calendar file, for the next two years."""
        from orchestrator.adapters.icalendar_files import read_blackouts

        today = self.base.clock.now().date()
        return read_blackouts(file, first=today, until=today + FORESEEN)
