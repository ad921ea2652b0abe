"""The laptops of two agencies: enrolled, used from elsewhere, lost, and kept apart, with a register on a real host."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from orchestrator.adapters.probes.answers import ProbeFailed
from orchestrator.adapters.probes.web import Web
from orchestrator.domain.ordering.certificates import PERIOD
from orchestrator.domain.probing.readings import ProbeKey, ProbeTarget
from orchestrator.domain.runs.assignment import endpoint_facts
from orchestrator.domain.runs.run import StepState
from orchestrator.ports.probing import Prepared
from tests.conftest import ROOT
from tests.playbooks import reach
from tests.playbooks.conftest import ALPHA, BOTH, BRAVO, TODAY, Steps, Tenant, secrets_of
from tests.playbooks.grounds import NETWORKS

FOLDER = f"/etc/agency-devices/{ALPHA.id}"
DOOR, REGISTER = f"agency-devices-door@{ALPHA.id}", f"agency-devices@{ALPHA.id}"
VPN = f"laptop{ALPHA.number}"
LEFT = """
find /etc /var /run /tmp /usr/local -path '*agency-devices*{id}*' -o -name '*laptop{n}*'
systemctl list-units --all --plain --no-legend '*agency-devices*{id}*' '*laptop{n}*'
ls /sys/class/net | grep laptop{n}; true
"""
AGENT = "python3 /root/agent.py"
LAPTOPS: dict[str, list[dict[str, Any]]] = {}
"""What the laptops of each agency have printed for the call-off."""


def _made(steps: Steps) -> None:
    """Both agencies have a network and two laptops, which are played on the gateway, in folders of their own."""
    steps.same_time("network", "provision")
    agent = (ROOT / "playbooks/roles/laptop/files/agent.py").read_text()
    steps.on("gw1", f"cat > /root/agent.py <<'END'\n{agent}END")
    for tenant in BOTH:
        said = [steps.on("gw1", f"{AGENT} prepare lap{n} {n} --folder {_place(tenant, n)}") for n in (1, 2)]
        LAPTOPS[tenant.id] = yaml.safe_load("".join(said))
    steps.same_time("laptop", "provision", of=_ordered)


def _place(tenant: Tenant, number: int) -> str:
    return f"/root/{tenant.number}/lap{number}"


def _ordered(tenant: Tenant = ALPHA, *lost: str, **more: Any) -> dict[str, Any]:
    """Options of a step: what the agency ordered."""
    return {"tenant": tenant, "parameters": {"devices": LAPTOPS[tenant.id], "lost": list(lost), **more}, "quantity": 2}


ASK = """
import http.client, ssl
context = ssl.create_default_context(cafile="authority.pem")
context.load_cert_chain("certificate.pem", "tls.key")
connection = http.client.HTTPSConnection("{place}", context=context)
connection.request("GET", "/reports")
print(connection.getresponse().status)
"""


def _shown(steps: Steps, host: str, where: str, folder: str, place: str) -> str:
    """The status with which a register answers who shows the certificate in a folder."""
    return steps.on(host, f"cd {folder}; {where} python3 - <<'END'\n{ASK.format(place=place)}END\n").strip()


def _register(steps: Steps, tenant: Tenant = ALPHA) -> str:
    return f"{steps.site.hosts['devices1'].address}:{15000 + tenant.number}"


def _enrol(steps: Steps, tenant: Tenant = ALPHA, number: int = 1) -> str:
    """The command by which a laptop enrols, at the office or elsewhere."""
    authority = steps.on("devices1", f"cat /etc/agency-devices/{tenant.id}/authority.pem")
    steps.on("gw1", f"cat > /root/{tenant.number}.pem <<'END'\n{authority}END")
    where = f"{_register(steps, tenant)} /root/{tenant.number}.pem"
    return f"{AGENT} enrol lap{number} {where} --files-only --folder {_place(tenant, number)}"


@pytest.fixture
def office(laptops: Steps) -> Iterator[str]:
    """What is put before a command to run it on the first agency's network, where a laptop is not known yet."""
    yield reach.device(laptops, ALPHA.id, ALPHA.number, f"{NETWORKS}.{ALPHA.number}.0/24").enter
    laptops.on("gw1", f"ip netns delete walker{ALPHA.number}")


