"""The directories of two agencies on one real host: made, used, broken, repaired and removed."""

import asyncio
import ssl
from collections.abc import Iterator
from typing import Any

import ldap3
import pytest
from ldap3.core.exceptions import LDAPException

from orchestrator.adapters.probes.answers import ProbeFailed
from orchestrator.adapters.probes.directory import Directory
from orchestrator.domain.probing.readings import ProbeKey, ProbeTarget
from orchestrator.domain.runs.assignment import endpoint_facts, password_of
from orchestrator.domain.runs.run import StepState
from orchestrator.ports.probing import Person, Prepared
from tests.playbooks.conftest import ALPHA, BOTH, BRAVO, Steps, Tenant, secrets_of

FOLDER, UNIT = f"/etc/agency-directory/{ALPHA.id}", f"agency-directory@{ALPHA.id}"
CONFIGURATION = f"{FOLDER}/slapd.conf"
LEFT = "find /etc /var /run /tmp /usr/local -name '*{id}*'; systemctl list-units --all --plain --no-legend '*{id}*'"
CHOSEN = {
    "people": [
        {"name": "ada", "full_name": 'Ada "A" Whitehall, <ada>', "email": "ada@alpha.example", "groups": ["finance"]},
        {"name": "bob", "full_name": "Bob Ó Briain", "groups": ["finance", "pension-fund"]},
    ],
    "groups": ["finance", "pension-fund", "empty"],
}


def _left(steps: Steps, tenant: Tenant) -> str:
    return steps.on("id1", LEFT.format(id=tenant.id))


def _password(steps: Steps, tenant: Tenant, person: str) -> str:
    return password_of(person, secrets_of(tenant, "identity", steps.source)["people_password"])


def _log_in(steps: Steps, at: Tenant, name: str, password: str, *, authority: Tenant | None = None) -> Any:
    """Somebody's connection to an agency's directory, for which an authority vouches, or why there is none."""
    trusted = steps.on("id1", f"cat /etc/agency-directory/{(authority or at).id}/authority.pem")
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_data=trusted)
    port = int(at.allocations()["directory_port"].block)
    server = ldap3.Server(
        steps.site.hosts["id1"].address, port, use_ssl=True, tls=tls, connect_timeout=20, get_info=ldap3.NONE
    )
    connection = ldap3.Connection(server, user=name, password=password, receive_timeout=20)
    try:
        return connection if connection.bind() else connection.result["description"]
    except LDAPException as error:
        return str(error)


def _as_root(steps: Steps, operation: str) -> str:
    """Change or read the first agency's directory by hand, on its host."""
    return steps.on(
        "id1",
        f"""python3 - <<'END'
import ldap3
server = ldap3.Server("ldapi:///run/agency-directory/{ALPHA.id}/ldapi", get_info=ldap3.NONE)
root = ldap3.Connection(server, authentication=ldap3.SASL, sasl_mechanism="EXTERNAL", sasl_credentials="")
root.bind()
root.{operation}
assert root.result["result"] == 0, root.result
for entry in root.response or ():
    print(*(value for values in entry["attributes"].values() for value in values))
END
""",
    )


def _numbers(steps: Steps) -> dict[str, str]:
    """Numbers of the first agency's people."""
    found = _as_root(steps, f"search('o={ALPHA.id}', '(uid=*)', attributes=['uid', 'uidNumber'])")
    return dict(line.split() for line in found.splitlines())


@pytest.fixture(scope="module")
def directories(steps: Steps) -> Steps:
    """Both agencies have a directory, provisioned at the same time on a host that had nothing."""
    steps.practice.in_state("directories", lambda: steps.same_time("identity", "provision"))
    return steps


@pytest.fixture
def breakable(directories: Steps) -> Iterator[Steps]:
    """The same, and what a test does to it is forgotten."""
    yield directories
    directories.practice.restore("directories")


def test_a_prediction_for_a_fresh_host_changes_nothing(steps: Steps) -> None:
    before = steps.on("id1", "dpkg --get-selections | sha256sum")
    steps.succeed("identity", "precheck")
    assert steps.changed("identity", "provision", check=True) != []
    assert steps.changed("identity", "retire") == []
    assert _left(steps, ALPHA) == ""
    assert steps.on("id1", "dpkg --get-selections | sha256sum") == before


