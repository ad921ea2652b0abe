"""What a run or a step waits for."""

from datetime import datetime

from orchestrator.domain.runs.work_order import Jeopardy, WorkOrder
from orchestrator.domain.value import Value


class ForWorker(Value):
    """Nothing else is in the way."""


class ForPlace(Value):
    """One of so many runs that may be open at the same time, in all or at one site."""

    places: int
    site: str | None = None


class ForRun(Value):
    """Another run, which has or will have a host."""

    run: int
    agency: str
    host: str


class ForRetry(Value):
    """The time of the next try."""

    until: datetime


class ForPeople(Value):
    """The people who have a work order."""

    order: WorkOrder
    jeopardy: Jeopardy


Wait = ForWorker | ForPlace | ForRun | ForRetry | ForPeople
