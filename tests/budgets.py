"""What the tests of each component cost: counted, shown as a table at the end, and held to a budget.

A pytest plugin. Budgets are in pyproject.toml, in seconds of processor of the test process, of all it starts and of its
practice hosts: unlike seconds of the clock they are much the same on a machine that is busy. They also say which tests
begin first, so that the long ones do not end last. Where control groups cannot be read, nothing is counted.
"""

import os
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"
BUDGETS: dict[str, float] = tomllib.loads(PYPROJECT.read_text())["tool"]["proving-ground"]["budgets"]
OURS = "shared-service-tests"


def control_groups() -> Path | None:
    """Where control groups of the unified hierarchy are, if we may make some."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, source = line.partition(" - ")
        if source.startswith("cgroup2 ") and os.access(mount.split()[4], os.W_OK):
            return Path(mount.split()[4])
    return None


@dataclass
class Usage:
    """Seconds of processor of the control groups that match a pattern. They may go, and others of the name come."""

    pattern: str
    _gone: float = 0.0
    _last: dict[Path, float] = field(default_factory=dict)

    def read(self) -> float:
        """Return the seconds used so far. What a group uses between a reading and its end is not seen."""
        groups = control_groups()
        stats = [path / "cpu.stat" for path in groups.glob(self.pattern)] if groups else []
        now = {stat: int(stat.read_text().split()[1]) / 1e6 for stat in stats}
        self._gone += sum(last for stat, last in self._last.items() if now.get(stat, 0.0) < last)
        self._last = now
        return self._gone + sum(now.values())


@dataclass
class Cost:
    """Of the tests of one component."""

    tests: int = 0
    seconds: float = 0.0
    processor: float = 0.0


@dataclass
class Counting:
    """Counts in the process that runs tests; collects what the others counted in the one that starts them."""

    costs: dict[str, Cost] = field(default_factory=lambda: defaultdict(Cost))
    hosts: Usage | None = None
    _own: Path | None = None
    _before: str = "/"

    def enter(self) -> None:
        """Have a control group of our own, in which all that we start is counted."""
        if groups := control_groups():
            self._before = Path("/proc/self/cgroup").read_text().splitlines()[-1].rpartition(":")[2]
            self._own = groups / OURS / str(os.getpid())
            self._own.mkdir(parents=True)
            (self._own / "cgroup.procs").write_text(str(os.getpid()))

    def leave(self) -> None:
        """Go back to where we came from. The group stays for as long as something that we started does."""
        if self._own and (groups := control_groups()):
            (groups / self._before.strip("/") / "cgroup.procs").write_text(str(os.getpid()))
            for folder in (self._own, self._own.parent):
                try:
                    folder.rmdir()
                except OSError:
                    break

    def processor(self) -> float:
        """Seconds of processor of ourselves, what we started, and our practice hosts."""
        own = int((self._own / "cpu.stat").read_text().split()[1]) / 1e6 if self._own else 0.0
        return own + (self.hosts.read() if self.hosts else 0.0)


counting = Counting()


def group_of(item: pytest.Item) -> str:
    """Whose tests it is among: a component's, or those of its file."""
    marker = item.get_closest_marker("xdist_group")
    return str(marker.args[0]) if marker else ""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a component, or of a file, run in one process; the dearest components first."""
    for item in items:
        if not group_of(item):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items.sort(key=lambda item: -BUDGETS.get(group_of(item), 0.0))


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("numprocesses", None) and not config.getoption("collectonly"):
        counting.enter()


def pytest_unconfigure() -> None:
    counting.leave()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    cost, began, spent = counting.costs[group_of(item)], time.monotonic(), counting.processor()
    result = yield
    cost.tests += 1
    cost.seconds += time.monotonic() - began
    cost.processor += counting.processor() - spent
    return result


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In a process of pytest-xdist, hand on what was counted; in the one that people see, fail for what is too dear."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["costs"] = {name: vars(cost) for name, cost in counting.costs.items()}
    elif exitstatus == pytest.ExitCode.OK and too_dear():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    for name, cost in getattr(node, "workeroutput", {}).get("costs", {}).items():
        counting.costs[name] = Cost(**cost)


def too_dear() -> list[str]:
    """Components whose tests cost more than their budget."""
    return [name for name, cost in counting.costs.items() if cost.processor > BUDGETS.get(name, float("inf"))]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    shown = sorted(counting.costs.items(), key=lambda pair: -pair[1].processor)[:30]
    if any(name in BUDGETS for name in counting.costs):
        terminalreporter.section("what tests cost")
        terminalreporter.write_line(f"{'':48} tests  seconds  processor  budget")
        for name, cost in shown:
            budget = f"{BUDGETS[name]:7.0f}" if name in BUDGETS else ""
            terminalreporter.write_line(f"{name:48} {cost.tests:5} {cost.seconds:8.1f} {cost.processor:10.1f} {budget}")
    for name in too_dear():
        used = counting.costs[name].processor
        terminalreporter.write_line(
            f"{name}: its tests used {used:.0f} s of processor, its budget is {BUDGETS[name]:.0f} s. Make them leaner, "
            "or raise its budget in pyproject.toml and say why.",
            red=True,
        )
