"""The network of two agencies on a real gateway: made, used, broken, made again and removed."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from orchestrator.domain.runs.run import StepState
from tests.playbooks.conftest import ALPHA, BRAVO, Steps, Tenant
from tests.playbooks.grounds import NETWORKS

LEFT = """
ip -brief link | grep -E 'agency|vpn' || true
nft list tables 2>/dev/null | grep agency || true
find /etc /var/lib /run/systemd/system -name '*{id}*' -o -name '60-agency{n}.*' -o -name '*vpn{n}.*'
ip netns
"""


def _left(steps: Steps, tenant: Tenant) -> list[str]:
    return steps.on("gw1", LEFT.format(id=tenant.id, n=tenant.number)).splitlines()


@pytest.fixture(scope="module")
def networks(steps: Steps) -> Steps:
    """Both agencies have a network, provisioned at the same time."""
    steps.practice.in_state("networks", lambda: steps.same_time("network", "provision"))
    return steps


@pytest.fixture
def breakable(networks: Steps) -> Iterator[Steps]:
    """The same, and what a test does to them is forgotten."""
    yield networks
    networks.practice.restore("networks")


def test_a_prediction_for_a_fresh_gateway_changes_nothing(steps: Steps) -> None:
    before = steps.on("gw1", "dpkg --get-selections | sha256sum")
    steps.succeed("network", "precheck")
    assert steps.changed("network", "provision", check=True) != []
    assert _left(steps, ALPHA) == []
    assert steps.on("gw1", "dpkg --get-selections | sha256sum") == before


def test_provisioning_again_changes_nothing_and_verification_passes(networks: Steps) -> None:
    for tenant in (ALPHA, BRAVO):
        assert networks.changed("network", "provision", tenant=tenant) == []
        assert networks.changed("network", "provision", tenant=tenant, check=True) == []
        assert networks.changed("network", "precheck", tenant=tenant) == []
    outcomes = networks.same_time("network", "verify")
    assert [outcome.counts.changed for outcome in outcomes] == [0, 0]
    assert networks.on("gw1", "ip netns; ls /sys/class/net | grep agencyx || true") == ""


def test_the_network_survives_a_reboot(networks: Steps) -> None:
    networks.on("gw1", "systemd-run --on-active=1 systemctl reboot")
    before = networks.on("gw1", "cat /proc/sys/kernel/random/boot_id")
    for _ in range(60):
        now = networks.try_on("gw1", "sleep 0.5; cat /proc/sys/kernel/random/boot_id")
        if now.returncode == 0 and now.stdout != before:
            break
    networks.on("gw1", "systemctl is-system-running --wait || systemctl --failed")
    assert networks.changed("network", "provision") == []
    networks.succeed("network", "verify")


BREAKS = [
    (f"systemctl stop agency-dns@{ALPHA.id}", "no DHCP server answered"),
    (f"nft delete table inet agency{ALPHA.number}", "no DHCP server answered"),
    (f"ip link delete agency{ALPHA.number}", f"agency{ALPHA.number}"),
    (f"systemctl stop wg-quick@vpn{ALPHA.number}", "cannot be dialled"),
]
WRONG_KEY = f"wg genkey | wg set vpn{ALPHA.number} private-key /dev/stdin"


@pytest.mark.parametrize(("broken", "complaint"), [*BREAKS, (WRONG_KEY, "does not answer")])
def test_verification_detects_what_is_broken(breakable: Steps, broken: str, complaint: str) -> None:
    breakable.on("gw1", broken)
    outcome = breakable.run("network", "verify")
    assert outcome.state is StepState.FAILED
    assert complaint in str(outcome.error)


def test_provisioning_repairs_what_is_broken(breakable: Steps) -> None:
    breakable.on("gw1", "; ".join(broken for broken, _ in BREAKS))
    breakable.succeed("network", "provision")
    breakable.succeed("network", "verify")


def test_a_new_key_for_remote_access_replaces_the_old_one(breakable: Steps) -> None:
    renewed = ("vpn_private_key",)
    assert breakable.run("network", "verify", renewed=renewed).state is StepState.FAILED
    assert breakable.changed("network", "provision", renewed=renewed) != []
    assert breakable.changed("network", "provision", renewed=renewed) == []
    assert breakable.changed("network", "verify", renewed=renewed) == []
    assert breakable.run("network", "verify").state is StepState.FAILED, "the old one is worth nothing"


def test_the_agencys_choices_reach_its_devices(breakable: Steps) -> None:
    networks = breakable
    worker = {"name": "someone", "public_key": "YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="}
    chosen = {"dhcp_lease_hours": 2, "remote_workers": [worker]}
    networks.succeed("network", "provision", parameters=chosen)
    networks.succeed("network", "verify", parameters=chosen)
    assert worker["public_key"] in networks.on("gw1", f"wg show vpn{ALPHA.number} peers")
    assert networks.run("network", "verify").state is StepState.FAILED, "leases are for 2 hours, not for 12"


def test_an_address_that_is_in_use_is_named_before_anything_changes(networks: Steps) -> None:
    networks.on("gw1", f"ip address add {NETWORKS}.203.9/24 dev lo")
    try:
        outcome = networks.run("network", "precheck", tenant=Tenant("charlie-agency", 203))
    finally:
        networks.on("gw1", f"ip address delete {NETWORKS}.203.9/24 dev lo")
    assert f"lo already has an address in {NETWORKS}.203.0/24" in str(outcome.error)


def test_a_site_that_would_lock_us_out_is_refused_before_anything_changes(steps: Steps) -> None:
    for management, complaint in ((["192.0.2.1"], "is managed now"), ([], "site_management is empty")):
        site = steps.site.model_copy(update={"facts": {**steps.site.facts, "site_management": management}})
        outcome = replace(steps, site=site).run("network", "precheck")
        assert complaint in str(outcome.error)


BY_HAND = [
    "nft add rule inet host_firewall input tcp dport 9999 accept",
    "nft delete table inet host_firewall",
    f"sed -i /51/d /etc/host-firewall/{ALPHA.id}.network.rules",
]


@pytest.mark.parametrize("by_hand", BY_HAND)
def test_rules_changed_by_hand_are_detected_and_repaired(breakable: Steps, by_hand: str) -> None:
    rules = "nft list table inet host_firewall"
    before = breakable.on("gw1", rules)
    breakable.on("gw1", by_hand)
    assert breakable.changed("network", "provision", check=True) == ["gw1: Protect the host"]
    assert breakable.changed("network", "provision") == ["gw1: Protect the host"]
    assert breakable.on("gw1", rules) == before


FOLDER, UNIT = f"/etc/agency-network/{ALPHA.id}", f"agency-dns@{ALPHA.id}.service"
KERNEL = f"/proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/agency{ALPHA.number}/proxy_arp"
CHANGED_LIVE = f"""
{WRONG_KEY}
nft flush chain inet agency{ALPHA.number} leaving
echo 0 | tee {KERNEL}
wg set vpn{ALPHA.number} peer YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk= allowed-ips 0.0.0.0/0
echo address=/example.org/192.0.2.1 > {FOLDER}/dnsmasq.d/stray.conf
echo accept > {FOLDER}/firewall.d/stray.nft
mkdir /etc/systemd/system/{UNIT}.d
printf '[Service]\\nProtectHome=false\\n' > /etc/systemd/system/{UNIT}.d/x.conf
"""
LIVE = f"""
nft --stateless list table inet agency{ALPHA.number}; wg show vpn{ALPHA.number}
systemctl cat {UNIT}; ls {FOLDER}/*.d
tail -n 1 {KERNEL}
"""


def test_live_changes_by_hand_are_detected_and_repaired(breakable: Steps) -> None:
    before = breakable.on("gw1", LIVE)
    breakable.on("gw1", CHANGED_LIVE)
    noticed = [
        "gw1: Describe the network",
        "gw1: See that the rules in force are those of the file",
        "gw1: See that those who dial in are those of the file",
        "gw1: Run its services",
        "gw1: Let packets through, and answer for those who dial in",
    ]
    assert breakable.changed("network", "provision", check=True) == noticed
    assert set(breakable.changed("network", "provision")) >= set(noticed)
    assert breakable.on("gw1", LIVE) == before
    assert breakable.changed("network", "provision", check=True) == []


def test_the_sites_own_rules_stay(breakable: Steps) -> None:
    breakable.on("gw1", "echo 'ip saddr 192.0.2.7 tcp dport 9100 accept' > /etc/host-firewall/site.rules")
    assert breakable.changed("network", "provision") == ["gw1: Protect the host"]
    assert breakable.changed("network", "provision") == []
    assert "tcp dport 9100" in breakable.on("gw1", "nft list table inet host_firewall")


def test_nothing_of_an_agency_that_left_remains_and_its_neighbour_stays(breakable: Steps) -> None:
    networks = breakable
    networks.succeed("network", "retire")
    assert networks.changed("network", "retire") == []
    assert [line for line in _left(networks, ALPHA) if str(BRAVO.number) not in line] == []
    networks.succeed("network", "verify", tenant=BRAVO)
