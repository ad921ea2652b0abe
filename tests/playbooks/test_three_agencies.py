"""Three agencies onboarded at once onto one practice site, by the command line, and kept apart."""

import json
import sqlite3

import paramiko
import pytest

from orchestrator.adapters.keys.secret_box import SecretBox
from orchestrator.domain.estate.practice import HostState
from orchestrator.domain.runs.assignment import password_of
from tests.conftest import ROOT
from tests.playbooks import reach
from tests.playbooks.command import Command
from tests.playbooks.conftest import Steps
from tests.playbooks.grounds import ADDRESSES, PracticeHome

AGENCIES = ["cabinet-office", "coastal-inspectorate", "land-registry-north"]
EXAMPLES = [ROOT / "examples" / f"{agency}.yml" for agency in AGENCIES]


def password_of_user1(practice: PracticeHome) -> str:
    """Of the first user of an agency's desktops, as the records have it."""
    with sqlite3.connect(practice.home / "orchestrator.db") as connection:
        query = "select token from secret where agency = ? and component = ? and name = ?"
        [(token,)] = connection.execute(query, ["cabinet-office", "desktop", "users_password"])
    return password_of("user1", SecretBox(practice.home / "secret.key").open(token))


def groups(command: Command, practice: PracticeHome, password: str) -> list[str]:
    """What the agency's first user is a member of, on the desktop that they log in to with a password."""
    services = command.json("agency", "show", "cabinet-office")["services"]
    desktop = next(service for service in services if service["component"] == "desktop")
    address = next(e["address"] for e in desktop["endpoints"] if e["name"] == "ssh").split("/")[-1].split(":")[0]
    with paramiko.SSHClient() as client:
        client.load_host_keys(str(practice.home / "sites" / "practice" / "known_hosts"))
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.connect(address, username="user1", password=password, look_for_keys=False, allow_agent=False)
        _, output, _ = client.exec_command("id -Gn")
        return output.read().decode().split()


@pytest.fixture(scope="module")
def command(practice: PracticeHome) -> Command:
    practice.clear()
    practice.boot_all()
    made = Command(practice)
    made("init")
    return made


