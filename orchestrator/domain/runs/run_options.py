"""How a run is to be carried out: what it gives way to, and what becomes of it when it fails.

Apart from the run, and without pydantic, because the command line offers these as options.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum


class Priority(StrEnum):
    """Why a run should not wait: an incident before a change before a drill before a look for drift."""

    INCIDENT = "incident"
    CHANGE = "change"
    DRILL = "drill"
    DRIFT = "drift"


PATIENCE: Mapping[Priority, timedelta] = {
    Priority.INCIDENT: timedelta(0),
    Priority.CHANGE: timedelta(minutes=10),
    Priority.DRILL: timedelta(hours=1),
    Priority.DRIFT: timedelta(hours=4),
}
"""How long a run of each priority gives way to more urgent ones. The queue is in the order of creation plus patience,
so that every run comes first some day."""


class OnFailure(StrEnum):
    """What becomes of an onboarding that failed."""

    KEEP = "keep"
    """What was built stays for inspection, and the run can be resumed."""
    ROLL_BACK = "roll_back"
    """A second run removes it, in the reverse order of the needs."""
