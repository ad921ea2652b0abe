"""Two agencies on the same hosts are provisioned and retired at the same time, from hosts that have nothing."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.domain.run import StepState
from tests.playbooks.conftest import ALPHA, BRAVO, Steps


def _both(steps: Steps, component: str, verb: str) -> None:
    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(lambda tenant: steps.run(component, verb, tenant=tenant), (ALPHA, BRAVO)))
    assert [outcome.state for outcome in outcomes] == [StepState.SUCCEEDED] * 2, [o.error for o in outcomes]


@pytest.mark.parametrize("component", ["network", "thin-client", "disaster-recovery"])
def test_neither_disturbs_the_other(steps: Steps, component: str) -> None:
    parts = [component] if component != "thin-client" else ["network", component]
    for part in parts:
        _both(steps, part, "provision")
    for part in parts:
        _both(steps, part, "verify")
        for tenant in (ALPHA, BRAVO):
            assert steps.changed(part, "provision", tenant=tenant) == []
    for part in reversed(parts):
        _both(steps, part, "retire")
        for tenant in (ALPHA, BRAVO):
            assert steps.changed(part, "retire", tenant=tenant) == []
