"""An agency's desktops on real hosts: made, used, broken, repaired, removed and given to the next agency."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import paramiko
import pytest

from orchestrator.adapters import home_weights
from orchestrator.adapters.recovery_host import SshRecoveryHosts
from orchestrator.domain.ordering.certificates import PERIOD
from orchestrator.domain.runs.run import StepOutcome, StepState
from orchestrator.ports.outside import SiteAccess
from tests.playbooks.conftest import ALPHA, BRAVO, TODAY, Steps, Tenant, secrets_of
from tests.playbooks.grounds import NETWORKS

PLACES = {ALPHA: {"desktop": ("pc1",)}, BRAVO: {"desktop": ("pc2",)}}
LEFT = """
ls /home; ls -A /tmp /var/tmp | grep left; ps -eo args= | grep '[s]leep 3210'
find /etc /usr/local -name '*managed-desktop*' -not -type d
grep -rl {id} /etc --exclude='*-'
getent group | grep agency; ip route | grep {networks}.; grep 127.0.0.1 /etc/resolv.conf; true
"""


def _run(steps: Steps, verb: str, tenant: Tenant = ALPHA, **options: Any) -> StepOutcome:
    return steps.run("desktop", verb, tenant=tenant, placement=PLACES[tenant], **options)


def _changed(steps: Steps, verb: str, tenant: Tenant = ALPHA, **options: Any) -> list[str]:
    return steps.changed("desktop", verb, tenant=tenant, placement=PLACES[tenant], **options)


def _same_time(steps: Steps, verb: str) -> None:
    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(lambda tenant: _run(steps, verb, tenant), (ALPHA, BRAVO)))
    assert [outcome.state for outcome in outcomes] == [StepState.SUCCEEDED] * 2, [o.error for o in outcomes]


def _as_user1(steps: Steps, command: str) -> str:
    """What a command says to the first user of the first agency, who logs in with a password."""
    secret = secrets_of(ALPHA, "desktop", steps.source)["users_password"]
    with paramiko.SSHClient() as client:
        client.load_host_keys(str(steps.home / "sites" / "practice" / "known_hosts"))
        password = hashlib.sha256(f"{secret}/user1".encode()).hexdigest()[:24]
        address = steps.site.hosts["pc1"].address
        client.connect(address, username="user1", password=password, allow_agent=False, look_for_keys=False)
        _stdin, stdout, _stderr = client.exec_command(command)
        return stdout.read().decode()


@pytest.fixture(scope="module")
def desktops(steps: Steps) -> Steps:
    """Each agency has a network and a desktop of its own, provisioned at the same time."""

    def make() -> None:
        steps.same_time("network", "provision")
        _same_time(steps, "provision")

    steps.practice.in_state("desktops", make)
    return steps


@pytest.fixture
def breakable(desktops: Steps) -> Iterator[Steps]:
    """The same, and what a test does to the first agency's is forgotten."""
    yield desktops
    desktops.practice.restore("desktops", "pc1")


def test_a_prediction_for_a_fresh_host_changes_nothing(steps: Steps) -> None:
    assert _changed(steps, "precheck") == []
    assert _changed(steps, "provision", check=True) != []
    assert _changed(steps, "retire") == []
    steps.on("pc1", "test ! -e /etc/managed-desktop && ! systemctl --quiet is-active xrdp")


def test_provisioning_again_changes_nothing_and_verification_passes(desktops: Steps) -> None:
    for tenant in (ALPHA, BRAVO):
        assert _changed(desktops, "provision", tenant) == []
        assert _changed(desktops, "provision", tenant, check=True) == []
        assert _changed(desktops, "verify", tenant) == []
    assert _as_user1(desktops, "id -gn; stat -c %a .").split() == [f"agency-{ALPHA.id}", "700"]


def test_homes_are_where_the_catalogue_says_and_can_be_measured_there(desktops: Steps) -> None:
    """This is how a plan that removes people knows what they lose."""
    homes = desktops.source.catalog().components["desktop"].homes
    assert homes
    home, nobody = (homes.path.format(person=person, agency_id=ALPHA.id) for person in ("user1", "nobody"))
    desktops.on("pc1", f"head -c 4321 /dev/zero > {home}/letter")
    folder = desktops.home / "sites" / "practice"
    hosts = SshRecoveryHosts(lambda _: SiteAccess(key=folder / "id_ed25519", known_hosts=folder / "known_hosts"))
    program = Path(home_weights.__file__).read_text()
    with hosts.connect(desktops.site, "pc1") as host:
        [told] = [json.loads(line) for line in host.as_root(program, [home, nobody]).splitlines()]
    assert (told["path"], told["files"] >= 1, told["bytes"] >= 4321) == (home, True, True)
    desktops.on("pc1", f"rm {home}/letter")


