"""The inventory of a second practice site, which may run beside the one that people use."""

from pathlib import Path

import pytest

HOSTS = """\
network_gateways:
  hosts:
    edge: {ansible_host: 10.62.1.11}
desktops:
  hosts:
    seat: {ansible_host: 10.62.1.31}
"""
VARIABLES = """\
ansible_user: provision
practice_bridge: orch-rehearse
practice_address: 10.62.1.1/24
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """An inventory directory named `rehearsal` with two hosts."""
    directory = tmp_path / "rehearsal"
    (directory / "group_vars").mkdir(parents=True)
    (directory / "hosts.yml").write_text(HOSTS)
    (directory / "group_vars" / "all.yml").write_text(VARIABLES)
    return directory