def test_provisioning_again_changes_nothing_and_verification_passes(directories: Steps) -> None:
    for tenant in BOTH:
        for verb in ("precheck", "provision", "verify"):
            assert directories.changed("identity", verb, tenant=tenant) == []
        assert directories.changed("identity", "provision", tenant=tenant, check=True) == []
    directories.same_time("identity", "verify")
    assert directories.practice.driver.unsteady() == ()


def test_the_directory_survives_a_reboot(breakable: Steps) -> None:
    numbers, before = _numbers(breakable), breakable.on("id1", "cat /proc/sys/kernel/random/boot_id")
    breakable.on("id1", "systemd-run --on-active=1 systemctl reboot")
    for _ in range(60):
        now = breakable.try_on("id1", "sleep 0.5; cat /proc/sys/kernel/random/boot_id")
        if now.returncode == 0 and now.stdout != before:
            break
    breakable.on("id1", "systemctl is-system-running --wait || systemctl --failed")
    assert breakable.changed("identity", "provision") == []
    breakable.succeed("identity", "verify")
    assert _numbers(breakable) == numbers


RESTART = f"systemctl restart {UNIT}"
STRANGER = f"""cd {FOLDER}; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -batch -days 9 \\
    -subj /CN=id1 -keyout server.key -out server.pem 2>&1; {RESTART}"""
SECOND = f"\\ndatabase ldif\\nsuffix o=second\\ndirectory /run/agency-directory/{ALPHA.id}\\n"
BREAKS = [
    (f"systemctl stop {UNIT}", "Connection refused"),
    (STRANGER, "certificate verify failed"),
    (f"sed -i /^disallow/d {CONFIGURATION}; {RESTART}", "somebody without a name is let in"),
    (f"sed -i /^require/d {CONFIGURATION}; {RESTART}", "somebody without a name finds entries"),
    (f"printf '{SECOND}' >> {CONFIGURATION}; {RESTART}", "not just of"),
    (f"sed -i '/^access to attrs=userPassword/,+2d' {CONFIGURATION}; {RESTART}", "cannot log in"),
    (f"sed -i 's/by anonymous auth/by * read/' {CONFIGURATION}; {RESTART}", "can read hashes of passwords"),
    (f"sed -i '/ou=people/s/read$/write/' {CONFIGURATION}; {RESTART}", "can change entries"),
    (f"sed -i '/^access to dn/,+2d' {CONFIGURATION}; {RESTART}", "canary does not find its own place"),
]
BY_HAND = [
    (f"delete('uid=user2,ou=people,o={ALPHA.id}')", "who are not those ordered"),
    (f"delete('cn=services,ou=services,o={ALPHA.id}')", "cannot log in: invalidCredentials"),
    (
        f"modify('uid=user1,ou=people,o={ALPHA.id}', {{'cn': [('MODIFY_REPLACE', ['Somebody Else'])]}})",
        "and not themselves as ordered",
    ),
    (
        f"add('uid=eve,ou=people,o={ALPHA.id}', ['account', 'simpleSecurityObject'], {{'userPassword': 'known'}})",
        "who are not those ordered",
    ),
]


@pytest.mark.parametrize(("broken", "complaint"), BREAKS)
def test_a_server_that_is_stopped_or_shows_too_much_is_detected(breakable: Steps, broken: str, complaint: str) -> None:
    breakable.on("id1", broken)
    outcome = breakable.run("identity", "verify")
    assert outcome.state is StepState.FAILED
    assert complaint in str(outcome.error)
    breakable.succeed("identity", "verify", tenant=BRAVO)


@pytest.mark.parametrize(("by_hand", "complaint"), BY_HAND)
def test_entries_changed_by_hand_are_detected(breakable: Steps, by_hand: str, complaint: str) -> None:
    _as_root(breakable, by_hand)
    outcome = breakable.run("identity", "verify")
    assert outcome.state is StepState.FAILED
    assert complaint in str(outcome.error)


