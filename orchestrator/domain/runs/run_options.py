"""How a run is carried out: its priority, and what happens when it fails.

It is separate from the run, and without pydantic, because the command line offers these as options.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Priority(StrEnum):
    """The urgency of a run: incidents before changes before drills before drift checks."""

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
"""How long a run of each priority gives way to more urgent ones. The queue is ordered by creation plus patience, so
that every run comes first eventually."""


class OnFailure(StrEnum):
    """What happens to a failed onboarding."""

    KEEP = "keep"
    """What was built stays for inspection, and the run can be resumed."""
    ROLL_BACK = "roll_back"
    """A second run removes it, in the reverse order of the needs."""


@dataclass(frozen=True)
class RunOptions:
    """`cause` is the run that this one rolls back."""

    priority: Priority = Priority.CHANGE
    on_failure: OnFailure = OnFailure.KEEP
    cause: int | None = None


USUAL = RunOptions()
