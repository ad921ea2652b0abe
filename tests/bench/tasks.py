"""What one small task costs: processor time of the controller and the host together, over ssh to a practice host.

A step of few tasks and one of many are measured one after the other, and their difference is divided by the tasks that
the second has more. All processes of this program and its hosts are in a control group of their own, whose clock is
read.
"""

import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orchestrator.adapters.ansible.runner import AnsibleRunner
from orchestrator.adapters.ansible.warm import WarmStart
from orchestrator.domain.runs.run import StepState
from orchestrator.domain.selling.catalog import Verb
from orchestrator.ports.runs import Assignment
from tests.conftest import ROOT
from tests.playbooks.conftest import MISSING, Steps, steps_on
from tests.playbooks.grounds import practice_site

FEW, MANY = 2, 12
PAIRS = 7
WANTED = 0.15
TASK = "- name: Look at a file\n  ansible.builtin.stat:\n    path: /etc/hostname\n"


@dataclass(frozen=True)
class Processor:
    """The clock of a control group: seconds that its processes and all their descendants have run, dead ones too."""

    group: Path

    def seconds(self) -> float:
        if (nanoseconds := self.group / "cpuacct.usage").exists():
            return int(nanoseconds.read_text()) / 1e9
        lines = (self.group / "cpu.stat").read_text().splitlines()
        return int(dict(line.split() for line in lines)["usage_usec"]) / 1e6


@contextmanager
def processor() -> Iterator[Processor]:
    """A control group of our own for what is started meanwhile; it must have ended before this does."""
    ours = _own_group()
    group = ours / f"bench-{os.getpid()}"
    group.mkdir()
    (group / "cgroup.procs").write_text("0")
    try:
        yield Processor(group)
    finally:
        (ours / "cgroup.procs").write_text("0")
        group.rmdir()


def _own_group() -> Path:
    """Where this process is among the control groups that count processor time."""
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    top = Path("/sys/fs/cgroup")
    for _, controllers, path in lines:
        if "cpuacct" in controllers.split(","):
            return top / "cpuacct" / path.lstrip("/")
    return next(top / path.lstrip("/") for _, controllers, path in lines if not controllers)


def playbooks_with(folder: Path) -> Path:
    """Playbooks whose verbs precheck and verify are few and many small tasks, and nothing else."""
    play = (ROOT / "playbooks" / "verify.yml").read_text()
    for verb, tasks in ((Verb.PRECHECK, FEW), (Verb.VERIFY, MANY)):
        role = folder / "roles" / "small" / "tasks"
        role.mkdir(parents=True, exist_ok=True)
        (role / f"{verb}.yml").write_text("---\n" + TASK * tasks)
        (folder / f"{verb}.yml").write_text(play.replace("tasks_from: verify", f"tasks_from: {verb}"))
    return folder


@dataclass(frozen=True)
class Way:
    """One way of carrying small tasks out on one host."""

    runner: AnsibleRunner
    steps: Steps
    clock: Processor
    host: str = "gw1"

    def a_task(self) -> float:
        """Processor seconds of one small task."""
        return (self._step(Verb.VERIFY) - self._step(Verb.PRECHECK)) / (MANY - FEW)

    def _step(self, verb: Verb) -> float:
        before = self.clock.seconds()
        outcome = self.runner.run(self._assignment(verb), on_events=lambda _: None, cancelled=lambda: False)
        assert outcome.state is StepState.SUCCEEDED, outcome.error
        return self.clock.seconds() - before

    def _assignment(self, verb: Verb) -> Assignment:
        return Assignment(
            run=0,
            step=f"small.{verb}",
            role="small",
            verb=verb,
            site=self.steps.site,
            variables={self.host: {}},
            secrets={},
            secrets_variable="small_secrets",
            timeout=timedelta(minutes=5),
        )


def measured(ways: Mapping[str, Way]) -> dict[str, list[float]]:
    """Processor seconds of a task each way, in interleaved rounds; the first round fills caches and does not count."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(PAIRS + 1):
        for name, way in ways.items():
            took = way.a_task()
            if turn:
                found[name].append(took)
    return found


def compare(steps: Steps, clock: Processor) -> Table:
    """Small tasks with quick modules and without."""
    with tempfile.TemporaryDirectory() as name:
        playbooks = playbooks_with(Path(name))
        warm = {"as Ansible sends them": WarmStart(playbooks, quick=False), "quick": WarmStart(playbooks, quick=True)}
        runners = {name: replace(steps.runner, playbooks=playbooks, warm=start) for name, start in warm.items()}
        found = measured({name: Way(runner=runner, steps=steps, clock=clock) for name, runner in runners.items()})
        for start in warm.values():
            start.close()
    plain, quick = found.values()
    table = Table(
        title=f"Processor time of a small task, controller and host, medians of {PAIRS} interleaved pairs",
        title_justify="left",
    )
    for heading in ("modules", "seconds", "ratio", "wanted"):
        table.add_column(heading, justify="left" if heading == "modules" else "right")
    ratio = statistics.median(q / p for q, p in zip(quick, plain, strict=True))
    for what, times, times_as in zip(found, (plain, quick), ("", f"{ratio:.2f}"), strict=True):
        table.add_row(what, f"{statistics.median(times):.3f}", times_as, f"{WANTED:.2f}")
    return table


def main() -> None:
    """Measure and print."""
    if os.geteuid() != 0 or MISSING:
        Console().print("A task is not measured: it takes root and the tools of a practice site.")
        return
    with processor() as clock, tempfile.TemporaryDirectory() as name, practice_site(Path(name)) as home:
        home.boot([Way.host])
        table = compare(steps_on(home), clock)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
