"""Retaining: deleting old records, in small transactions that block nobody."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.ports.outside import Clock
from orchestrator.ports.store import Store, Transaction

BITE = 5_000
"""Rows deleted in one transaction, which takes some tens of milliseconds."""


@dataclass(frozen=True)
class Retaining:
    """`days` applies to every agency that `agencies` does not name, `backup_days` to the records of single backups and
    comparisons."""

    store: Store
    clock: Clock
    days: int
    backup_days: int
    agencies: Mapping[str, int]

    def prune(self) -> int:
        """Delete old events, old records of backups and comparisons, and old plans that were never applied. Returns the
        number of rows."""
        now, others = self.clock.now(), tuple(self.agencies)
        before = now - timedelta(days=self.days)
        gone = self._bite_by_bite(lambda tx: tx.events.forget(before=before, apart_from=others, limit=BITE))
        past = now - timedelta(days=self.backup_days)
        gone += self._bite_by_bite(lambda tx: tx.backups.forget(before=past, limit=BITE))
        gone += self._bite_by_bite(lambda tx: tx.plans.forget_unapplied(before=before, limit=BITE))
        return gone + sum(self._prune_agency(a, before=now - timedelta(days=d)) for a, d in self.agencies.items())

    def _prune_agency(self, agency: str, *, before: datetime) -> int:
        return self._bite_by_bite(lambda tx: tx.events.forget_of(agency, before=before, limit=BITE))

    def _bite_by_bite(self, forget: Callable[[Transaction], int]) -> int:
        total = 0
        while True:
            with self.store.begin() as tx:
                gone = forget(tx)
            total += gone
            if gone < BITE:
                return total
