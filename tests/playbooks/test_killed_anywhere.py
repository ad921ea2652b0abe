"""Provisioning for an agency is killed anywhere, and then undone: nothing of the agency is left on the hosts.

`retire` itself looks on the hosts for anything with the agency's name or number, and fails when it finds something.
"""

import pytest

from orchestrator.domain.events import TaskFinished
from orchestrator.domain.runs.run import StepState
from tests.playbooks.conftest import Steps

COMPONENTS = [
    "network", "desktop", "identity", "laptop", "service-desk", "thin-client", "disaster-recovery", "data-centre",
    "flexible-working", "wide-area-network", "security",
]  # fmt: skip


def _fresh(steps: Steps, component: str) -> None:
    """Hosts that have nothing but what the component needs."""
    if component == "thin-client":  # it puts files into the network's folders
        steps.practice.in_state("with-network", lambda: steps.succeed("network", "provision"))
    else:
        steps.practice.clear()


def _tasks(steps: Steps, component: str) -> list[str]:
    """The tasks of provisioning, in their order, each once."""
    _fresh(steps, component)
    steps.succeed(component, "provision")
    return list(dict.fromkeys(told.task for told in steps.said if isinstance(told, TaskFinished)))


def _kill_and_remove(steps: Steps, component: str, task: str) -> None:
    _fresh(steps, component)
    outcome = steps.run(component, "provision", until=task)
    assert outcome.state in (StepState.CANCELLED, StepState.SUCCEEDED), f"{task}: {outcome.error}"
    steps.succeed(component, "retire")
    assert steps.changed(component, "retire") == [], f"a second time, after {task}"


@pytest.mark.parametrize("component", COMPONENTS)
def test_provisioning_killed_in_the_middle_is_removed_completely(steps: Steps, component: str) -> None:
    tasks = _tasks(steps, component)
    _kill_and_remove(steps, component, tasks[len(tasks) // 2])


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("component", COMPONENTS)
def test_provisioning_killed_after_any_task_is_removed_completely(steps: Steps, component: str) -> None:
    for task in _tasks(steps, component):
        _kill_and_remove(steps, component, task)
