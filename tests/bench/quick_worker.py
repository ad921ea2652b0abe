"""A worker whose playbooks take no time: everything but Ansible is real.

`python -m tests.bench.quick_worker SECONDS [--stay]`
Ends when nothing is open any more, unless it is to stay, or after SECONDS.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence

from orchestrator.adapters.ansible import runner
from orchestrator.bootstrap import build
from orchestrator.domain.events import Happening, TaskFinished
from orchestrator.domain.runs.run import OPEN_RUN, Counts, StepOutcome, StepState
from orchestrator.ports.runs import Assignment
from orchestrator.settings import Settings

EVENTS_A_STEP = 10


class QuickRunner:
    """Reports a step's events and says that it went well."""

    def __init__(self, **_: object) -> None: ...

    def run(
        self,
        assignment: Assignment,
        *,
        on_events: Callable[[Sequence[Happening]], None],
        cancelled: Callable[[], bool],
    ) -> StepOutcome:
        host = next(iter(assignment.variables))
        told = [TaskFinished(host=host, task=f"Task {n}", outcome="ok", seconds=0.1) for n in range(EVENTS_A_STEP)]
        on_events(told)
        time.sleep(float(os.environ.get("BENCH_STEP_SECONDS", "0")))
        return StepOutcome(state=StepState.SUCCEEDED, counts=Counts(ok=EVENTS_A_STEP))


def main(seconds: float, *, stay: bool) -> None:
    """Work."""
    runner.AnsibleRunner = QuickRunner  # type: ignore[assignment, misc]
    until = time.monotonic() + seconds
    with build(Settings()) as app:

        def done() -> bool:
            with app.base.store.read() as tx:
                idle = not stay and not any(tx.runs.count(state) for state in OPEN_RUN)
                return idle or time.monotonic() > until

        app.engine.work(done)


if __name__ == "__main__":
    main(float(sys.argv[1]), stay="--stay" in sys.argv)