@pytest.fixture
def home(laptops: Steps) -> Iterator[str]:
    """The same at somebody's home."""
    laptops.on("gw1", "ip netns add home; ip link add home type veth peer name eth0 netns home; "
        "ip address add 198.18.250.1/24 dev home; ip link set home up; ip -n home link set lo up; "
        "ip -n home address add 198.18.250.2/24 dev eth0; ip -n home link set eth0 up; "
        "ip -n home route add default via 198.18.250.1")  # fmt: skip
    yield "ip netns exec home"
    laptops.on("gw1", "ip -n home link delete laptop; ip netns delete home; ip link delete home; true")


@pytest.fixture(scope="module")
def laptops(steps: Steps) -> Steps:
    """Both agencies have a register and two laptops that have made their keys."""
    steps.practice.in_state("laptops", lambda: _made(steps))
    return steps


@pytest.fixture
def breakable(laptops: Steps) -> Iterator[Steps]:
    """The same, and what a test does to them is forgotten."""
    yield laptops
    laptops.practice.restore("laptops")


def test_a_prediction_for_fresh_hosts_changes_nothing(steps: Steps) -> None:
    before = [steps.on(host, "dpkg --get-selections | sha256sum") for host in ("devices1", "gw1")]
    steps.succeed("laptop", "precheck")
    assert steps.changed("laptop", "provision", check=True) != []
    assert steps.changed("laptop", "retire") == []
    for host, selections in zip(("devices1", "gw1"), before, strict=True):
        assert steps.on(host, LEFT.format(id=ALPHA.id, n=ALPHA.number)) == "", host
        assert steps.on(host, "dpkg --get-selections | sha256sum") == selections


def test_provisioning_again_changes_nothing_and_verification_passes(laptops: Steps) -> None:
    for tenant in BOTH:
        assert laptops.changed("laptop", "precheck", **_ordered(tenant)) == []
        assert laptops.changed("laptop", "provision", **_ordered(tenant)) == []
    assert laptops.changed("laptop", "provision", check=True, **_ordered()) == []
    outcomes = laptops.same_time("laptop", "verify", of=_ordered)
    assert [outcome.counts.changed for outcome in outcomes] == [0, 0]
    assert laptops.on("gw1", "ip netns; ls /sys/class/net | grep -E 'roam|dial' || true") == ""
    assert laptops.practice.driver.unsteady() == ()


def test_both_survive_a_reboot(breakable: Steps) -> None:
    hosts, boot = ("devices1", "gw1"), "cat /proc/sys/kernel/random/boot_id"
    before = {host: breakable.on(host, f"{boot}; systemd-run --quiet --on-active=1 systemctl reboot") for host in hosts}
    deadline = time.monotonic() + 300
    for host in hosts:
        while (now := breakable.try_on(host, f"sleep 0.5; {boot}")).returncode or now.stdout == before[host]:
            assert time.monotonic() < deadline, f"{host} does not come back"
            time.sleep(0.5)
        breakable.on(host, "systemctl is-system-running --wait || systemctl --failed")
    assert breakable.changed("laptop", "provision", **_ordered()) == []
    breakable.succeed("laptop", "verify", **_ordered())