def test_provisioning_repairs_what_is_wrong_or_stopped(breakable: Steps) -> None:
    for by_hand, _ in BY_HAND:
        _as_root(breakable, by_hand)
    entries = ["id1: Make the entries of people, groups and services"]
    assert breakable.changed("identity", "provision", check=True) == entries
    assert breakable.changed("identity", "provision") == entries
    breakable.succeed("identity", "verify")
    breakable.on("id1", f"mkdir /etc/systemd/system/{UNIT}.service.d; cd /etc/systemd/system/{UNIT}.service.d; "
        "printf '[Service]\\nProtectHome=false\\n' > x.conf")  # fmt: skip
    breakable.on("id1", "; ".join(broken for broken, _ in reversed(BREAKS)))
    assert breakable.changed("identity", "provision", check=True) != []
    assert breakable.changed("identity", "provision") != []
    assert breakable.changed("identity", "provision") == []
    breakable.succeed("identity", "verify")


@pytest.mark.parametrize("secret", ["people_password", "services_password", "canary_password", "authority_key"])
def test_a_new_secret_replaces_the_old_one(breakable: Steps, secret: str) -> None:
    renewed = (secret,)
    assert breakable.run("identity", "verify", renewed=renewed).state is StepState.FAILED
    assert breakable.changed("identity", "provision", renewed=renewed) != []
    assert breakable.changed("identity", "provision", renewed=renewed) == []
    assert breakable.changed("identity", "verify", renewed=renewed) == []
    assert breakable.run("identity", "verify").state is StepState.FAILED, "the old one is worth nothing"
    breakable.succeed("identity", "verify", tenant=BRAVO)


def test_who_left_is_refused_and_their_number_is_not_given_out_again(breakable: Steps) -> None:
    before = _numbers(breakable)
    leaver = f"uid=user2,ou=people,o={ALPHA.id}", _password(breakable, ALPHA, "user2")
    assert _log_in(breakable, ALPHA, *leaver).bound
    stays = [{"name": "user1", "full_name": "First User"}]
    breakable.succeed("identity", "provision", parameters={"people": stays})
    assert _log_in(breakable, ALPHA, *leaver) == "invalidCredentials"
    breakable.succeed("identity", "verify", parameters={"people": stays})
    newcomer = {"people": [*stays, {"name": "carol", "full_name": "Carol New"}]}
    breakable.succeed("identity", "provision", parameters=newcomer)
    after = _numbers(breakable)
    assert after["user1"] == before["user1"]
    assert int(after["carol"]) > max(map(int, before.values()))


def test_the_agencys_choices_take_effect(breakable: Steps) -> None:
    breakable.succeed("identity", "provision", parameters=CHOSEN, tier="premium")
    assert breakable.changed("identity", "provision", parameters=CHOSEN, tier="premium") == []
    breakable.succeed("identity", "verify", parameters=CHOSEN, tier="premium")
    service = secrets_of(ALPHA, "identity", breakable.source)["services_password"]
    reader = _log_in(breakable, ALPHA, f"cn=services,ou=services,o={ALPHA.id}", service)
    reader.search(f"o={ALPHA.id}", "(|(uid=bob)(cn=pension-fund))", attributes=["cn", "mail", "memberUid"])
    told = {entry["attributes"]["cn"][0]: entry["attributes"] for entry in reader.response}
    assert told["Bob Ó Briain"]["mail"] == [f"bob@{ALPHA.id}.practice.internal"]
    assert told["pension-fund"]["memberUid"] == ["bob"]


def test_the_probe_of_the_catalog_logs_in_and_notices_that_it_cannot(breakable: Steps) -> None:
    component = breakable.source.catalog().components["identity"]
    [probe] = component.probes
    instance = breakable.instance(ALPHA, "identity", hosts={"directory": ("id1",)})
    facts = endpoint_facts(instance, agency=ALPHA.id, site=breakable.site, allocations=ALPHA.allocations())
    key, address = ProbeKey(ALPHA.id, "identity", probe.id), probe.target.format_map(facts)
    target = ProbeTarget(key, probe.kind, "practice", address, probe.every, instance.changed_at)
    assert probe.login
    assert component.recovery.trust
    name = probe.login.name.format_map({**facts, "person": "user1"})
    trust = breakable.on("id1", f"cat {component.recovery.trust.file_of(ALPHA.id)}")
    prepared = Prepared(target, person=Person(name, _password(breakable, ALPHA, "user1")), trust=trust)
    directory = Directory()
    assert "lets uid=user1" in asyncio.run(directory.ask(prepared, 20))
    breakable.on("id1", f"systemctl stop {UNIT}")
    with pytest.raises(ProbeFailed):
        asyncio.run(directory.ask(prepared, 20))
    directory.close()


