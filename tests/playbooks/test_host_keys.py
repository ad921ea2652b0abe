"""Host keys are pinned: a host that shows another key is not spoken to."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.adapters.ansible.guarded import Guards
from orchestrator.adapters.ansible.runner import AnsibleRunner
from orchestrator.domain.run import StepState
from orchestrator.usecases.ports import SiteAccess
from tests.conftest import ROOT
from tests.playbooks.conftest import Steps

UNTOUCHED = {"gateway": ("recover1",)}
"""No step has been here, so no connection is open that was checked before."""


def trusting(steps: Steps, known_hosts: Path) -> Steps:
    """The same steps with another list of pinned keys."""
    access = SiteAccess(key=steps.home / "sites" / "practice" / "id_ed25519", known_hosts=known_hosts)
    guards = Guards(lease_seconds=600)
    return replace(steps, runner=AnsibleRunner(playbooks=ROOT / "playbooks", guards=guards, access_of=lambda _: access))


@pytest.mark.parametrize("pinned", ["another host's key", "no key"])
def test_a_host_with_the_wrong_key_is_unreachable(steps: Steps, tmp_path: Path, pinned: str) -> None:
    lines = (steps.home / "sites" / "practice" / "known_hosts").read_text().splitlines()
    keys = dict(line.split(" ", 1) for line in lines)
    stranger, desk = steps.site.hosts["recover1"].address, steps.site.hosts["desk1"].address
    wrong = f"{stranger} {keys[desk]}\n" if pinned == "another host's key" else ""
    (tmp_path / "known_hosts").write_text(wrong)
    outcome = trusting(steps, tmp_path / "known_hosts").run("network", "precheck", placement=UNTOUCHED)
    assert outcome.state is StepState.UNREACHABLE
    assert "Host key verification failed" in (outcome.error or "")
    assert (tmp_path / "known_hosts").read_text() == wrong, "no key is ever learned"