def test_a_laptop_enrols_dials_in_reports_is_shown_and_is_shut_out_when_it_is_lost(
    breakable: Steps, office: str, home: str
) -> None:
    steps, first, second = breakable, _place(ALPHA, 1), _place(ALPHA, 2)
    for number in (1, 2):
        steps.on("gw1", f"{office} {_enrol(steps, number=number)}")
    assert steps.on("devices1", f"laptops {ALPHA.id}").split("\n")[0].endswith("never reported")
    assert "does not answer" in steps.try_on("gw1", f"{home} {AGENT} report --folder {first}").stderr
    steps.on("gw1", f"{home} wg-quick up {first}/laptop.conf")
    said = steps.try_on("gw1", f"{home} {AGENT} report --folder {first}")
    assert "this laptop does not comply: its disks are not encrypted" in said.stdout, said.stderr
    shown = steps.on("devices1", f"laptops {ALPHA.id}").splitlines()
    assert shown[0].startswith("lap1 ")
    assert "does not comply: its disks are not encrypted" in shown[0]
    assert shown[1].endswith("never reported")
    # What else is behind the tunnel, and what is not.
    name_server, neighbours = f"{NETWORKS}.{ALPHA.number}.1", f"{NETWORKS}.{BRAVO.number}.1"
    wanted = {(name_server, "udp", 53), (steps.site.hosts["devices1"].address, "tcp", 15000 + ALPHA.number)}
    closed = {(neighbours, "udp", 53), (steps.site.hosts["devices1"].address, "tcp", 15000 + BRAVO.number)}
    assert reach.walk(steps, reach.Source("home", "gw1", home), wanted | closed) == wanted
    assert _shown(steps, "gw1", office, second, _register(steps)) == "200"

    began = time.monotonic()
    steps.succeed("laptop", "provision", **_ordered(ALPHA, "lap1"))
    assert time.monotonic() - began < 60
    assert reach.walk(steps, reach.Source("home", "gw1", home), wanted) == set(), "its way in is closed"
    lost = steps.try_on("gw1", f"{office} {AGENT} report --folder {first}")
    assert "answers 403 to /enrol" in lost.stderr, "nor does it help to be at the office"
    assert _shown(steps, "gw1", office, first, _register(steps)) == "400"
    assert _shown(steps, "gw1", office, second, _register(steps)) == "200"
    assert "revoked: since 20" in steps.on("devices1", f"laptops {ALPHA.id}")
    steps.succeed("laptop", "verify", **_ordered(ALPHA, "lap1"))
    steps.succeed("laptop", "verify", **_ordered(BRAVO))
    # A lost laptop that was found, or whose line is put back, needs new keys.
    refused = steps.run("laptop", "precheck", **_ordered())
    assert "lap1 has keys of lap1 that were revoked on 20" in str(refused.error)


RESTART = f"systemctl restart {DOOR} {REGISTER}"
STRANGER = f"""cd {FOLDER}; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -batch -days 9 \\
    -subj /CN=devices1 -keyout server.key -out server.pem 2>&1; {RESTART}"""
BREAKS = [
    ("gw1", f"systemctl stop wg-quick@{VPN}", "does not answer those, and only those"),
    ("devices1", f"systemctl stop {REGISTER}", "a laptop of the agency's is answered 502"),
    ("devices1", STRANGER, "the register does not prove itself"),
    ("devices1", f"sed -i /ssl_crl/d {FOLDER}/nginx.conf; {RESTART}", "was revoked is answered 403, not 400"),
    ("devices1", f"sed -i 's/minutes\": 15/minutes\": 99/' {FOLDER}/answers.json; {RESTART}", "of the policy"),
    ("devices1", f"sed -i 's/lap1\": {{/lap3\": {{/' {FOLDER}/answers.json; {RESTART}", "knows lap2, lap3"),
]


@pytest.mark.parametrize(("host", "broken", "complaint"), BREAKS)
def test_what_is_stopped_or_lets_too_many_in_is_detected(
    breakable: Steps, host: str, broken: str, complaint: str
) -> None:
    breakable.on(host, broken)
    outcome = breakable.run("laptop", "verify", **_ordered())
    assert outcome.state is StepState.FAILED
    assert complaint in str(outcome.error)


def test_provisioning_repairs_what_is_wrong_or_stopped(breakable: Steps) -> None:
    for host, broken, _ in reversed(BREAKS):
        breakable.on(host, broken)
    breakable.on("gw1", f"systemctl start wg-quick@{VPN}; wg set {VPN} peer {WORKER} allowed-ips 0.0.0.0/0; "
        f"wg genkey | wg set {VPN} private-key /dev/stdin")  # fmt: skip
    breakable.on("devices1", f"mkdir /etc/systemd/system/{DOOR}.service.d; cd /etc/systemd/system/{DOOR}.service.d; "
        "printf '[Service]\\nProtectHome=false\\n' > x.conf; systemctl start nginx")  # fmt: skip
    noticed = [
        "gw1: See that the laptops that may dial in are those of the file",
        "devices1: Describe the agency's register",
        "devices1: Write the key of its server",
        "devices1: Run it, and not the server of its package",
    ]
    assert breakable.changed("laptop", "provision", check=True, **_ordered()) == noticed
    assert set(breakable.changed("laptop", "provision", **_ordered())) >= set(noticed)
    assert breakable.changed("laptop", "provision", **_ordered()) == []
    breakable.succeed("laptop", "verify", **_ordered())


WORKER = "YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="