def test_an_agency_sees_nothing_of_another(directories: Steps) -> None:
    own = f"uid=user1,ou=people,o={BRAVO.id}", _password(directories, BRAVO, "user1")
    assert _log_in(directories, BRAVO, *own).bound
    assert _log_in(directories, ALPHA, *own) == "invalidCredentials"
    assert _log_in(directories, ALPHA, own[0].replace(BRAVO.id, ALPHA.id), own[1]) == "invalidCredentials"
    assert "certificate verify failed" in _log_in(directories, ALPHA, *own, authority=BRAVO)
    users = directories.on("id1", "ps -o uid= -C slapd").split()
    assert len(set(users)) == 2, "each agency's server is a user of its own"
    for other in ("/var/lib/private/agency-directory", "/run/agency-directory"):
        looked = directories.on("id1", f"for uid in {' '.join(users)}; do setpriv --reuid=$uid --regid=$uid "
            f"--clear-groups ls {other}/{ALPHA.id} {other}/{BRAVO.id} 2>&1; done || true")  # fmt: skip
        assert looked.count("Permission denied") >= 2, looked


def test_the_directory_answers_only_where_it_is_declared_to(directories: Steps) -> None:
    address, port = directories.site.hosts["id1"].address, ALPHA.allocations()["directory_port"].block
    ask = f"timeout 2 bash -c '</dev/tcp/{address}/{port}' 2>&1 && echo answered || echo nothing"
    assert directories.on("gw1", ask).strip() == "answered"
    assert directories.on("desk1", ask).splitlines()[-1] == "nothing"


def test_old_versions_of_tls_are_refused(directories: Steps) -> None:
    address, port = directories.site.hosts["id1"].address, ALPHA.allocations()["directory_port"].block
    ask = f"echo | openssl s_client -connect {address}:{port} -cipher ALL:@SECLEVEL=0 -{{}} 2>&1 | grep 'Cipher is'"
    assert "(NONE)" in directories.on("id1", ask.format("tls1_1"))
    for version in ("tls1_2", "tls1_3"):
        assert "(NONE)" not in directories.on("id1", ask.format(version))


def test_what_stands_in_the_way_is_named_before_anything_changes(directories: Steps) -> None:
    charlie = Tenant("charlie-agency", 203)
    port = charlie.allocations()["directory_port"].block
    directories.on("id1", f"systemd-run --quiet --unit=taken python3 -m http.server {port}; "
        f"until ss -ltn | grep -q :{port}; do sleep 0.1; done")  # fmt: skip
    wrong = {"people": [{"name": "ada", "full_name": "Ada", "groups": ["finanz"]}], "groups": ["agency-charlie-agency"]}
    try:
        outcome = directories.run("identity", "precheck", tenant=charlie, parameters=wrong)
    finally:
        directories.on("id1", "systemctl stop taken")
    for complaint in (
        f"TCP port {port} is in use",
        "not among groups: finanz",
        "agency-charlie-agency is the one of everybody",
    ):
        assert complaint in str(outcome.error)
    assert _left(directories, charlie) == ""


def test_no_password_is_stored_on_the_host(directories: Steps) -> None:
    secrets = secrets_of(ALPHA, "identity", directories.source)
    hidden = [*secrets.values(), _password(directories, ALPHA, "user1")]
    for word in hidden:
        found = directories.on("id1", f"grep -rsl '{word}' /etc /var/lib/private /var/log /run /tmp || true")
        assert found == "", word


def test_nothing_of_an_agency_that_left_remains_and_its_neighbour_stays(breakable: Steps) -> None:
    breakable.succeed("identity", "retire")
    assert breakable.changed("identity", "retire") == []
    assert _left(breakable, ALPHA) == ""
    breakable.succeed("identity", "verify", tenant=BRAVO)
    assert breakable.changed("identity", "provision", tenant=BRAVO) == []
