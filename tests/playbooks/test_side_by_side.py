"""Two agencies are provisioned, verified and retired at the same time, on the same hosts, which had nothing before."""

import pytest

from tests.playbooks.conftest import BOTH, Steps


@pytest.mark.parametrize("components", [["network", "thin-client"], ["disaster-recovery"]], ids=" and ".join)
def test_neither_agency_disturbs_the_other(steps: Steps, components: list[str]) -> None:
    for component in components:
        steps.same_time(component, "provision")
    for component in components:
        steps.same_time(component, "verify")
        for tenant in BOTH:
            assert steps.changed(component, "provision", tenant=tenant) == []
    for component in reversed(components):
        steps.same_time(component, "retire")
        for tenant in BOTH:
            assert steps.changed(component, "retire", tenant=tenant) == []
