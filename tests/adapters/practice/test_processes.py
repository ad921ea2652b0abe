"""Control groups of hosts, on this machine."""

import os
import threading

import pytest

from orchestrator.adapters.practice import processes
from tests.budgets import control_groups

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make control groups"),
    pytest.mark.skipif(control_groups() is None, reason="this machine has no unified control group hierarchy"),
]


def test_groups_of_a_sites_hosts_come_and_go_at_the_same_time() -> None:
    """The last group to go removes what all share, while another is about to come back."""
    groups, failures = control_groups(), []
    assert groups
    site = groups / "shared-service-practice" / f"together{os.getpid()}"

    def come_and_go(name: str) -> None:
        try:
            for _ in range(500):
                processes.make_group(site / name / "keeper")
                processes.remove_group(site / name)
        except OSError as failure:
            failures.append(failure)

    threads = [threading.Thread(target=come_and_go, args=[name]) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert not site.exists()
