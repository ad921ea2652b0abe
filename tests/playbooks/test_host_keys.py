"""Host keys are pinned: a host with another key is not contacted. Our own key is replaced on all hosts or on none."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.adapters.ansible.guarded import Guards
from orchestrator.adapters.ansible.runner import AnsibleRunner
from orchestrator.domain.runs.run import StepState
from orchestrator.ports.outside import SiteAccess
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
    steps.practice.boot(["desk1", "recover1"])
    lines = (steps.home / "sites" / "practice" / "known_hosts").read_text().splitlines()
    keys = dict(line.split(" ", 1) for line in lines)
    stranger, desk = steps.site.hosts["recover1"].address, steps.site.hosts["desk1"].address
    wrong = f"{stranger} {keys[desk]}\n" if pinned == "another host's key" else ""
    (tmp_path / "known_hosts").write_text(wrong)
    outcome = trusting(steps, tmp_path / "known_hosts").run("network", "precheck", placement=UNTOUCHED)
    assert outcome.state is StepState.UNREACHABLE
    assert "Host key verification failed" in (outcome.error or "")
    assert (tmp_path / "known_hosts").read_text() == wrong, "no key is ever learned"


def test_our_new_key_replaces_the_old_one_on_every_host(steps: Steps, tmp_path: Path) -> None:
    practice, key = steps.practice, steps.home / "sites" / "practice" / "id_ed25519"
    practice.boot_all()
    old = tmp_path / "old"
    old.write_bytes(key.read_bytes())
    old.chmod(0o600)
    command = [sys.executable, "-m", "orchestrator", "secret", "rotate", "--site", "practice"]
    steps.on("gw1", "mv /etc/ssh/authorized_keys.d/provision /root/known")
    refused = subprocess.run(command, cwd=ROOT, env=practice.environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 75, refused.stderr
    assert f"1 of {len(steps.site.hosts)} hosts" in refused.stderr
    assert key.read_bytes() == old.read_bytes()
    practice.restore("fresh", "gw1")
    done = subprocess.run(command, cwd=ROOT, env=practice.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert key.read_bytes() != old.read_bytes()
    for host in steps.site.hosts.values():
        assert steps.on(host.name, "wc -l < /etc/ssh/authorized_keys.d/provision").strip() == "1"
        assert _comes_in(steps, host.address, old) is False
        assert _comes_in(steps, host.address, key) is True
    assert [path.name for path in key.parent.glob("id_ed25519*")] == ["id_ed25519"]
    steps.succeed("network", "precheck")


def _comes_in(steps: Steps, address: str, key: Path) -> bool:
    known = steps.home / "sites" / "practice" / "known_hosts"
    options = [f"UserKnownHostsFile={known}", "BatchMode=yes", "IdentitiesOnly=yes", "ControlPath=none"]
    words = ["ssh", "-i", str(key), *(w for o in options for w in ("-o", o)), f"provision@{address}", "true"]
    return subprocess.run(words, capture_output=True, check=False, timeout=30).returncode == 0
