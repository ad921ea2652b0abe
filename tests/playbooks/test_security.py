"""An agency's own hosts are protected: attacked, broken, repaired and given back, alone and beside other services."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orchestrator.domain.runs.run import StepOutcome, StepState
from tests.playbooks import reach
from tests.playbooks.conftest import ALPHA, BOTH, BRAVO, Steps, Tenant
from tests.playbooks.grounds import ADDRESSES

OTHERS = {"desktop": {"desktop": ("pc1",)}, "data-centre": {"server": ("server1",), "collector": ("log1",)}}
PLACES = {ALPHA: {"host": ("pc1", "server1")}, BRAVO: {"host": ("server2",)}}
BESIDE = {ALPHA: OTHERS, BRAVO: {}}
FIGURES = 9110
LEFT = """
find /etc /usr/local /var/lib /run/systemd/system -name '*managed-security*'; ls /var/lib/fail2ban
systemctl list-units --all --plain --no-legend '*managed-security*'
nft list tables | grep f2b; grep -rl {id} /etc --exclude='*-'; true
"""


def _run(steps: Steps, verb: str, tenant: Tenant = ALPHA, **options: Any) -> StepOutcome:
    return steps.run(
        "security", verb, tenant=tenant, **{"placement": PLACES[tenant], "others": BESIDE[tenant], **options}
    )


def _changed(steps: Steps, verb: str, tenant: Tenant = ALPHA, **options: Any) -> list[str]:
    return steps.changed(
        "security", verb, tenant=tenant, **{"placement": PLACES[tenant], "others": BESIDE[tenant], **options}
    )


def _same_time(steps: Steps, verb: str) -> None:
    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(lambda tenant: _run(steps, verb, tenant), BOTH))
    assert [outcome.state for outcome in outcomes] == [StepState.SUCCEEDED] * 2, [o.error for o in outcomes]


@pytest.fixture(scope="module")
def protected(steps: Steps) -> Steps:
    """One agency has a desktop and a host in the data centre, the other a host with nothing else on it."""

    def make() -> None:
        with ThreadPoolExecutor() as pool:
            network = pool.submit(steps.succeed, "network", "provision")
            steps.succeed("data-centre", "provision", placement=OTHERS["data-centre"])
            network.result()
        steps.succeed("desktop", "provision", placement=OTHERS["desktop"])
        _same_time(steps, "provision")

    steps.practice.in_state("security", make)
    return steps


@pytest.fixture
def breakable(protected: Steps) -> Iterator[Steps]:
    """The same, and what a test does to the first agency's hosts is forgotten."""
    yield protected
    protected.practice.restore("security", *PLACES[ALPHA]["host"])


@pytest.fixture
def lonely(protected: Steps) -> Iterator[Steps]:
    """The same, and what a test does to the other's host is forgotten."""
    yield protected
    protected.practice.restore("security", *PLACES[BRAVO]["host"])


def test_a_prediction_for_a_fresh_host_changes_nothing(steps: Steps) -> None:
    assert _changed(steps, "precheck", BRAVO) == []
    assert _changed(steps, "provision", BRAVO, check=True) != []
    assert _changed(steps, "retire", BRAVO) == []
    steps.on("server2", "test ! -e /etc/managed-security && ! systemctl --quiet is-active fail2ban")


def test_provisioning_again_changes_nothing_and_verification_passes(protected: Steps) -> None:
    for tenant in BOTH:
        assert _changed(protected, "provision", tenant) == []
        assert _changed(protected, "provision", tenant, check=True) == []
        assert _changed(protected, "precheck", tenant) == []
        assert _changed(protected, "verify", tenant) == []
    _same_time(protected, "verify")


def test_the_services_on_its_hosts_work_as_before(protected: Steps) -> None:
    for component, placement in OTHERS.items():
        assert protected.changed(component, "provision", placement=placement, check=True) == [], "nothing has drifted"
        assert protected.changed(component, "verify", placement=placement) == []


def test_hosts_survive_a_reboot(protected: Steps) -> None:
    """They were rebooted after they had been provisioned."""
    units = "fail2ban managed-security-figures managed-security-measure.timer ssh host-firewall"
    for host in ("pc1", "server1", "server2"):
        assert protected.on(host, f"systemctl is-active {units}").split() == ["active"] * 5
    assert protected.practice.driver.unsteady() == ()


