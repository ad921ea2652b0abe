"""Flexible working: people dial in with a password and a code, reach their own agency's services, and are cut off."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from orchestrator.adapters.probes.answers import ProbeFailed
from orchestrator.adapters.probes.web import Web
from orchestrator.domain.ordering.credentials import authenticator
from orchestrator.domain.probing.readings import ProbeKey, ProbeTarget
from orchestrator.domain.runs.assignment import endpoint_facts, password_of, totp_key_of
from orchestrator.domain.runs.run import StepState
from orchestrator.ports.probing import Prepared
from tests.playbooks.conftest import ALPHA, BOTH, BRAVO, Steps, Tenant, secrets_of

FOLDER, UNIT = f"/etc/agency-access/{ALPHA.id}", f"agency-access@{ALPHA.id}"
STATE, TABLE = f"/var/lib/agency-access/{ALPHA.id}", f"access{ALPHA.number}"
LEFT = "find /etc /var /run /tmp /usr/local -name '*{id}*'; systemctl list-units --all --plain --no-legend '*{id}*'"
HOME = """ip netns add home; ip link add home0 type veth peer name eth0 netns home
ip address add 198.19.0.1/24 dev home0; ip link set home0 up; ip -n home link set lo up
ip -n home address add 198.19.0.2/24 dev eth0; ip -n home link set eth0 up; ip -n home route add default via 198.19.0.1
"""
CLIENT = "ip netns exec home openconnect --non-inter --passwd-on-stdin --no-system-trust"


def _code(key: str, step: int) -> str:
    """The code of thirty seconds, as an app on somebody's telephone computes it (RFC 4226)."""
    mac = hmac.new(bytes.fromhex(key), step.to_bytes(8, "big"), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(int.from_bytes(mac[at : at + 4], 'big') & 0x7FFFFFFF) % 10**6:06d}"


