"""When each probe is due, and until when everything that was due has been read."""

import heapq
from collections.abc import Iterable
from datetime import datetime

from orchestrator.domain.probing.readings import ProbeKey, ProbeTarget, slot_after


class Timetable:
    def __init__(self) -> None:
        self._targets: dict[ProbeKey, ProbeTarget] = {}
        self._due: list[tuple[datetime, ProbeKey]] = []
        self._begun: dict[ProbeKey, datetime] = {}
        self._is_set = False

    def set(self, targets: Iterable[ProbeTarget], *, now: datetime) -> None:
        """Probe these from now on. Targets probed before at the same interval keep their turn; the first targets get
        the turns of their slots."""
        before, self._targets = self._targets, {target.each: target for target in targets}
        kept = {key for key, t in self._targets.items() if key in before and before[key].every == t.every}
        self._due = [(due, key) for due, key in self._due if key in kept]
        self._begun = {key: due for key, due in self._begun.items() if key in kept}
        waiting = {key for _, key in self._due} | self._begun.keys()
        fresh = [t for key, t in self._targets.items() if key not in waiting]
        # A new service is probed at once. Services that existed when probing began keep the turns they had.
        keeps = before.keys() if self._is_set else self._targets.keys()
        self._due += [(slot_after(t.key, t.every, now) if t.each in keeps else now, t.each) for t in fresh]
        self._is_set = True
        heapq.heapify(self._due)

    def next_due(self) -> datetime | None:
        return self._due[0][0] if self._due else None

    def begin(self) -> tuple[ProbeTarget, datetime]:
        """The probe whose turn it is, and when it was due."""
        due, key = heapq.heappop(self._due)
        self._begun[key] = due
        return self._targets[key], due

    def end(self, key: ProbeKey, *, now: datetime) -> None:
        """The target has been read; its next turn is the first in the future."""
        due = self._begun.pop(key, None)
        target = self._targets.get(key)
        if target and due:
            heapq.heappush(self._due, (slot_after(target.key, target.every, max(due, now)), key))

    def read_until(self, now: datetime) -> datetime:
        """The instant before which everything that was due has been read."""
        return min([now, *self._begun.values(), *(due for due, _ in self._due[:1])])