GUESSING = """ip netns add guesser; ip link add guesser0 type veth peer name eth0 netns guesser
ip address add 198.19.0.1/24 dev guesser0; ip link set guesser0 up; ip -n guesser link set lo up
ip -n guesser address add 198.19.0.2/24 dev eth0; ip -n guesser link set eth0 up
nft insert rule inet host_firewall input ip saddr 198.19.0.2 tcp dport 22 accept
ssh() { ip netns exec guesser ssh -o StrictHostKeyChecking=no -o BatchMode=yes -o ConnectTimeout=5 "$@" 2>&1; }
for guess in $(seq 10); do ssh nobody$guess@198.19.0.1 | grep -o 'Permission denied'; done
timeout 60 sh -c 'until nft list table inet f2b-table | grep -q 198.19.0.2; do sleep 0.2; done'
ssh nobody@198.19.0.1 | grep -o 'Connection refused'; fail2ban-client get sshd banip
"""
"""Somebody whom the firewall lets in by mistake tries names until nobody answers any more."""

IGNORED = f"""
said() {{ cat /var/log/fail2ban.log; journalctl --unit=fail2ban; }}
until [ "$(said | grep -c 'Ignore {ADDRESSES}.1 by ip')" -ge 10 ]; do sleep 0.2; done
"""


def test_an_address_that_guesses_is_banned_but_never_where_the_host_is_managed(lonely: Steps) -> None:
    said = lonely.on("server2", GUESSING).splitlines()
    assert said == ["Permission denied"] * 10 + ["Connection refused", "198.19.0.2"]
    options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes"
    address = lonely.site.hosts["server2"].address
    _locally(f"for guess in $(seq 11); do ! ssh {options} nobody$guess@{address} true 2>/dev/null || exit 1; done")
    lonely.on("server2", IGNORED)
    assert lonely.on("server2", "fail2ban-client get sshd banip").split() == ["198.19.0.2"]


def test_figures_are_for_the_providers_monitoring_alone(protected: Steps) -> None:
    asked = {host: (protected.site.hosts[host].address, "tcp", FIGURES) for host in ("pc1", "server1", "server2")}
    assert reach.walk(protected, reach.Source("controller"), asked.values()) == set(asked.values())
    assert reach.walk(protected, reach.Source("log1", "log1"), asked.values()) == set()
    assert reach.walk(protected, reach.Source("server2", "server2"), [asked["server1"]]) == set()


def test_what_is_measured_is_shown_and_is_down_while_a_check_fails(lonely: Steps) -> None:
    address = lonely.site.hosts["server2"].address
    ask = f"curl --silent --write-out '%{{http_code}}\\n' http://{address}:{FIGURES}"
    said = _locally(f"{ask}/").splitlines()
    assert (said[-1], "security_score_ratio 1.0" in said) == ("200", True)
    assert 'security_check_passed{check="firewall rules"} 1.0' in said
    assert any(line.startswith('security_updates_pending{kind="security"} ') for line in said)
    lonely.on("server2", "chmod 0644 /etc/shadow; systemctl start managed-security-measure")
    said = _locally(f"{ask}/").splitlines()
    assert (said[-1], 'security_check_passed{check="owner /etc/shadow"} 0.0' in said) == ("503", True)
    assert _locally(f"{ask}/metrics").splitlines()[-1] == "200"


def _locally(command: str) -> str:
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout


BREAKS = [
    ("sed -i '/^ignoreip/d' /etc/fail2ban/jail.d/*.local; systemctl restart fail2ban", "could be banned"),
    ("rm /etc/ssh/sshd_config.d/04-managed-security.conf", "ssh allowtcpforwarding (yes, not no)"),
    (
        "echo 1 > /proc/sys/net/ipv4/conf/host0/send_redirects",
        "send_redirects (not 0: net.ipv4.conf.host0.send_redirects)",
    ),
    ("echo '-D' >> /etc/audit/rules.d/managed-security.rules", "managed-security.rules (another text)"),
    ("rm /etc/apt/apt.conf.d/*managed-security", "53managed-security (missing)"),
    ("chmod 0644 /etc/shadow", "owner /etc/shadow (0644 root shadow, not 0640 root shadow)"),
    ("nft insert rule inet host_firewall input tcp dport 9999 accept", "firewall rules"),
    ("nft add chain inet host_firewall input '{ policy accept; }'", "firewall default"),
]


