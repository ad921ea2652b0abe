"""Branches of two agencies: connected by two paths, kept apart, watched, moved to the other path, and removed."""

import asyncio
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.adapters.probes.answers import ProbeFailed
from orchestrator.adapters.probes.web import Web
from orchestrator.domain.probing.readings import ProbeKey, ProbeTarget
from orchestrator.domain.runs.assignment import endpoint_facts
from orchestrator.domain.runs.run import StepState
from orchestrator.ports.probing import Prepared
from tests.playbooks import reach
from tests.playbooks.conftest import ALPHA, BOTH, BRANCHES, BRAVO, Steps, Tenant, secrets_of
from tests.playbooks.grounds import ADDRESSES, NETWORKS

WAN = "wide-area-network"
LEEDS: dict[str, Any] = {"name": "leeds", "number": 1, "gateway": "branch1"}
YORK: dict[str, Any] = {"name": "york", "number": 2, "gateway": "branch1"}
TAG, TABLE = f"branch{ALPHA.number}-1", f"wan{ALPHA.number}"
UNIT = f"agency-wan@{ALPHA.id}"
CONTROL = f"/run/agency-branch-routes/{TAG}/control"
INSIDE = f"ip netns exec {TAG}"
LEFT = """
find /etc /var /run /tmp /usr/local -path '*agency-wan*{id}*' -o -name '*wan{n}-*' -o -name '*branch{n}-*'
systemctl list-units --all --plain --no-legend '*wan*{id}*' '*wan{n}-*' '*branch{n}-*'
ls /sys/class/net | grep -E '^(wan|branch){n}-'; ip rule | grep '^20{n}:'
which nft >/dev/null && nft list tables | grep -E '(wan|branch){n}'; true
"""