def test_new_secrets_replace_the_old_ones(breakable: Steps) -> None:
    both = {"renewed": ("authority_key", "vpn_private_key"), **_ordered()}
    assert breakable.changed("laptop", "provision", **both) != []
    assert breakable.changed("laptop", "provision", **both) == []
    assert breakable.changed("laptop", "verify", **both) == []
    for secret in both["renewed"]:
        one = breakable.run("laptop", "verify", **{**both, "renewed": (secret,)})
        assert one.state is StepState.FAILED, "the other of the old ones is worth nothing"


def test_a_laptop_runs_its_agent_from_its_enrolment_on_and_the_agencys_choices_reach_it(breakable: Steps) -> None:
    """The recovery host, which has nothing here, is the laptop."""
    steps, agent = breakable, (ROOT / "playbooks/roles/laptop/files/agent.py").read_text()
    steps.on(
        "recover1", f"cat >/usr/local/sbin/laptop-agent <<'END'\n{agent}END\nchmod 755 /usr/local/sbin/laptop-agent"
    )
    devices = [*LAPTOPS[ALPHA.id], *yaml.safe_load(steps.on("recover1", "laptop-agent prepare lap3 3"))]
    steps.succeed("laptop", "provision", parameters={"devices": devices}, quantity=3)
    authority = steps.on("devices1", f"cat {FOLDER}/authority.pem")
    steps.on("recover1", f"cat >/root/authority.pem <<'END'\n{authority}END\n"
        f"laptop-agent enrol lap3 {_register(steps)} /root/authority.pem")  # fmt: skip
    units = "wg-quick@laptop laptop-agent.timer"
    assert steps.on("recover1", f"systemctl is-active {units}; systemctl is-enabled {units}").split() == [
        "active", "active", "enabled", "enabled",
    ]  # fmt: skip
    steps.on(
        "recover1", "timeout 60 sh -c 'until wg show laptop latest-handshakes | grep -v \"\t0$\"; do sleep 0.2; done'"
    )
    assert yaml.safe_load(steps.on("recover1", "cat /etc/laptop/policy.json"))["lock_minutes"] == 15
    chosen = {"tier": "managed", "parameters": {"devices": devices, "disk_encryption": False}, "quantity": 3}
    steps.succeed("laptop", "provision", **chosen)
    steps.succeed("laptop", "verify", **chosen)
    steps.on("recover1", "systemctl start laptop-agent")
    told = yaml.safe_load(steps.on("recover1", "cat /etc/laptop/policy.json"))
    assert told == {"disk_encryption": False, "update_days": 7, "lock_minutes": 5}
    [shown] = [line for line in steps.on("devices1", f"laptops {ALPHA.id}").splitlines() if line.startswith("lap3 ")]
    assert shown.endswith("does not comply: it never had updates; its screen does not lock")


def test_a_laptop_of_one_agency_is_nobody_to_another(breakable: Steps, office: str) -> None:
    steps = breakable
    steps.on("gw1", f"{office} {_enrol(steps)}")
    place, keys = _place(ALPHA, 1), steps.on("gw1", f"cd {_place(ALPHA, 1)}; cat certificate.pem tls.key")
    # On the host of the register, where no firewall is in between.
    steps.on("devices1", f"mkdir -p {place}; cd {place}; cat > certificate.pem <<'END'\n{keys}END\n"
        f"cp certificate.pem tls.key; cp {FOLDER}/authority.pem .")  # fmt: skip
    assert _shown(steps, "devices1", "", place, _register(steps)) == "200"
    steps.on("devices1", f"cp /etc/agency-devices/{BRAVO.id}/authority.pem {place}")
    assert _shown(steps, "devices1", "", place, _register(steps, BRAVO)) == "400"
    users = steps.on("devices1", "ps -o uid= -C nginx").split()
    assert len(set(users)) == 2, "each agency's register is a user of its own"
    process = steps.on("devices1", f"systemctl show --property=MainPID --value {DOOR}").strip()
    inside = f"nsenter --mount --target {process} ls /etc/agency-devices /var/lib/private/agency-devices 2>&1 || true"
    seen = steps.on("devices1", inside)
    assert ALPHA.id in seen
    assert BRAVO.id not in seen


def test_the_register_answers_only_where_it_is_declared_to(laptops: Steps, office: str) -> None:
    place = (laptops.site.hosts["devices1"].address, "tcp", 15000 + ALPHA.number)
    sources = [reach.Source("controller"), reach.Source("office", "gw1", office), reach.Source("desk1", "desk1")]
    assert [one.name for one in sources if reach.walk(laptops, one, [place])] == ["controller", "office"]