class TestThreeAgencies:
    """In this order: onboarded at once, used, found unchanged, and offboarded."""

    def test_are_onboarded_at_the_same_time(self, command: Command) -> None:
        command.onboard(EXAMPLES)
        for agency in AGENCIES:
            view = command.json("agency", "show", agency)
            assert {s["status"] for s in view["services"]} == {"in_service"}

    def test_leave_no_unit_that_failed_or_keeps_being_restarted(self, command: Command) -> None:
        assert command.json("practice", "check") == {"units": []}

    @pytest.mark.attack
    def test_reach_what_is_declared_and_nothing_else(self, command: Command, steps: Steps) -> None:
        """Every port that anything listens on is tried from everywhere."""
        command.onboard(EXAMPLES)
        views = {agency: command.json("agency", "show", agency) for agency in AGENCIES}
        differences = reach.differences(steps, views)
        assert not differences, "\n".join(differences)

    def test_share_no_block(self, command: Command) -> None:
        held = [command.json("agency", "show", agency)["allocations"] for agency in AGENCIES]
        for name in ("number", "subnet", "vpn_port"):
            assert len({h[name] for h in held}) == 3

    def test_have_nothing_to_change_afterwards(self, command: Command) -> None:
        for path in EXAMPLES:
            command("plan", path, "--detailed-exitcode", expect=0)
            assert "Nothing to change" in command("apply", path, "--yes")

    def test_log_in_to_their_own_desktop_with_the_password_made_for_them(
        self, command: Command, practice: PracticeHome
    ) -> None:
        """An agency's user, over ssh, against the pinned host key; a wrong password is refused."""
        assert "agency-cabinet-office" in groups(command, practice, password_of_user1(practice))
        with pytest.raises(paramiko.AuthenticationException):
            groups(command, practice, "wrong")

    def test_can_be_given_new_passwords(self, command: Command, practice: PracticeHome) -> None:
        before = password_of_user1(practice)
        said = command("secret", "rotate", "cabinet-office", "desktop", "users_password", "--yes")
        after = password_of_user1(practice)
        assert "agency-cabinet-office" in groups(command, practice, after)
        assert not [password for password in (before, after) if password in said]
        with pytest.raises(paramiko.AuthenticationException):
            groups(command, practice, before)
        command("drift", "check", "cabinet-office")

    def test_can_be_changed_one_by_one(self, command: Command, practice: PracticeHome) -> None:
        changed = practice.home / "changed.yml"
        text = (ROOT / "examples/land-registry-north.yml").read_text()
        changed.write_text(text.replace("network: {tier: standard}", "network: {tier: enhanced}"))
        plan = command.json("plan", changed)
        assert {c["component"]: c["effect"] for c in plan["changes"]} == {"network": "update", "service-desk": "none"}
        command("apply", changed, "--yes")

    def test_have_changes_by_hand_detected_and_repaired(
        self, command: Command, practice: PracticeHome, steps: Steps
    ) -> None:
        agency, by_hand = "land-registry-north", "# by hand"
        found = {view["component"]: view["changed"] for view in command.json("drift", "check", agency)["drift"]}
        assert found == {"network": 0, "service-desk": 0}
        file = f"/etc/agency-network/{agency}/dnsmasq.conf"
        steps.on("gw1", f"echo '{by_hand}' >> {file}")
        views = json.loads(command("drift", "check", agency, "--json", expect=1))["drift"]
        assert {view["component"]: bool(view["changed"]) for view in views} == {"network": True, "service-desk": False}
        assert {task["host"] for view in views for task in view["tasks"]} == {"gw1"}
        assert by_hand in steps.on("gw1", f"cat {file}"), "looking changes nothing"
        command("apply", practice.home / "changed.yml", "--yes")
        assert by_hand not in steps.on("gw1", f"cat {file}")
        command("drift", "check", agency)

    def test_are_offboarded_and_leave_the_others_working(self, command: Command, steps: Steps) -> None:
        command("agency", "offboard", "coastal-inspectorate", "--yes-destroy", "coastal-inspectorate")
        view = command.json("agency", "show", "coastal-inspectorate")
        assert {s["status"] for s in view["services"]} == {"retired"}
        assert view["allocations"] == {}
        assert "coastal-inspectorate" not in steps.on("gw1", "ls /etc/agency-network")
        assert "coastal-inspectorate" not in steps.on("thin1", "getent passwd; ls /etc/thin-client /home")
        assert "cabinet-office" in steps.on("gw1", "ls /etc/agency-network")
        command("drift", "check", "land-registry-north")

    def test_see_a_host_that_does_not_answer_reported_as_unreachable(
        self, command: Command, practice: PracticeHome
    ) -> None:
        """Its address is wrong; the command ends with 75, and once it is right the run goes on."""
        agency = "land-registry-south"
        newcomer = practice.home / f"{agency}.yml"
        newcomer.write_text((ROOT / "examples/land-registry-north.yml").read_text().replace("north", "south"))
        inventory = practice.inventories / "practice" / "hosts.yml"
        right = inventory.read_text()
        inventory.write_text(right.replace(f"{ADDRESSES}.21", f"{ADDRESSES}.254"))
        try:
            command("apply", newcomer, "--yes", expect=75)
            run = command.json("run", "list", "--agency", agency)["runs"][0]
            states = {s["id"]: s["state"] for s in command.json("run", "show", run["run"])["steps"]}
            assert states["service-desk.precheck"] == "unreachable"
            assert states["network.provision"] == "pending", "nothing was touched"
        finally:
            inventory.write_text(right)
        command("run", "resume", run["run"])
        assert command.json("run", "show", run["run"])["state"] == "succeeded"
        assert all(h.state is HostState.RUNNING for h in practice.driver.status())