def test_desktops_survive_a_reboot(desktops: Steps) -> None:
    """Their hosts were rebooted after they had been provisioned."""
    units = "managed-desktop-route dnsmasq xrdp fail2ban host-firewall"
    wait = "for _ in $(seq 120); do systemctl --quiet is-active managed-desktop-route && break; sleep 0.5; done"
    assert desktops.on("pc1", f"{wait}; systemctl is-active {units}").split() == ["active"] * 5
    assert [unit for unit in desktops.practice.driver.unsteady() if unit.host in ("pc1", "pc2")] == []


LOCKING = """
set -e
exec 3<<'END'
899999
900000
900001
END
xprintidle() { read -r said <&3 && echo "$said"; }
xtrlock() { echo "locking after $idle"; return 1; }
sleep() { :; }
. /etc/X11/Xsession.d/70managed-desktop
wait
"""
"""A session in which nobody does anything and locks fail: what it asks and runs is stood in for."""


def test_an_unattended_screen_is_locked(desktops: Steps) -> None:
    assert desktops.on("pc1", LOCKING).splitlines() == ["locking after 900000", "locking after 900001"]


def test_a_host_resolves_its_own_name_even_without_the_agencys_name_server(breakable: Steps) -> None:
    desktops = breakable
    ask = f"getent ahostsv4 gateway.{ALPHA.id}.practice.internal"
    assert f"{NETWORKS}.{ALPHA.number}.1" in desktops.on("pc1", ask)
    desktops.on("pc1", "systemctl stop dnsmasq; getent ahostsv4 pc1")
    assert desktops.try_on("pc1", ask).returncode != 0
    assert _changed(desktops, "provision") != []
    assert f"{NETWORKS}.{ALPHA.number}.1" in desktops.on("pc1", ask)


GUESS = """
import paramiko, sys
for guess in range(12):
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.WarningPolicy())
        try:
            client.connect(sys.argv[1], 22, "user1", "guess", allow_agent=False, look_for_keys=False, timeout=5)
        except paramiko.AuthenticationException:
            print("turned away")
        except Exception:
            print("not answered")
            break
"""


def test_a_host_that_guesses_passwords_is_blocked_for_a_while(breakable: Steps) -> None:
    """The recovery host does the guessing: it may reach a desktop and has a suitable client."""
    desktops, at = breakable, breakable.site.hosts["pc1"].address
    guess = f"python3 - {at} <<'GUESS' 2>/dev/null\n{GUESS}\nGUESS"
    wait = "for _ in $(seq 100); do fail2ban-client banned | grep -q {guesser} && break; sleep 0.2; done"
    said = desktops.on("recover1", guess).splitlines()
    assert said[0] == "turned away", "a wrong password is answered at first"
    desktops.on("pc1", wait.format(guesser=desktops.site.hosts["recover1"].address))
    assert desktops.on("recover1", guess).splitlines() == ["not answered"]
    assert _as_user1(desktops, "id -un") == "user1\n", "nobody else is kept out"


RDP_FAILURE = "AUTHFAIL: user=user1 ip={} time=1700000000"


@pytest.mark.parametrize("written", ["10.1.2.3", "::ffff:10.1.2.3:49152 - socket: 12"])
def test_failed_remote_desktop_logins_are_recognised_however_they_are_logged(desktops: Steps, written: str) -> None:
    regex = f"fail2ban-regex '{RDP_FAILURE.format(written)}' /etc/fail2ban/filter.d/managed-desktop.conf"
    assert "10.1.2.3" in desktops.on("pc1", f"{regex} --verbose 2>&1")


BREAKS = [
    ("systemctl stop xrdp", "no remote desktop"),
    ("userdel --force --remove user2", "user2 cannot log in"),
    ("echo user1:not-the-password | chpasswd", "user1 cannot log in"),
    ("systemctl stop dnsmasq", "getent ahostsv4"),
    ("rm /etc/ssl/certs/managed-desktop.pem", "openssl verify"),
    ("sed -i 's/alpha/other/' /etc/managed-desktop/build.json", "build.json"),
    (
        "sed -i 's/^PermitRootLogin.*/PermitRootLogin yes/' /etc/ssh/sshd_config.d/10-managed-desktop.conf"
        " && systemctl restart ssh",
        "sshd -T",
    ),
    (
        "cp /etc/ssl/certs/ssl-cert-snakeoil.pem /etc/managed-desktop/desktop.pem"
        " && cp /etc/ssl/private/ssl-cert-snakeoil.key /etc/managed-desktop/desktop.key"
        " && systemctl restart xrdp",
        "presents the certificate",
    ),
]