def test_the_probe_of_the_catalog_asks_the_register_and_notices_that_it_is_stopped(breakable: Steps) -> None:
    component = breakable.source.catalog().components["laptop"]
    [probe] = component.probes
    hosts = {"devices": ("devices1",), "gateway": ("gw1",)}
    instance = breakable.instance(ALPHA, "laptop", hosts=hosts)
    facts = endpoint_facts(instance, agency=ALPHA.id, site=breakable.site, allocations=ALPHA.allocations())
    key, address = ProbeKey(ALPHA.id, "laptop", probe.id), probe.target.format_map(facts)
    target = ProbeTarget(key, probe.kind, "practice", address, probe.every, instance.changed_at)
    assert component.recovery.trust
    trust = breakable.on("devices1", f"cat {component.recovery.trust.file_of(ALPHA.id)}")

    async def ask() -> str:
        web = Web()
        try:
            return await web.page(Prepared(target, trust=trust), 20)
        finally:
            await web.close()

    assert "answers 200" in asyncio.run(ask())
    breakable.on("devices1", f"systemctl stop {REGISTER}")
    with pytest.raises(ProbeFailed, match="502"):
        asyncio.run(ask())


def test_what_stands_in_the_way_is_named_before_anything_changes(laptops: Steps) -> None:
    charlie = Tenant("charlie-agency", 203)
    LAPTOPS[charlie.id] = [{**LAPTOPS[ALPHA.id][0], "number": 62}, *LAPTOPS[BRAVO.id][:1], LAPTOPS[BRAVO.id][1]]
    LAPTOPS[charlie.id][1] = {**LAPTOPS[charlie.id][1], "name": "lap9", "tls_key": WRONG_POINT}
    port = charlie.allocations()["device_port"].block
    laptops.on("devices1", f"systemd-run --quiet --unit=taken python3 -m http.server {port}; "
        f"until ss -ltn | grep -q :{port}; do sleep 0.1; done")  # fmt: skip
    try:
        outcome = laptops.run("laptop", "precheck", **_ordered(charlie, "lap7"))
    finally:
        laptops.on("devices1", "systemctl stop taken")
    for complaint in (
        f"port {port} is in use",
        "lap1 has a number above 61, for which there is no address",
        "the tls_key of lap9 is not a public key of P-256",
        "lap7 is lost, and not among devices",
        "3 laptops are in use, and 2 are ordered",
    ):
        assert complaint in str(outcome.error)
    assert laptops.on("devices1", LEFT.format(id=charlie.id, n=charlie.number)) == ""


WRONG_POINT = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE" + "A" * 86 + "=="


def test_certificates_are_replaced_half_a_year_before_their_end(laptops: Steps) -> None:
    replaced = laptops.changed("laptop", "provision", at=TODAY + PERIOD, check=True, **_ordered())
    assert "devices1: Describe the agency's register" in replaced


def test_no_key_of_a_laptop_or_of_the_authority_is_on_a_host(laptops: Steps) -> None:
    secrets = secrets_of(ALPHA, "laptop", laptops.source)
    look = "grep -rslF -e '{}' /etc /var/lib /var/log /run /tmp || true"
    for host, allowed in (("devices1", ""), ("gw1", f"/etc/wireguard/{VPN}.conf\n")):
        assert laptops.on(host, look.format(secrets["authority_key"])) == "", host
        assert laptops.on(host, look.format(secrets["vpn_private_key"])) == allowed, host
    assert laptops.on("devices1", f"grep -rl 'PRIVATE KEY' {FOLDER}").split() == [f"{FOLDER}/server.key"]
    assert laptops.on("devices1", f"stat -c %a {FOLDER}/server.key").strip() == "600"


def test_nothing_of_an_agency_that_left_remains_and_its_neighbour_stays(breakable: Steps) -> None:
    breakable.succeed("laptop", "retire")
    assert breakable.changed("laptop", "retire") == []
    for host in ("devices1", "gw1"):
        assert breakable.on(host, LEFT.format(id=ALPHA.id, n=ALPHA.number)) == "", host
    breakable.succeed("laptop", "verify", **_ordered(BRAVO))
    assert breakable.changed("laptop", "provision", **_ordered(BRAVO)) == []