def test_verification_detects_what_is_broken_and_provisioning_repairs_it(breakable: Steps) -> None:
    for broken, _ in BREAKS:
        breakable.on("server1", broken)
    said = str(_run(breakable, "verify").error)
    assert [complaint for _, complaint in BREAKS if complaint not in said] == [], said
    assert _changed(breakable, "provision") != []
    assert _changed(breakable, "provision") == []
    assert _changed(breakable, "verify") == []
    breakable.on("server1", "systemctl stop fail2ban")
    assert "bans bantime (nothing, not 900)" in str(_run(breakable, "verify").error)


STRAY = """sed -i 's/ip saddr/tcp dport 8000-8100 accept; ip saddr/' /etc/host-firewall/main.nft
systemctl restart host-firewall; systemd-run --quiet python3 -m http.server 8081
until ss -ltn | grep -q :8081; do sleep 0.1; done
"""


def test_a_host_is_tried_from_outside(lonely: Steps) -> None:
    lonely.on("server2", "systemctl stop managed-security-figures")
    assert "Connection refused" in str(_run(lonely, "verify", BRAVO).error)
    lonely.on("server2", STRAY)
    said = str(_run(lonely, "verify", BRAVO).error)
    assert "the host answers on TCP port 8081, which no service declares" in said
    assert _changed(lonely, "provision", BRAVO) != []
    assert _changed(lonely, "verify", BRAVO) == [], "it listens in vain"


PLANTED = [
    ("echo 'MaxAuthTries 6' > /etc/ssh/sshd_config.d/01-more.conf", "ssh maxauthtries (6, not 3)"),
    ("useradd --non-unique --uid 0 toor", "accounts root (toor)"),
    ("useradd guest && passwd --quiet --delete guest", "accounts passwords (guest)"),
]


def test_what_somebody_planted_is_found_and_left_to_people(lonely: Steps) -> None:
    for planted, _ in PLANTED:
        lonely.on("server2", planted)
    assert _changed(lonely, "provision", BRAVO) == []
    said = str(_run(lonely, "verify", BRAVO).error)
    assert [complaint for _, complaint in PLANTED if complaint not in said] == [], said


def test_the_agencys_choices_and_its_tier_take_effect(breakable: Steps) -> None:
    chosen = {"tier": "enhanced", "parameters": {"attempts": 4}}
    assert _changed(breakable, "provision", **chosen) != []
    assert _changed(breakable, "provision", **chosen) == []
    assert _changed(breakable, "verify", **chosen) == []
    asked = "for name in maxretry bantime; do fail2ban-client get sshd $name; done"
    assert breakable.on("pc1", asked).split() == ["4", "1800"]
    assert "ssh macs (" in str(_run(breakable, "verify", BRAVO, tier="enhanced").error), "it has the other tier"
    offered = breakable.on("pc1", "sshd -T | grep '^macs '")
    assert ("hmac-sha1" in offered, "hmac-sha2-256-etm@openssh.com" in offered) == (False, True)
    breakable.succeed("desktop", "verify", placement=OTHERS["desktop"])


def test_a_host_is_given_back_as_it_was_and_to_the_next_agency(lonely: Steps) -> None:
    steps, place = lonely, {"placement": {"host": ("server2",)}, "others": {}}
    assert f"the host belongs to {BRAVO.id}" in str(_run(steps, "precheck", ALPHA, **place).error)
    assert _changed(steps, "retire", ALPHA, **place) == [], "it is not ALPHA's"
    assert _changed(steps, "retire", BRAVO) != []
    assert _changed(steps, "retire", BRAVO) == []
    assert steps.on("server2", LEFT.format(id=BRAVO.id)) == ""
    steps.succeed("security", "precheck", tenant=ALPHA, **place)
    steps.succeed("security", "provision", tenant=ALPHA, **place)
    steps.succeed("security", "verify", tenant=ALPHA, **place)


def test_other_services_stay_on_a_host_that_is_given_back(breakable: Steps) -> None:
    before = breakable.on("server1", "cat /etc/managed-security/kernel-before.conf")
    assert "net.ipv4.conf.host0.send_redirects = 1\n" in before
    assert _changed(breakable, "retire") != []
    assert _changed(breakable, "retire") == []
    assert set(before.splitlines()) <= set(breakable.on("server1", "sysctl --all --pattern '^net.ipv4'").splitlines())
    for component, placement in OTHERS.items():
        assert breakable.changed(component, "provision", placement=placement, check=True) == []
        assert breakable.changed(component, "verify", placement=placement) == []
    assert breakable.on("pc1", "fail2ban-client get sshd maxretry").strip() == "10", "the desktop's own"
    assert "managed-security" not in breakable.on("server1", LEFT.format(id="nobody"))