@pytest.mark.parametrize(("broken", "complaint"), BREAKS)
def test_verification_detects_what_is_broken(breakable: Steps, broken: str, complaint: str) -> None:
    breakable.on("pc1", broken)
    outcome = _run(breakable, "verify")
    assert outcome.state is StepState.FAILED
    assert complaint in str(outcome.error)


@pytest.mark.parametrize("stopped", ["xrdp", "dnsmasq"])
def test_provisioning_starts_what_was_stopped(breakable: Steps, stopped: str) -> None:
    breakable.on("pc1", f"systemctl stop {stopped}")
    assert _changed(breakable, "provision") != []
    assert _changed(breakable, "verify") == []


def test_provisioning_repairs_what_is_broken(breakable: Steps) -> None:
    for broken, _ in BREAKS:
        breakable.on("pc1", broken)
    assert _changed(breakable, "provision") != []
    assert _changed(breakable, "verify") == []


def test_the_agencys_choices_take_effect(breakable: Steps) -> None:
    desktops = breakable
    desktops.on("pc1", "touch ~user2/letter; ls -d ~user2")
    assert _changed(desktops, "provision", parameters={"users": ["user1", "ada"]}, tier="secure") != []
    assert _changed(desktops, "verify", parameters={"users": ["user1", "ada"]}, tier="secure") == []
    assert desktops.on("pc1", "ls /home").split() == ["ada", "provision", "user1"]
    assert "cliprdr=false" in desktops.on("pc1", "cat /etc/managed-desktop/xrdp.ini")


def test_new_secrets_replace_the_old_ones(breakable: Steps) -> None:
    for renewed, old in ((("users_password",), "Authentication failed"), (("authority_key",), "certificate")):
        assert old in str(_run(breakable, "verify", renewed=renewed).error), "hosts do not have the new one yet"
        assert _changed(breakable, "provision", renewed=renewed) != []
        assert _changed(breakable, "provision", renewed=renewed) == []
        assert _changed(breakable, "verify", renewed=renewed) == []
        assert old in str(_run(breakable, "verify").error), "the old one is worth nothing"
        _run(breakable, "provision")


def test_a_certificate_is_valid_for_a_year_and_replaced_half_a_year_before_its_end(breakable: Steps) -> None:
    later = TODAY + PERIOD
    ends = breakable.on("pc1", "openssl x509 -noout -checkend 31622400 -in /etc/managed-desktop/desktop.pem || true")
    assert "will expire" in ends, "within 366 days"
    assert "certificate" in str(_run(breakable, "verify", at=later).error)
    changed = _changed(breakable, "provision", at=later)
    assert changed != []
    assert _changed(breakable, "provision", at=later) == []


def test_no_password_is_stored_on_the_host(desktops: Steps) -> None:
    secret = secrets_of(ALPHA, "desktop", desktops.source)["users_password"]
    password = hashlib.sha256(f"{secret}/user1".encode()).hexdigest()[:24]
    for hidden in (secret, password):
        assert desktops.on("pc1", f"grep -rsl {hidden} /etc /var/log /var/lib /tmp /home || true") == ""


def test_a_desktop_is_cleared_of_its_people_and_given_to_the_next_agency(desktops: Steps) -> None:
    _as_user1(desktops, "touch /tmp/left; mkdir -p /var/tmp/left/deep; setsid sleep 3210 >/dev/null 2>&1 &")
    place = {"desktop": ("pc1",)}
    refused = desktops.run("desktop", "precheck", tenant=BRAVO, placement=place)
    assert f"the host is a desktop of {ALPHA.id}" in str(refused.error)
    assert desktops.changed("desktop", "retire", tenant=BRAVO, placement=place) == [], "it is not BRAVO's"
    assert _changed(desktops, "retire") != []
    assert _changed(desktops, "retire") == []
    assert desktops.on("pc1", LEFT.format(id=ALPHA.id, networks=NETWORKS)).split() == ["provision"]
    assert desktops.on("pc1", "systemctl --failed --plain --no-legend") == ""
    desktops.succeed("desktop", "precheck", tenant=BRAVO, placement=place)
    # As a plan would have it, the agency's network lets the new desktop ask.
    assert desktops.changed("network", "provision", tenant=BRAVO, others={"desktop": place}) != []
    desktops.succeed("desktop", "provision", tenant=BRAVO, placement=place)
    desktops.succeed("desktop", "verify", tenant=BRAVO, placement=place)
    desktops.succeed("desktop", "retire", tenant=BRAVO, placement=place)
    desktops.succeed("desktop", "provision", placement=place)
    assert _changed(desktops, "verify") == []
