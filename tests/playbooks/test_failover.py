"""What holds for a lost desk (test_core_service.py) holds for what keeps its agencies in servers of their own."""

import pytest

from tests.playbooks.command import Command
from tests.playbooks.conftest import Steps
from tests.playbooks.grounds import PracticeHome, unplugged
from tests.playbooks.leftovers import left

AGENCY = "lost-agency"
CALL_OFF = """
framework: flex
agency:
  id: lost-agency
  name: Lost Agency
  class: central-government
  seats: 300
  contacts: [{role: service-manager, name: Lou Lost, email: lou@lost.example}]
site: practice
term: {start: 2026-12-01, months: 24}
services:
  network: {tier: standard}
  identity: {tier: standard}
  disaster-recovery: {tier: standard}
"""


@pytest.mark.long
def test_a_lost_directory_comes_up_where_its_host_stands_by_and_returns(practice: PracticeHome, steps: Steps) -> None:
    practice.clear()
    practice.boot(["gw1", "id1", "id2", "recover1"])
    command, file = Command(practice), practice.home / "lost.yml"
    command("init")
    file.write_text(CALL_OFF)
    command("apply", file, "--yes")
    number = command.json("agency", "show", AGENCY)["allocations"]["number"]
    command("backup", "start", AGENCY)
    with unplugged("id1"):
        command("recovery", "failover", AGENCY, "identity", "--yes")
        command("probe", AGENCY, "identity")
        assert "Nothing to change" in command("apply", file, "--yes")
    command("recovery", "failback", AGENCY, "identity", "--yes")
    command("probe", AGENCY, "identity")
    command("drift", "check", AGENCY)
    assert [move["lost"] for move in command.json("recovery", "list")["moves"]] == [0, 0]
    assert left(steps, AGENCY, number, ["id2"]) == {}
    command("agency", "offboard", AGENCY, "--yes-destroy", AGENCY)
    assert left(steps, AGENCY, number, ["gw1", "id1", "id2"]) == {}
