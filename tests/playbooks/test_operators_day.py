"""A day of a service provider's engineer on a practice site: what goes wrong, and how it is repaired."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.playbooks.command import Command
from tests.playbooks.conftest import Steps
from tests.playbooks.grounds import SUBSTITUTES, PracticeHome

AGENCY = "day-agency"
CALL_OFF = """
framework: flex
agency:
  id: day-agency
  name: Day Agency
  class: central-government
  seats: 300
  contacts: [{role: service-manager, name: Dora Day, email: dora@day.example}]
site: practice
term: {start: 2026-12-01, months: 24}
services:
  network: {tier: standard}
  desktop: {tier: standard, quantity: 1}
  disaster-recovery: {tier: standard}
"""
LEFT = """
find /etc /home /opt /root /run /srv /usr/local /var -xdev -name '*day-agency*' | grep -v /run/systemd/units
grep -rIl day-agency /etc --exclude='*-' | grep -v -e '^/etc/passwd$' -e '^/etc/group$' -e shadow
getent passwd | grep day-agency; getent group | grep day-agency
nft list tables 2>/dev/null | grep agency; ip -brief link | grep -E '^(agency|vpn)'
systemctl list-units --all | grep day-agency
true
"""


@pytest.fixture(scope="module")
def command(practice: PracticeHome) -> Command:
    practice.clear()
    practice.boot(["gw1", "pc1", "pc2", "recover1"])
    made = Command(practice)
    made("init")
    (practice.home / "day.yml").write_text(CALL_OFF)
    return made


@pytest.fixture
def file(practice: PracticeHome) -> Path:
    return practice.home / "day.yml"


def until(seen: Callable[[], object], *, seconds: float = 300) -> None:
    """Wait for something to be so."""
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(1)  # each look is two commands


def states(command: Command, agency: str = AGENCY) -> dict[str, str]:
    """Of the steps of the agency's newest run."""
    runs = command.json("run", "list", "--agency", agency)["runs"]
    return {s["id"]: s["state"] for s in command.json("run", "show", runs[0]["run"])["steps"]} if runs else {}


@contextmanager
def unplugged(host: str) -> Iterator[None]:
    """A host whose cable nobody has put back yet."""
    links = subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout
    bridge = re.escape(SUBSTITUTES["orch-practice"])
    (link,) = re.findall(rf"altname (vb-{bridge}-\S+-{host})$", links, re.MULTILINE)
    subprocess.run(["ip", "link", "set", link, "down"], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "set", link, "up"], check=True)


class TestADay:
    """In the order of the day."""

    def test_a_killed_command_is_called_again(self, command: Command, file: Path) -> None:
        apply = command.start("apply", file, "--yes")
        until(lambda: apply.poll() is not None or states(command).get("desktop.provision") == "running")
        apply.kill()
        apply.communicate()
        command("apply", file, "--yes")
        run = command.json("run", "list", "--agency", AGENCY)["runs"][0]
        assert (run["run"], run["state"]) == (1, "succeeded"), "it is the same run"
        attempts = {s["id"]: s["attempt"] for s in command.json("run", "show", 1)["steps"]}
        assert (attempts["desktop.precheck"], attempts["desktop.provision"]) == (1, 2)
        command("agency", "verify", AGENCY)

    def test_ordering_more_people_changes_the_contract(self, command: Command, file: Path) -> None:
        file.write_text(CALL_OFF.replace("seats: 300", "seats: 320"))
        plan = command.json("plan", file)
        assert plan["steps"] == []
        assert "320" in command("plan", file)
        command("apply", file, "--yes")
        assert "Nothing to change" in command("apply", file, "--yes")

    def test_a_firewall_that_somebody_emptied_is_detected_and_repaired(
        self, command: Command, file: Path, steps: Steps
    ) -> None:
        number = command.json("agency", "show", AGENCY)["allocations"]["number"]
        rules = f"nft list chain inet agency{number} leaving"
        before = steps.on("gw1", rules)
        steps.on("gw1", f"nft flush chain inet agency{number} leaving")
        told = command("drift", "check", AGENCY, expect=1)
        assert f"table agency{number} in force" in told or "firewall.nft" in told
        assert re.search(r"^\s+\+.*ip daddr @private drop$", told, re.MULTILINE), told
        command("apply", file, "--yes")
        assert steps.on("gw1", rules) == before
        command("drift", "check", AGENCY)

    def test_a_drill_whose_recovery_host_is_unplugged_ends_and_blames_nobody(self, command: Command) -> None:
        command("backup", "start", AGENCY)
        drill = command.start("drill", "start", AGENCY, "network")
        until(lambda: drill.poll() is not None or states(command).get("network.prepare") == "succeeded")
        with unplugged("recover1"):
            drill.communicate(timeout=600)
        told: Any = command.json("drill", "list", "--agency", AGENCY)["drills"][0]
        assert (told["verdict"], drill.returncode) == ("inconclusive", 1)
        command("drill", "start", AGENCY, "network")

    def test_a_waiting_run_can_be_cancelled(self, command: Command) -> None:
        run = command.json("backup", "start", AGENCY, "--no-follow")["run"]
        command("run", "cancel", run)
        assert command.json("run", "show", run)["state"] == "cancelled"
        command("backup", "start", AGENCY)

    def test_an_agency_that_leaves_leaves_nothing_behind(self, command: Command, steps: Steps) -> None:
        command("agency", "offboard", AGENCY, "--yes-destroy", AGENCY)
        assert {host: steps.on(host, LEFT) for host in ("gw1", "pc1", "pc2")} == {"gw1": "", "pc1": "", "pc2": ""}
        held = steps.on("recover1", LEFT).split()
        assert all("recover" in line for line in held), "its backups are held"
