"""A server with the routes of `serve` that tells of a small fleet whose figures move.

Time goes by sixty times as fast in its totals, so that an outage has cost what a page needs after seconds, not minutes.

python -m tests.monitoring.telling PORT
"""

import sys
import time

import uvicorn

from orchestrator.adapters.exposition.negotiated import Exposition
from orchestrator.bootstrap import Application
from orchestrator.entrypoints.http.server import http_application
from orchestrator.ports.figures import BOUNDS, Histogram, Snapshot
from orchestrator.settings import Settings
from tests.adapters.exposition.snapshots import COMPONENTS, snapshot

AGENCIES = 6
OUTAGE = ("agency-1", "desktop")
"""Down in its service hours."""
NIGHT = ("agency-2", "desktop")
"""Down too, outside of them: neither of its totals advances."""
FASTER = 60


def told(began: float, now: float) -> Snapshot:
    """The figures, so long after the beginning."""
    passed = (now - began) * FASTER
    whole = snapshot(AGENCIES, now=now)
    levels = whole.service_levels
    return whole._replace(
        runs=(("onboard", "succeeded", AGENCIES + int(passed)), ("change", "failed", 1 + int(passed / 7)),
              ("change", "running", 2), ("backup", "queued", 3)),
        run_durations=(histogram(passed, "onboard", "succeeded"), histogram(passed, "backup", "failed")),
        step_durations=tuple(histogram(passed, component, "verify", "succeeded") for component in COMPONENTS),
        onboarding_durations=(histogram(passed, "flex"), histogram(passed, "care")),
        work_orders=(("agency-0", "business-change", "on_time", 2), ("agency-1", "business-change", "overdue", 1)),
        probing=whole.probing._replace(
            up=tuple((a, c, float((a, c) not in (OUTAGE, NIGHT))) for a, c, _ in whole.probing.up),
        ),
        service_levels=levels._replace(
            eligible_seconds=tuple(
                (a, c, figure + passed * ((a, c) != NIGHT)) for a, c, figure in levels.eligible_seconds
            ),
            bad_seconds=tuple((a, c, figure + passed * ((a, c) == OUTAGE)) for a, c, figure in levels.bad_seconds),
        ),
    )  # fmt: skip


def histogram(passed: float, *labels: str) -> Histogram:
    """More and more durations, spread over all buckets."""
    count = 100 + int(passed)
    at_most = tuple(count * (n + 1) // (len(BOUNDS) + 1) for n in range(len(BOUNDS)))
    return Histogram(labels=labels, at_most=at_most, count=count, total_seconds=count * 12.5)


def main(port: int) -> None:
    application, began = Application(Settings()), time.time()
    application.__dict__["exposition"] = Exposition(lambda: told(began, time.time()))
    uvicorn.run(http_application(application), host="127.0.0.1", port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]))
