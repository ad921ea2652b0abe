"""An agency on the practice site, and drills of it carried out phase by phase, with what a test does in between."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from orchestrator.adapters.ansible.guarded import Guards
from orchestrator.bootstrap import Application
from orchestrator.domain.recovery.drills import Drill
from orchestrator.domain.recovery.evidence import Evidence
from orchestrator.domain.runs.run import Run, RunState
from orchestrator.domain.selling.catalog import Verb
from tests.playbooks.conftest import Steps

AGENCY = "cabinet-office"
DESK = "service-desk"
REPOSITORY = f"/srv/recovery/{AGENCY}/repositories/{DESK}.desk1"
WORKER = "the test"

Meanwhile = Mapping[Verb, Callable[[int], object]]
"""What happens just before a phase begins, told the number of the drill."""


@dataclass
class Rehearsals:
    """`acknowledged` is the test's own record: just before each canary was written, and just after that was said."""

    app: Application
    steps: Steps
    acknowledged: dict[int, tuple[datetime, datetime]] = field(default_factory=dict)

    def canary(self) -> int:
        """Write one into the desk, and note when that came back."""
        before = datetime.now(UTC)
        written = next(w for w in self.app.recovery.witnessing.write(AGENCY) if w.watch.component == DESK)
        assert written.number is not None, written.error
        self.acknowledged[written.number] = before, datetime.now(UTC)
        return written.number

    def back_up(self) -> None:
        run = self.carry(self.app.recovery.protecting.open_run(AGENCY, DESK))
        assert run.state is RunState.SUCCEEDED, run.error

    def drill(self, meanwhile: Meanwhile | None = None) -> Drill:
        """One to its end."""
        drill = self.app.recovery.drilling.request(AGENCY, DESK, by="the test")
        self.carry(self.app.recovery.drilling.start(drill.id), meanwhile=meanwhile, drill=drill.id)
        return self.stored(drill.id)

    def carry(self, run: Run, *, meanwhile: Meanwhile | None = None, drill: int = 0) -> Run:
        """A run to its end, as a worker would, with the real runner."""
        driving, runner = self.app.engine.driving, self.app.engine.runner(Guards(lease_seconds=7200))
        with self.app.base.store.begin() as tx:
            tx.workers.join(WORKER, host="here", runs=1)
        self.app.engine.admitting.admit()
        assert driving.begin(run.id, run.attempt)
        while ready := driving.next_steps(run.id).ready:
            if ready[0].verb in (meanwhile or {}):
                (meanwhile or {})[ready[0].verb](drill)
            started = driving.start(run.id, ready[0].id, worker=WORKER)
            assert started is not None
            driving.finish(started, runner.run(started.work, on_events=lambda _: None, cancelled=lambda: False))
        return driving.conclude(run.id, run.attempt)

    def stored(self, drill: int) -> Drill:
        with self.app.base.store.read() as tx:
            found = tx.drills.get(drill)
        assert found is not None
        return found

    def evidence(self, drill: Drill) -> Evidence:
        return Evidence.model_validate(json.loads(self.app.recovery.recalling.evidence(drill.id))["evidence"])

    def left(self) -> Any:
        """What of drills is on the recovery host."""
        return json.loads(self.steps.on("recover1", "echo '{}' | /usr/local/lib/recovery/drill status"))

    def forget_canaries(self) -> None:
        """Begin a new chain, in the desk and in the ledger."""
        self.sql("delete from attachments where content like 'canary %'")
        with self.app.base.store.begin() as tx:
            tx.canaries.forget(AGENCY, DESK)
        self.acknowledged.clear()

    def in_bubble(self, drill: int, *command: str) -> str:
        """What a command says that is run as root in what a drill restored."""
        ask = f"import bubble, leases; print(bubble.ask(leases.Drill({drill}), *{command!r}), end='')"
        return self.steps.on("recover1", f"cd /usr/local/lib/recovery; python3 <<'END'\n{ask}\nEND")

    def sql(self, statement: str) -> str:
        return self.steps.on("desk1", f'cd /; runuser -u www-data -- psql -qtA rtdb -c "{statement}"')


@contextmanager
def aside(steps: Steps, path: str) -> Iterator[None]:
    """A file or folder of the recovery host is gone for a while."""
    steps.on("recover1", f"mv {path} /root/aside")
    try:
        yield
    finally:
        steps.on("recover1", f"mv /root/aside {path}")


def wait_until(true: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.05)
