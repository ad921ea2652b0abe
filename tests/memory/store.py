"""The store in memory: each transaction works on a copy of the records, which takes their place at its end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.ports.store import Store
from tests.memory import ordering, probing, recovery, runs, service_levels
from tests.memory.figures import Figures
from tests.memory.records import Records
from tests.memory.runs import HandOver


class MemoryTransaction:
    """The repositories over one copy."""

    def __init__(self, records: Records, hand_over: HandOver) -> None:
        self.agencies = ordering.Agencies(records)
        self.instances = ordering.Instances(records)
        self.allocations = ordering.Allocations(records)
        self.plans = ordering.Plans(records)
        self.secrets = ordering.Secrets(records)
        self.runs = runs.Runs(records)
        self.queue = runs.Queue(hand_over)
        self.work_orders = runs.WorkOrders(records)
        self.events = runs.Events(records)
        self.workers = runs.Workers(records)
        self.ticks = runs.Ticks(records)
        self.backups = recovery.Backups(records)
        self.drills = recovery.Drills(records)
        self.canaries = recovery.Canaries(records)
        self.transitions = probing.Transitions(records)
        self.prober = probing.Prober(records)
        self.service_periods = service_levels.ServicePeriods(records)
        self.declarations = service_levels.Declarations(records)
        self.meters = service_levels.Meters(records)
        self.incidents = service_levels.Incidents(records)
        self.months = service_levels.Months(records)
        self.facts = service_levels.ServiceFacts(records)
        self.figures = Figures(records)


def _nobody(run: int, _attempt: int) -> None:
    raise RuntimeError(f"run {run} is to be handed over, and no queue was given to the store")


class MemoryStore:
    """Writers take turns from their first word to their last, as on SQLite, signs of life included."""

    def __init__(self, hand_over: HandOver = _nobody) -> None:
        self._records, self._hand_over, self._turn = Records(), hand_over, threading.Lock()

    @contextmanager
    def read(self) -> Iterator[MemoryTransaction]:
        yield MemoryTransaction(self._records.locked(), self._hand_over)

    @contextmanager
    def begin(self) -> Iterator[MemoryTransaction]:
        with self._turn:
            draft = self._records.copy()
            yield MemoryTransaction(draft, self._hand_over)
            self._records = draft


_: Store = MemoryStore()
"""It is what the port says, as mypy sees."""
