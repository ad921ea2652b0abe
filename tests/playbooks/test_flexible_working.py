"""Flexible working: people dial in with a password and a code, reach their own agency's services, and are cut off."""

import asyncio
import time
from collections.abc import Iterator
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
from tests.playbooks.remote import HOME, Remote

FOLDER, UNIT = f"/etc/agency-access/{ALPHA.id}", f"agency-access@{ALPHA.id}"
STATE, TABLE = f"/var/lib/agency-access/{ALPHA.id}", f"access{ALPHA.number}"
LEFT = "find /etc /var /run /tmp /usr/local -name '*{id}*'; systemctl list-units --all --plain --no-legend '*{id}*'"


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
    steps.succeed("flexible-working", "provision", parameters={"users": ["user1", "user2", "user3"]})
    cookies = {person: remote.log_in(ALPHA, person) for person in ("user1", "user2", "user3")}
    for n, (person, cookie) in enumerate(cookies.items()):
        assert "Configured as" in remote.dial_in(ALPHA, person, unit=person, interface=f"tun{n}", cookie=cookie)
    remote.break_off("user3")
    assert "Configured as" in remote.dial_in(ALPHA, "user3", unit="user3", interface="tun2", cookie=cookies["user3"])
    remote.break_off("user3")
    ended = ["access1: Let in those who are on the list, and end the sessions of others"]
    assert steps.changed("flexible-working", "provision", parameters=stays, check=True) == ended
    assert [one["Username"] for one in remote.sessions()] == ["user2", "user1"]
    assert steps.changed("flexible-working", "provision", parameters=stays) == ended
    assert [one["Username"] for one in remote.sessions()] == ["user1"]
    assert remote.is_connected("user1"), "who stays is not cut off"
    for n, person in ((1, "user2"), (2, "user3")):
        assert remote.log_in(ALPHA, person) is None
        again = remote.dial_in(ALPHA, person, unit=person, interface=f"tun{n}", cookie=cookies[person])
        assert "Configured as" not in again, "a login from before is worth nothing"
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