@dataclass
class Remote:
    """Somebody elsewhere, with the client that people use. Each login has a later code than the one before."""

    steps: Steps
    used: dict[str, int] = field(default_factory=dict)

    def secrets(self, tenant: Tenant, person: str) -> tuple[str, str]:
        """A person's password and key."""
        told = secrets_of(tenant, "flexible-working", self.steps.source)
        return password_of(person, told["users_password"]), totp_key_of(person, told["users_totp"])

    def code(self, tenant: Tenant, person: str) -> str:
        step = max(int(time.time() // 30), self.used.get(person, 0) + 1)
        while step > time.time() // 30 + 1:
            time.sleep(0.2)
        self.used[person] = step
        return _code(self.secrets(tenant, person)[1], step)

    def command(self, tenant: Tenant, person: str, more: str = "", *, authority: Tenant | None = None) -> str:
        trusted = f"/etc/agency-access/{(authority or tenant).id}/authority.pem"
        port = tenant.allocations()["access_port"].block
        where = f"https://{self.steps.site.hosts['access1'].address}:{port}/"
        return f"{CLIENT} --user {person} --cafile {trusted} {more} {where}"

    def log_in(self, tenant: Tenant, person: str, **told: Any) -> str | None:
        """The cookie of a login, None if it is refused. What is not told is the person's own."""
        password, code = told.pop("password", None), told.pop("code", None)
        password = self.secrets(told.get("whose", tenant), person)[0] if password is None else password
        code = self.code(told.pop("whose", tenant), person) if code is None else code
        command = self.command(tenant, person, "--authenticate", **told)
        done = self.steps.try_on("access1", f"printf '{password}\\n{code}\\n' | timeout 60 {command} 2>&1")
        cookies = [line for line in done.stdout.splitlines() if line.startswith("COOKIE=")]
        assert (done.returncode == 0) == bool(cookies), done.stdout
        return cookies[0].removeprefix("COOKIE=").strip("'") if cookies else None

    def dial_in(self, tenant: Tenant, person: str, *, unit: str = "dial", interface: str = "tun0") -> str:
        """Stay connected, and return what the client says, once it has an address or has ended."""
        password, code = self.secrets(tenant, person)[0], self.code(tenant, person)
        given, told = f"/run/{unit}.in", f"/run/{unit}.log"
        streams = f"-p StandardInput=file:{given} -p StandardOutput=truncate:{told} -p StandardError=inherit"
        client = self.command(tenant, person, f"--interface {interface} --verbose")
        return self.steps.on(
            "access1",
            f"""umask 077; printf '{password}\n{code}\n' >{given}; systemctl reset-failed {unit} 2>/dev/null
systemd-run --quiet --unit={unit} {streams} {client}
until grep -q 'Configured as' {told}; do systemctl -q is-active {unit} || break; sleep 0.1; done
rm {given}; cat {told}""",
        )

    def is_connected(self, unit: str = "dial") -> bool:
        return self.steps.try_on("access1", f"systemctl is-active {unit}").stdout.strip() == "active"

    def sessions(self, tenant: Tenant = ALPHA) -> list[dict[str, Any]]:
        """Who is connected, as docs/operating.md says how to see it."""
        show = f"occtl --json --socket-file /run/agency-access/{tenant.id}/control/occtl show users"
        found: list[dict[str, Any]] = json.loads(self.steps.on("access1", show))
        return [one for one in found if one["State"] == "connected"]

    def reaches(self, address: str, port: int | str) -> bool:
        """Whether who is connected reaches a port through the tunnel."""
        ask = f"timeout 2 bash -c '</dev/tcp/{address}/{port}'"
        self.steps.on("access1", f"ip -n home route replace {address} dev tun0")
        return self.steps.try_on("access1", f"ip netns exec home {ask}").returncode == 0


def _left(steps: Steps, tenant: Tenant) -> str:
    return steps.on("access1", LEFT.format(id=tenant.id))


@pytest.fixture(scope="module")
def gates(steps: Steps) -> Steps:
    """Both agencies have remote access, provisioned at the same time on a host that had nothing, and a directory."""

    def make() -> None:
        steps.same_time("identity", "provision")
        steps.same_time("flexible-working", "provision")

    steps.practice.in_state("gates", make)
    return steps


@pytest.fixture
def breakable(gates: Steps) -> Iterator[Steps]:
    """The same, and what a test does to the host is forgotten."""
    yield gates
    gates.practice.restore("gates", "access1")


@pytest.fixture
def remote(breakable: Steps) -> Remote:
    """Somebody elsewhere."""
    breakable.on("access1", HOME)
    return Remote(breakable)


def test_a_prediction_for_a_fresh_host_changes_nothing(steps: Steps) -> None:
    before = steps.on("access1", "dpkg --get-selections | sha256sum")
    steps.succeed("flexible-working", "precheck")
    assert steps.changed("flexible-working", "provision", check=True) != []
    assert steps.changed("flexible-working", "retire") == []
    assert _left(steps, ALPHA) == ""
    assert steps.on("access1", "dpkg --get-selections | sha256sum") == before


def test_provisioning_again_changes_nothing_and_verification_passes(gates: Steps) -> None:
    for tenant in BOTH:
        for verb in ("precheck", "provision"):
            assert gates.changed("flexible-working", verb, tenant=tenant) == []
        assert gates.changed("flexible-working", "provision", tenant=tenant, check=True) == []
    looked = f"cat {FOLDER}/passwords {FOLDER}/accounts {STATE}/codes; ls {STATE}/*; ip netns list; ip -brief link"
    before = gates.on("access1", looked)
    gates.same_time("flexible-working", "verify")
    assert gates.changed("flexible-working", "verify") == []
    assert gates.on("access1", looked) == before
    assert gates.practice.driver.unsteady() == ()


def test_remote_access_survives_a_reboot(breakable: Steps) -> None:
    before = breakable.on("access1", "cat /proc/sys/kernel/random/boot_id")
    breakable.on("access1", "systemd-run --on-active=1 systemctl reboot")
    for _ in range(60):
        now = breakable.try_on("access1", "cat /proc/sys/kernel/random/boot_id")
        if now.returncode == 0 and now.stdout != before:
            break
        time.sleep(0.5)
    breakable.on("access1", "systemctl is-system-running --wait || systemctl --failed")
    assert breakable.changed("flexible-working", "provision") == []
    breakable.succeed("flexible-working", "verify")


RESTART = f"systemctl restart {UNIT}"
STRANGER = f"""cd {FOLDER}; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -batch -days 9 \\
    -subj /CN=access1 -keyout server.key -out server.pem 2>&1; {RESTART}"""
BREAKS = [
    (f"systemctl stop {UNIT}", "nobody can dial in"),
    (STRANGER, "nobody can dial in"),
    (f"sed -i '/pam_oath/s/window=1/window=30/' {FOLDER}/pam; {RESTART}", "a code of ten minutes ago is let in"),
    (
        f"sed -i 's/^auth requisite pam_pwdfile/auth optional pam_pwdfile/' {FOLDER}/pam; {RESTART}",
        "a wrong password is let in",
    ),
    (f"sed -i '/pam_oath/d; /pam_faillock/d' {FOLDER}/pam; {RESTART}", "is let in"),
    (f"rm {FOLDER}/connect", "nobody can dial in"),
    (f"nft flush chain inet {TABLE} input; nft insert rule inet host_firewall input accept", "reaches the host itself"),
    (f"nft flush chain inet {TABLE} postrouting", "who dials in does not reach"),
    (f"nft insert rule inet {TABLE} leaving drop", "who dials in does not reach"),
    (f"sed -i /^user2:/d {FOLDER}/passwords", "not on the lists as ordered: user2"),
    (f"sed -n 's/^user1:/eve:/p' {FOLDER}/passwords >> {FOLDER}/passwords", "not on the lists as ordered: eve"),
    (f"sed -i /user2/d {STATE}/codes", "not on the lists as ordered: user2"),
    (f": > {FOLDER}/accounts", "the accounts are not those"),
    (f"touch -d '1 hour ago' {STATE}/codes.new", "has left its lock"),
]


@pytest.mark.parametrize(("broken", "complaint"), BREAKS)
def test_what_keeps_people_out_or_lets_in_too_much_is_detected(breakable: Steps, broken: str, complaint: str) -> None:
    breakable.on("access1", broken)
    outcome = breakable.run("flexible-working", "verify")
    assert outcome.state is StepState.FAILED
    assert complaint in str(outcome.error)


def test_provisioning_repairs_what_is_wrong_or_stopped(breakable: Steps) -> None:
    breakable.on("access1", f"touch -d '1 hour ago' {STATE}/codes.lock")
    lists = ["access1: Let in those who are on the list, and end the sessions of others"]
    assert breakable.changed("flexible-working", "provision", check=True) == lists
    assert breakable.changed("flexible-working", "provision") == lists
    breakable.on("access1", f"mkdir /etc/systemd/system/{UNIT}.service.d; cd /etc/systemd/system/{UNIT}.service.d; "
        "printf '[Service]\\nProtectHome=false\\n' > x.conf; sysctl -qw net.ipv4.ip_forward=0")  # fmt: skip
    breakable.on("access1", "; ".join(broken for broken, _ in reversed(BREAKS)))
    assert breakable.changed("flexible-working", "provision", check=True) != []
    assert breakable.changed("flexible-working", "provision") != []
    assert breakable.changed("flexible-working", "provision") == []
    breakable.succeed("flexible-working", "verify")


def test_who_dials_in_reaches_their_own_agencys_services_and_nothing_else(remote: Remote) -> None:
    told = remote.dial_in(ALPHA, "user1")
    assert "Configured as 10.65.201." in told, told
    steps = remote.steps
    directory, ports = steps.site.hosts["id1"].address, [t.allocations()["directory_port"].block for t in BOTH]
    controls = [f"timeout 2 bash -c '</dev/tcp/{directory}/{port}'" for port in ports]
    steps.on("access1", " && ".join(controls))
    assert [remote.reaches(directory, port) for port in ports] == [True, False], "only the agency's own"
    for address, port in (
        (directory, 22),
        (str(steps.site.management[0]).partition("/")[0], 22),
        ("10.65.201.1", 22),
        ("10.65.202.1", BRAVO.allocations()["access_port"].block),
        ("10.65.202.1", 22),
    ):
        assert not remote.reaches(address, port), (address, port)
    [session] = remote.sessions()
    assert session["Username"] == "user1"
    assert f"Configured as {session['IPv4']}" in told
    assert remote.sessions(BRAVO) == []
    steps.succeed("flexible-working", "verify")
    assert remote.is_connected(), "verification ends nobody's session"


def test_who_leaves_the_list_is_cut_off_at_once_and_does_not_come_back(remote: Remote) -> None:
    steps, stays = remote.steps, {"users": ["user1"]}
    remote.dial_in(ALPHA, "user1")
    remote.dial_in(ALPHA, "user2", unit="leaver", interface="tun1")
    away = remote.log_in(ALPHA, "user2")
    assert away
    assert remote.is_connected("leaver")
    ended = ["access1: Let in those who are on the list, and end the sessions of others"]
    assert steps.changed("flexible-working", "provision", parameters=stays, check=True) == ended
    assert remote.is_connected("leaver")
    assert steps.changed("flexible-working", "provision", parameters=stays) == ended
    assert [one["Username"] for one in remote.sessions()] == ["user1"]
    assert remote.is_connected(), "who stays is not cut off"
    assert remote.log_in(ALPHA, "user2") is None
    resumed = remote.command(ALPHA, "user2").replace("--passwd-on-stdin", "--cookie-on-stdin --interface tun2")
    steps.try_on("access1", f"printf '%s\\n' '{away}' | timeout 20 {resumed}")
    assert [one["Username"] for one in remote.sessions()] == ["user1"], "a login from before is worth nothing"
    steps.succeed("flexible-working", "verify", parameters=stays)


def test_a_session_of_somebody_who_is_not_on_the_list_is_detected_and_ended(remote: Remote) -> None:
    remote.dial_in(ALPHA, "user2")
    remote.steps.on("access1", f"sed -i /^user2:/d {FOLDER}/passwords; sed -i /user2/d {STATE}/codes {FOLDER}/accounts")
    alone, place = {"users": ["user1"]}, remote.command(ALPHA, "nobody").rpartition("//")[2].strip("/")
    asks = f"sleep 60 | ip netns exec home openssl s_client -connect {place}"
    remote.steps.on("access1", f"systemd-run --quiet --unit=asks sh -c '{asks}'")  # who only looks is no session
    outcome = remote.steps.run("flexible-working", "verify", parameters=alone)
    assert "connected, and not on the list: user2" in str(outcome.error)
    remote.steps.succeed("flexible-working", "provision", parameters=alone)
    assert remote.sessions() == []


def test_what_is_handed_out_to_a_person_is_what_they_log_in_with(remote: Remote) -> None:
    password, key = remote.secrets(ALPHA, "user1")
    address = urlsplit(authenticator("user1", key, issuer="Alpha & Sons: the agency"))
    [secret] = parse_qs(address.query)["secret"]
    shown = remote.steps.on("access1", f"oathtool --totp --base32 {secret}").strip()
    assert remote.log_in(ALPHA, "user1", password=password, code=shown)
    assert remote.log_in(ALPHA, "user1", password=password, code=shown) is None, "a code is good once"


def test_ten_wrong_codes_shut_an_account_and_wrong_passwords_do_not(remote: Remote) -> None:
    for _ in range(2):
        assert remote.log_in(ALPHA, "user2", password="guessed", code="000000") is None
    assert remote.steps.on("access1", f"ls {STATE}/failures") == "", "who does not know the password shuts nobody out"
    wrong = "; ".join([f"printf '{remote.secrets(ALPHA, 'user1')[0]}\\n000000\\n' | "
        f"{remote.command(ALPHA, 'user1', '--authenticate')} >/dev/null 2>&1 &"] * 10).replace("&;", "&")  # fmt: skip
    remote.steps.on("access1", f"{wrong} wait")
    assert remote.log_in(ALPHA, "user1") is None
    assert remote.log_in(ALPHA, "user2")
    remote.steps.on("access1", f"rm {STATE}/failures/user1")  # as docs/security.md says
    assert remote.log_in(ALPHA, "user1")


@pytest.mark.parametrize("secret", ["users_password", "users_totp", "authority_key"])
def test_a_new_secret_replaces_the_old_one_and_ends_sessions(remote: Remote, secret: str) -> None:
    steps, renewed = remote.steps, (secret,)
    remote.dial_in(ALPHA, "user1")
    assert steps.run("flexible-working", "verify", renewed=renewed).state is StepState.FAILED
    assert steps.changed("flexible-working", "provision", renewed=renewed) != []
    assert steps.changed("flexible-working", "provision", renewed=renewed) == []
    assert remote.sessions() == []
    assert steps.changed("flexible-working", "verify", renewed=renewed) == []
    assert steps.run("flexible-working", "verify").state is StepState.FAILED, "the old one is worth nothing"


def test_the_agencys_choices_take_effect(remote: Remote) -> None:
    assert "max-same-clients = 1\n" in remote.steps.on("access1", f"cat {FOLDER}/session.conf")
    remote.dial_in(ALPHA, "user1")
    refused = remote.dial_in(ALPHA, "user1", unit="second", interface="tun1")
    assert "Configured as" not in refused, refused
    chosen: dict[str, Any] = {"parameters": {"users": ["user1", "carol"], "session_hours": 2}, "tier": "premium"}
    remote.steps.succeed("flexible-working", "provision", **chosen)
    assert remote.steps.changed("flexible-working", "provision", **chosen) == []
    assert remote.is_connected(), "who may stay is not cut off by what is ordered for others"
    second = remote.dial_in(ALPHA, "user1", unit="second", interface="tun1")
    assert "X-CSTP-Session-Timeout: 7200" in second, second
    assert "Configured as" in remote.dial_in(ALPHA, "carol", unit="third", interface="tun2")
    assert sorted(one["Username"] for one in remote.sessions()) == ["carol", "user1", "user1"]
    remote.steps.succeed("flexible-working", "verify", **chosen)


def test_a_person_of_another_agency_is_refused_and_processes_are_apart(remote: Remote) -> None:
    assert remote.log_in(BRAVO, "user1", whose=BRAVO)
    assert remote.log_in(ALPHA, "user1", whose=BRAVO) is None
    assert remote.log_in(ALPHA, "user1", authority=BRAVO) is None, "the server is not another agency's"
    steps = remote.steps
    remote.dial_in(ALPHA, "user1")
    worker = str(1890000000 + ALPHA.number)
    users = set(steps.on("access1", "ps -o uid= -C ocserv-worker").split())
    assert worker in users <= {worker, str(1890000000 + BRAVO.number)}, users
    for agency in (ALPHA.id, BRAVO.id):
        asked = [f"cat /etc/agency-access/{agency}/passwords", f"cat /etc/agency-access/{agency}/server.key",
                 f"ls /var/lib/agency-access/{agency}",
                 f"occtl --socket-file /run/agency-access/{agency}/control/occtl show users"]  # fmt: skip
        for ask in asked:
            tried = f"setpriv --reuid={worker} --regid=65534 --clear-groups {ask} 2>&1"
            assert steps.try_on("access1", tried).returncode != 0, tried


def test_the_probe_of_the_catalog_sees_the_login_page_and_notices_that_it_is_gone(breakable: Steps) -> None:
    component = breakable.source.catalog().components["flexible-working"]
    [probe] = component.probes
    instance = breakable.instance(ALPHA, "flexible-working", hosts={"access": ("access1",)})
    facts = endpoint_facts(instance, agency=ALPHA.id, site=breakable.site, allocations=ALPHA.allocations())
    address = probe.target.format_map(facts)
    key = ProbeKey(ALPHA.id, "flexible-working", probe.id)
    target = ProbeTarget(key, probe.kind, "practice", address, probe.every, instance.changed_at)
    assert component.recovery.trust
    own, other = (breakable.on("access1", f"cat {component.recovery.trust.file_of(t.id)}") for t in BOTH)

    async def ask(trust: str) -> str:
        web = Web()
        try:
            return await web.page(Prepared(target, trust=trust), 20)
        finally:
            await web.close()

    assert "answers 200" in asyncio.run(ask(own))
    with pytest.raises(ProbeFailed, match="does not prove its identity"):
        asyncio.run(ask(other))
    breakable.on("access1", f"systemctl stop {UNIT}")
    with pytest.raises(OSError, match="Connect call failed"):
        asyncio.run(ask(own))


def test_old_versions_of_tls_are_refused(gates: Steps) -> None:
    address, port = gates.site.hosts["access1"].address, ALPHA.allocations()["access_port"].block
    ask = f"echo | openssl s_client -connect {address}:{port} -cipher ALL:@SECLEVEL=0 -{{}} 2>&1 | grep 'Cipher is'"
    assert "(NONE)" in gates.on("access1", ask.format("tls1_1"))
    for version in ("tls1_2", "tls1_3"):
        assert "(NONE)" not in gates.on("access1", ask.format(version))


def test_what_stands_in_the_way_is_named_before_anything_changes(breakable: Steps) -> None:
    charlie = Tenant("charlie-agency", 203)
    port = charlie.allocations()["access_port"].block
    breakable.on("access1", f"systemd-run --quiet --unit=taken python3 -m http.server {port}; "
        f"until ss -ltn | grep -q :{port}; do sleep 0.1; done; ip address add 10.65.203.9/24 dev lo")  # fmt: skip
    outcome = breakable.run("flexible-working", "precheck", tenant=charlie)
    for complaint in (f"port {port} is in use", "lo already has an address in 10.65.203.0/24"):
        assert complaint in str(outcome.error)
    assert _left(breakable, charlie) == ""


def test_no_password_is_stored_on_the_host_and_keys_only_where_codes_are_checked(gates: Steps) -> None:
    secrets = secrets_of(ALPHA, "flexible-working", gates.source)
    hidden = [*secrets.values(), password_of("user1", secrets["users_password"])]
    for word in hidden:
        found = gates.on("access1", f"grep -rsl '{word}' /etc /var/lib /var/log /run /tmp || true")
        assert found == "", word
    key = totp_key_of("user1", secrets["users_totp"])
    assert gates.on("access1", f"grep -rsl '{key}' /etc /var /run /tmp").split() == [f"{STATE}/codes"]


def test_nothing_of_an_agency_that_left_remains_and_its_neighbour_stays(remote: Remote) -> None:
    remote.dial_in(ALPHA, "user1")
    remote.dial_in(BRAVO, "user1", unit="neighbour", interface="tun1")
    remote.steps.succeed("flexible-working", "retire")
    assert remote.steps.changed("flexible-working", "retire") == []
    assert _left(remote.steps, ALPHA) == ""
    assert remote.is_connected("neighbour")
    remote.steps.succeed("flexible-working", "verify", tenant=BRAVO)
    assert remote.steps.changed("flexible-working", "provision", tenant=BRAVO) == []