def _ordered(tenant: Tenant = ALPHA, *branches: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Options of a step: what the agency ordered."""
    return {"tenant": tenant, "parameters": {"branches": list(branches or (LEEDS,))}, "quantity": 2, **more}


def _made(steps: Steps) -> None:
    steps.same_time("network", "provision")
    steps.same_time(WAN, "provision", of=_ordered)


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not until():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.2)


def _address(tenant: Tenant, branch: int, index: int) -> str:
    """An address in the network of an agency's branch, 0 being that of the tunnels."""
    return str(BRANCHES[tenant.number][256 * branch + index])


@pytest.fixture(scope="module")
def branches(steps: Steps) -> Steps:
    """Both agencies have a network and a branch, and share the hosts of both."""
    steps.practice.in_state("branches", lambda: _made(steps))
    return steps


@pytest.fixture
def breakable(branches: Steps) -> Iterator[Steps]:
    """The same, and what a test does to them is forgotten."""
    yield branches
    branches.practice.restore("branches")


@pytest.fixture
def devices(breakable: Steps) -> Steps:
    """The same, with a device at each branch that answers on a port, and one at the first agency's head office."""
    for tenant in BOTH:
        name, bridge = f"device{tenant.number}", f"branch{tenant.number}-1"
        address, router = _address(tenant, 1, 201), _address(tenant, 1, 1)
        breakable.on("branch1", f"ip netns add {name}; ip link add {name} type veth peer name eth0 netns {name}; "
            f"ip link set {name} master {bridge} up; ip -n {name} link set lo up; ip -n {name} link set eth0 up; "
            f"ip -n {name} address add {address}/24 dev eth0; ip -n {name} route add default via {router}; "
            f"systemd-run --quiet --unit={name} ip netns exec {name} python3 -m http.server 8000")  # fmt: skip
        breakable.on("branch1", f"until ip netns exec {name} ss -ltn | grep -q :8000; do sleep 0.1; done")
    _wait(lambda: breakable.try_on("branch1", f"birdc -s {CONTROL} show bfd sessions").stdout.count(" Up ") == 2)
    reach.device(breakable, ALPHA.id, ALPHA.number, f"{NETWORKS}.{ALPHA.number}.0/24")
    return breakable


AT_BRANCH = reach.Source("device at the branch", "branch1", f"ip netns exec device{ALPHA.number}")
AT_OFFICE = reach.Source("device at head office", "gw1", f"ip netns exec walker{ALPHA.number}")


def test_a_prediction_for_fresh_hosts_changes_nothing(steps: Steps) -> None:
    before = [steps.on(host, "dpkg --get-selections | sha256sum") for host in ("branch1", "gw1")]
    steps.succeed(WAN, "precheck", **_ordered())
    assert steps.changed(WAN, "provision", check=True, **_ordered()) != []
    assert steps.changed(WAN, "retire", **_ordered()) == []
    for host, selections in zip(("branch1", "gw1"), before, strict=True):
        assert steps.on(host, LEFT.format(id=ALPHA.id, n=ALPHA.number)) == "", host
        assert steps.on(host, "dpkg --get-selections | sha256sum") == selections


def test_provisioning_again_changes_nothing_and_verification_passes(branches: Steps) -> None:
    for tenant in BOTH:
        for verb in ("precheck", "provision"):
            assert branches.changed(WAN, verb, **_ordered(tenant)) == []
    assert branches.changed(WAN, "provision", check=True, **_ordered()) == []
    assert branches.changed("network", "provision") == []
    looked = "ip netns list; ip -brief link; ip rule"
    before = [branches.on(host, looked) for host in ("branch1", "gw1")]
    outcomes = branches.same_time(WAN, "verify", of=_ordered)
    assert [outcome.counts.changed for outcome in outcomes] == [0, 0]
    assert [branches.on(host, looked) for host in ("branch1", "gw1")] == before
    assert branches.practice.driver.unsteady() == ()


def test_branches_are_connected_again_after_a_reboot(breakable: Steps) -> None:
    hosts, boot = ("branch1", "gw1"), "cat /proc/sys/kernel/random/boot_id"
    before = {host: breakable.on(host, f"{boot}; systemd-run --quiet --on-active=1 systemctl reboot") for host in hosts}
    for host in hosts:
        _wait(lambda host=host: breakable.try_on(host, boot).stdout not in ("", before[host]))  # type: ignore[misc]
        breakable.on(host, "systemctl is-system-running --wait || systemctl --failed")
    assert breakable.changed(WAN, "provision", **_ordered()) == []
    breakable.succeed(WAN, "verify", **_ordered())


STRANGER = "peer $(wg genkey | wg pubkey) allowed-ips 192.0.2.9/32"
CUT = """
nft add table inet cut{path}; nft add chain inet cut{path} cut '{{ type filter hook {hook} priority -400; }}'
nft add rule inet cut{path} cut udp dport {port} drop
"""
BREAKS = [
    ("gw1", f"systemctl stop wg-quick@{TABLE}-1", "does not answer those, and only those"),
    ("gw1", f"wg set {TABLE}-2 {STRANGER}", "does not answer those"),
    ("gw1", f"systemctl stop {UNIT}", "the first path to leeds does not stand ready: last handshake"),
    ("gw1", f"ip rule delete priority 20{ALPHA.number}", "does not answer visit201-1"),
    ("gw1", f"systemctl stop agency-wan-figures@{ALPHA.id}", "Connection refused"),
    ("gw1", f"nft insert rule inet agency{ALPHA.number} from_own udp dport 53 drop", "tells visit201-1 that"),
    ("branch1", f"systemctl stop agency-branch-addresses@{TAG}", "no DHCP server answered"),
    ("branch1", CUT.format(path=2, hook="output", port=55254 + ALPHA.number),
     "the second path from leeds does not stand ready"),
    ("branch1", f"ip link add apart type veth peer name apart0 netns {TAG}; ip -n {TAG} link set apart0 up; "
     f"ip link set apart up; ip address add 198.18.0.1/30 dev apart; ip -n {TAG} address add 198.18.0.2/30 dev apart0; "
     f"ip -n {TAG} route add {ADDRESSES}.93 via 198.18.0.1; {INSIDE} nft flush chain inet branch forward; "
     f"{INSIDE} nft add rule inet branch forward accept; ip route add {_address(ALPHA, 1, 0)}/24 via 198.18.0.2",
     f"{ADDRESSES}.93 answers visit201-1"),
]  # fmt: skip


@pytest.mark.parametrize(("host", "broken", "complaint"), BREAKS, ids=range(1, len(BREAKS) + 1))
def test_what_cuts_branches_off_or_lets_too_much_in_is_detected(
    breakable: Steps, host: str, broken: str, complaint: str
) -> None:
    breakable.on(host, broken)
    outcome = breakable.run(WAN, "verify", **_ordered())
    assert outcome.state is StepState.FAILED
    assert complaint in str(outcome.error)


def test_provisioning_repairs_what_is_wrong_or_stopped(breakable: Steps) -> None:
    for host, broken, _ in reversed(BREAKS):
        breakable.on(host, broken)
    breakable.on("branch1", f"nft delete table inet cut2; ip link delete apart; "
        f"{INSIDE} nft flush chain inet branch input; {INSIDE} wg set {TABLE}-1-1 {STRANGER}")  # fmt: skip
    breakable.on("gw1", f"nft flush table inet {TABLE}; pkill -f 'wireguard-go {TABLE}-2'")
    breakable.succeed("network", "provision")
    assert breakable.changed(WAN, "provision", check=True, **_ordered()) != []
    assert breakable.changed(WAN, "provision", **_ordered()) != []
    assert breakable.changed(WAN, "provision", **_ordered()) == []
    breakable.succeed(WAN, "verify", **_ordered())


def test_a_branch_reaches_what_head_office_reaches_and_nothing_of_others(devices: Steps) -> None:
    own, other = (f"{NETWORKS}.{tenant.number}.1" for tenant in BOTH)
    neighbour = _address(BRAVO, 1, 201)
    wanted = {(own, "udp", 53), (own, "tcp", 53), (_address(ALPHA, 1, 201), "tcp", 8000)}
    closed = {
        (other, "udp", 53), (neighbour, "tcp", 8000), (_address(BRAVO, 1, 1), "tcp", 5201), (own, "tcp", 22),
        (devices.site.hosts["branch1"].address, "tcp", 22), (devices.site.hosts["gw1"].address, "tcp", 22),
        (devices.site.hosts["gw1"].address, "tcp", 55000 + ALPHA.number), (_address(ALPHA, 0, 1), "udp", 3784),
        (_address(ALPHA, 1, 1), "tcp", 5201), (f"{ADDRESSES}.1", "tcp", 22),
    }  # fmt: skip
    assert reach.walk(devices, AT_BRANCH, wanted | closed) == wanted
    office = {(_address(ALPHA, 1, 201), "tcp", 8000)}
    assert reach.walk(devices, AT_OFFICE, {*office, (neighbour, "tcp", 8000)}) == office, "and the other way round"
    fetch = (
        "python3 -c \"import urllib.request as r; r.urlopen('http://{}:8000/', timeout=3).read().index(b'Directory')\""
    )
    devices.on("gw1", f"{AT_OFFICE.enter} {fetch.format(_address(ALPHA, 1, 201))}")
    for tenant in BOTH:
        assert devices.try_on("branch1", fetch.format(_address(tenant, 1, 201))).returncode != 0, (
            "nor from the host itself"
        )


SAY = """
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    s.sendto(b"confidential" * 80, ("OFFICE", 53))
    time.sleep(0.1)
"""
ASK = """
import socket, time
last = time.monotonic()
while True:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.2)
        try:
            s.sendto(b"\\0\\7\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\7gateway\\0\\0\\1\\0\\1", ("OFFICE", 53))
            s.recv(512)
        except OSError:
            continue
    now = time.monotonic()
    if now - last > 0.7:
        print("silent for", round(now - last, 1), flush=True)
    last = now
    time.sleep(0.1)
"""


def _talk(steps: Steps, program: str) -> None:
    """Have a device at the branch talk with the name server at head office."""
    told = program.replace("OFFICE", f"{NETWORKS}.{ALPHA.number}.1")
    steps.on("branch1", f"cat >/root/talk.py <<'END'\n{told}END\n"
        f"systemd-run --quiet --unit=talk {AT_BRANCH.enter} python3 /root/talk.py")  # fmt: skip


SNIFF = """
import socket, time
seen, tunnels, until = 0, 0, time.monotonic() + 60
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind(("host0", 0))
while tunnels < 6 and time.monotonic() < until:
    packet = wire.recv(65535)
    seen += b"confidential" in packet
    tunnels += (PORT).to_bytes(2, "big") in packet[34:38] and len(packet) > 900
print(tunnels, seen)
"""


def test_a_branch_reaches_services_on_the_providers_network_by_the_address_of_the_hub(breakable: Steps) -> None:
    with socketserver.TCPServer((f"{ADDRESSES}.1", 0), socketserver.BaseRequestHandler) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        way = {"address": f"{ADDRESSES}.1", "protocol": "tcp", "port": service.server_address[1], "direct": False}
        breakable.succeed("network", "provision", more={"ways": [way]})
        breakable.succeed(WAN, "verify", **_ordered(more={"ways": [way]}))
        breakable.on("gw1", f"nft flush chain inet {TABLE} postrouting")
        outcome = breakable.run(WAN, "verify", **_ordered(more={"ways": [way]}))
        assert "does not reach [{'address'" in str(outcome.error)
        service.shutdown()


def test_what_is_said_between_sites_is_encrypted_on_its_way(devices: Steps) -> None:
    program = SNIFF.replace("PORT", str(55000 + ALPHA.number))
    _talk(devices, SAY)
    assert devices.on("branch1", f"python3 - <<'END'\n{program}END") == "6 0\n"


def _cut(steps: Steps, *, path: int) -> None:
    """Lose what the branch sends to the hub by a path, and not what it receives."""
    port = (55000, 55254)[path - 1] + ALPHA.number
    steps.on("gw1", CUT.format(path=path, hook="prerouting", port=port))


def _ways(steps: Steps) -> tuple[str, str]:
    """By which link packets go to the branch, and come from it."""
    there = steps.on("gw1", f"ip route get {_address(ALPHA, 1, 201)} | grep -o 'wan[^ ]*'").strip()
    back = steps.on("branch1", f"{INSIDE} ip route get {NETWORKS}.{ALPHA.number}.1 | grep -o 'wan[^ ]*'").strip()
    return there, back


FIRST = (f"{TABLE}-1", f"{TABLE}-1-1")
SECOND = (f"{TABLE}-2", f"{TABLE}-1-2")


def _figure(steps: Steps, name: str) -> str:
    page = (
        f"import urllib.request as r; print(r.urlopen('http://{ADDRESSES}.11:{55000 + ALPHA.number}/').read().decode())"
    )
    shown = steps.on("gw1", f'python3 -c "{page}"').splitlines()
    return next((line.rpartition(" ")[2] for line in shown if line.startswith(f"{name} ")), "")


@pytest.mark.parametrize("tier", ["standard", "premium"])
def test_traffic_moves_to_the_second_path_when_the_first_is_cut_and_back(devices: Steps, tier: str) -> None:
    if tier == "premium":
        devices.succeed(WAN, "provision", **_ordered(tier=tier))
        assert devices.changed(WAN, "provision", **_ordered(tier=tier)) == []
    silence = {"standard": " 4.000\n", "premium": " 1.200\n"}[tier]
    for host, control in (("branch1", CONTROL), ("gw1", f"/run/agency-wan/{ALPHA.id}/control")):
        sessions = f"birdc -s {control} show bfd sessions"
        _wait(lambda host=host, asked=sessions: devices.on(host, asked).count(silence) == 2)  # type: ignore[misc]
    _wait(lambda: _ways(devices) == FIRST)
    _talk(devices, ASK)
    _cut(devices, path=1)
    _wait(lambda: _ways(devices) == SECOND)
    _wait(lambda: "silent for" in devices.on("branch1", "journalctl --unit=talk --output=cat"))
    assert "the first path" in str(devices.run(WAN, "verify", **_ordered(tier=tier)).error), "it no longer stands ready"
    _wait(lambda: _figure(devices, 'wan_path_loss_ratio{branch="leeds",path="first"}') == "1.0")
    assert _figure(devices, 'wan_branch_up{branch="leeds"}') == "1.0", "users notice nothing"
    devices.on("gw1", "nft delete table inet cut1")
    _wait(lambda: _ways(devices) == FIRST)
    devices.succeed(WAN, "verify", **_ordered(tier=tier))


def test_the_probe_of_the_catalog_notices_a_branch_that_is_cut_off(breakable: Steps) -> None:
    component = breakable.source.catalog().components[WAN]
    [probe] = component.probes
    instance = breakable.instance(ALPHA, WAN, hosts={"hub": ("gw1",), "branch": ("branch1",)})
    facts = endpoint_facts(instance, agency=ALPHA.id, site=breakable.site, allocations=ALPHA.allocations())
    key, address = ProbeKey(ALPHA.id, WAN, probe.id), probe.target.format_map(facts)
    target = ProbeTarget(key, probe.kind, "practice", address, probe.every, instance.changed_at)

    async def ask() -> str:
        web = Web()
        try:
            return await web.page(Prepared(target), 20)
        except (ProbeFailed, OSError) as error:
            return str(error)
        finally:
            await web.close()

    _wait(lambda: "answers 200" in asyncio.run(ask()))
    throughput = 'wan_branch_throughput_bytes_per_second{branch="leeds"}'
    _wait(lambda: _figure(breakable, throughput) != "")
    assert float(_figure(breakable, throughput)) > 100_000
    for path in (1, 2):
        _cut(breakable, path=path)
    _wait(lambda: "answers 503" in asyncio.run(ask()))


def test_the_agencys_choices_take_effect_and_a_branch_that_leaves_is_cut_off(devices: Steps) -> None:
    second = devices.site.hosts["gw1"].model_copy(
        update={"variables": {**devices.site.hosts["gw1"].variables, "second_address": f"{ADDRESSES}.12"}}
    )
    steps = replace(devices, site=devices.site.model_copy(update={"hosts": {**devices.site.hosts, "gw1": second}}))
    steps.on("gw1", f"ip address add {ADDRESSES}.12/24 dev host0")
    steps.succeed(WAN, "provision", **_ordered(ALPHA, LEEDS, YORK))
    assert steps.changed(WAN, "provision", **_ordered(ALPHA, LEEDS, YORK)) == []
    steps.succeed(WAN, "verify", **_ordered(ALPHA, LEEDS, YORK))
    endpoints = steps.on("branch1", f"{INSIDE} wg show wan{ALPHA.number}-1-2 endpoints")
    assert f"{ADDRESSES}.12:{55254 + ALPHA.number}" in endpoints, "a provider of its own"

    assert steps.changed(WAN, "provision", check=True, **_ordered(ALPHA, YORK)) != []
    steps.succeed(WAN, "provision", **_ordered(ALPHA, YORK))
    assert steps.changed(WAN, "provision", **_ordered(ALPHA, YORK)) == []
    assert TAG not in steps.on(
        "branch1", f"ip netns; ls /sys/class/net /etc/agency-branches; systemctl list-units '*{TAG}*'"
    )
    assert f"{_address(ALPHA, 0, 2)}/32" not in steps.on("gw1", "wg show all allowed-ips"), (
        "nor is its key good any more"
    )
    steps.succeed(WAN, "verify", **_ordered(ALPHA, YORK))
    steps.succeed(WAN, "verify", **_ordered(BRAVO))


def test_a_new_secret_replaces_all_keys(breakable: Steps) -> None:
    renewed = {**_ordered(), "renewed": ("tunnels_key",)}
    assert breakable.run(WAN, "verify", **renewed).state is StepState.FAILED
    assert breakable.changed(WAN, "provision", **renewed) != []
    assert breakable.changed(WAN, "provision", **renewed) == []
    assert breakable.changed(WAN, "verify", **renewed) == []
    assert breakable.run(WAN, "verify", **_ordered()).state is StepState.FAILED, "the old ones are worth nothing"


def test_private_keys_are_where_they_are_used_and_the_secret_is_nowhere(branches: Steps) -> None:
    places = {"gw1": f"/etc/wireguard/{TABLE}-1.conf", "branch1": f"/etc/agency-branches/{TAG}/tunnel-1.conf"}
    for host, place in places.items():
        key = branches.on(host, f"grep PrivateKey {place}").split()[-1]
        for other in places:
            found = branches.on(other, f"grep -rslF '{key}' /etc /var /run /tmp || true").split()
            assert found == ([place] if other == host else []), (host, other)
        assert branches.on(host, f"stat -c %a {place}") == "600\n"
        secret = secrets_of(ALPHA, WAN, branches.source)["tunnels_key"]
        assert branches.on(host, f"grep -rslF '{secret}' /etc /var /run /tmp || true") == ""


def test_what_stands_in_the_way_is_named_before_anything_changes(breakable: Steps) -> None:
    charlie = Tenant("charlie-agency", 203)
    breakable.on("gw1", "systemd-run --quiet --unit=taken python3 -m http.server 55203; "
        "until ss -ltn | grep -q :55203; do sleep 0.1; done; "
        f"ip address add {_address(charlie, 3, 9)}/24 dev lo")  # fmt: skip
    far = {"name": "far", "number": 16, "gateway": "branch1"}
    outcome = breakable.run(WAN, "precheck", **_ordered(charlie, far, {**LEEDS, "gateway": "elsewhere"}, YORK))
    for complaint in (
        "one of the ports 55203, 55457 is in use", f"lo already has an address in {BRANCHES[203]}",
        "far has a number above 15, for which there is no network", "3 branches are listed, and 2 are ordered",
        "leeds is at no branch gateway of the site: branch1",
    ):  # fmt: skip
        assert complaint in str(outcome.error)


def test_connecting_a_branch_that_was_killed_in_the_middle_is_removed_completely(breakable: Steps) -> None:
    for task in ("Write the keys of its tunnels", "Run it"):
        breakable.succeed(WAN, "retire", **_ordered())
        outcome = breakable.run(WAN, "provision", until=task, **_ordered())
        assert outcome.state is StepState.CANCELLED, outcome.error
        breakable.succeed(WAN, "retire", **_ordered())
        assert breakable.changed(WAN, "retire", **_ordered()) == []
        for host in ("branch1", "gw1"):
            assert breakable.on(host, LEFT.format(id=ALPHA.id, n=ALPHA.number)) == "", host


def test_nothing_of_an_agency_that_left_remains_and_its_neighbour_stays(branches: Steps) -> None:
    branches.succeed(WAN, "retire", **_ordered())
    assert branches.changed(WAN, "retire", **_ordered()) == []
    for host in ("branch1", "gw1"):
        assert branches.on(host, LEFT.format(id=ALPHA.id, n=ALPHA.number)) == "", host
    branches.succeed("network", "verify")
    branches.succeed(WAN, "verify", **_ordered(BRAVO))
    assert branches.changed(WAN, "provision", **_ordered(BRAVO)) == []
