"""Thin clients of two agencies on a real session server and gateway: used as devices, users and strangers do."""

from collections.abc import Iterator

import pytest

from orchestrator.domain.runs.run import StepState
from tests.playbooks.conftest import ALPHA, BOTH, BRAVO, Steps, Tenant
from tests.playbooks.grounds import NETWORKS

FOLDER = f"/etc/thin-client/{ALPHA.id}"
ADMIT_ALL = "-e s/^TerminalServerUsers=.*/TerminalServerUsers=none/ -e s/GroupCheck=true/GroupCheck=false/"
LOCK = f"sed 's/^{ALPHA.id}-user1:/&!/' {FOLDER}/shadow"
UNIT = "/etc/systemd/system/thin-client-sessions@.service"
KNOW_ALL = f"sed -i -e /TemporaryFileSystem/d -e /BindReadOnlyPaths/d {UNIT}; systemctl daemon-reload"
RESTART = f"systemctl restart thin-client-sessions@{ALPHA.id} thin-client-desktop@{ALPHA.id}"
SHUT = f"rm /etc/agency-network/{ALPHA.id}/firewall.d/boot.nft; systemctl reload agency-firewall@{ALPHA.id}"
LEFT = """
find /etc /home /srv /var/lib -name '*{id}*'
grep -r {id} /etc/passwd /etc/group || true
systemctl list-units --plain --no-legend 'agency{n}.slice' 'thin-client-*@{id}.service'
"""


def _left(steps: Steps, tenant: Tenant) -> str:
    script = LEFT.format(id=tenant.id, n=tenant.number)
    return steps.on("thin1", script) + steps.on("gw1", f"ls -d /srv/thin-client/{tenant.id} 2>/dev/null || true")


@pytest.fixture(scope="module")
def sessions(steps: Steps) -> Steps:
    """Both agencies have a network and thin clients, provisioned at the same time."""

    def make() -> None:
        steps.same_time("network", "provision")
        steps.same_time("thin-client", "provision")

    steps.practice.in_state("sessions", make)
    return steps


@pytest.fixture
def breakable(sessions: Steps) -> Iterator[Steps]:
    """The same, and what a test does to them is forgotten."""
    yield sessions
    sessions.practice.restore("sessions")


def test_a_prediction_for_fresh_hosts_changes_nothing(steps: Steps) -> None:
    steps.succeed("thin-client", "precheck")
    assert steps.changed("thin-client", "provision", check=True) != []
    assert _left(steps, ALPHA) == ""


def test_provisioning_again_changes_nothing_and_verification_passes(sessions: Steps) -> None:
    for tenant in BOTH:
        assert sessions.changed("thin-client", "provision", tenant=tenant) == []
        assert sessions.changed("thin-client", "provision", tenant=tenant, check=True) == []
        assert sessions.changed("thin-client", "precheck", tenant=tenant) == []
        assert sessions.changed("thin-client", "verify", tenant=tenant) == []
    assert sessions.on("thin1", "pgrep Xorg || true; grep agencyx /etc/passwd || true") == ""


def test_agencies_are_kept_apart_on_the_session_server(sessions: Steps) -> None:
    other = f"{BRAVO.id}-user1"
    assert sessions.try_on("thin1", f"runuser -u {other} -- ls /home/{ALPHA.id}-user1").returncode != 0
    assert sessions.try_on("thin1", f"runuser -u {other} -- cat {FOLDER}/server.key").returncode != 0
    limits = sessions.on("thin1", f"systemctl show agency{ALPHA.number}.slice -p CPUWeight -p MemoryMax -p TasksMax")
    assert dict(line.split("=") for line in limits.split()).keys() == {"CPUWeight", "MemoryMax", "TasksMax"}
    assert {"CPUWeight=100", "TasksMax=512"} < set(limits.split())
    assert "MemoryMax=infinity" not in limits


def test_people_see_no_account_process_or_home_of_another_agency(sessions: Steps) -> None:
    unit = f"$(systemctl show -P MainPID thin-client-sessions@{ALPHA.id})"
    user = f"--reuid={ALPHA.id}-user1 --regid=agency-{ALPHA.id} --clear-groups"
    look = "getent passwd; getent group; ls /home /etc/thin-client 2>&1; ps -eo user=,args=; cat /etc/resolv.conf"
    seen = sessions.on("thin1", f"nsenter -t {unit} -m -n -- setpriv {user} sh -c '{look}'")
    assert f"{ALPHA.id}-user1" in seen
    assert "root:x:0:0" in seen
    assert f"nameserver {NETWORKS}.{ALPHA.number}.1" in seen
    assert BRAVO.id not in seen


HOLD = """
import socket, sys, time
held = []
for port in (3350, 13201, 13202, *range(13001, 13255), *range(14001, 14255)):
    held.append(socket.socket())
    try:
        held[-1].bind(("0.0.0.0", port)); held[-1].listen()
    except OSError:
        pass
print("held", flush=True)
time.sleep(600)
"""


def test_holding_every_port_takes_none_from_another_agency(sessions: Steps) -> None:
    folder, unit = "/run/held", "port-hog"
    place = f"--slice=agency{ALPHA.number}.slice -p NetworkNamespacePath=/run/netns/sessions{ALPHA.number}"
    sessions.on("thin1", f"mkdir -p {folder}; cat > {folder}/hold.py <<'PY'\n{HOLD}\nPY")
    hog = f"systemd-run --quiet --unit={unit} {place} -p User={ALPHA.id}-user1 python3 {folder}/hold.py"
    sessions.on("thin1", f"{hog}; until journalctl -u {unit} | grep -q held; do sleep 0.1; done")
    try:
        sessions.succeed("thin-client", "verify", tenant=BRAVO)
        sessions.on("thin1", f"systemctl restart thin-client-sessions@{BRAVO.id} thin-client-desktop@{BRAVO.id}")
        sessions.succeed("thin-client", "verify", tenant=BRAVO)
    finally:
        sessions.on("thin1", f"systemctl stop {unit}")


GUESS = """
manager=$(systemctl show --property=MainPID --value thin-client-sessions@{id})
for guess in $(seq 10); do
    echo guess | timeout 60 nsenter --target=$manager --mount --net xrdp-sesrun \\
        -c /etc/thin-client/{id}/sesman.ini -t Xorg -b 16 -F 0 {id}-user1 2>&1 | grep -i 'fail\\|denied' || echo no
done
"""


def test_guessing_a_password_locks_only_that_account_for_a_while(breakable: Steps) -> None:
    said = breakable.on("thin1", GUESS.format(id=ALPHA.id))
    assert "no\n" not in said
    outcome = breakable.run("thin-client", "verify")
    assert outcome.state is StepState.FAILED
    assert f"{ALPHA.id}-user1 got no session" in str(outcome.error)
    breakable.succeed("thin-client", "verify", tenant=BRAVO)
    failures = f"/run/thin-client/{ALPHA.id}/failures"
    breakable.on("thin1", f"faillock --dir {failures} --user {ALPHA.id}-user1 --reset")
    breakable.succeed("thin-client", "verify")


BREAKS = [
    ("thin1", f"systemctl stop thin-client-desktop@{ALPHA.id}", "no remote desktop"),
    ("thin1", f"sed -i s/allow_channels=true/allow_channels=false/ {FOLDER}/xrdp.ini; {RESTART}", "no channels"),
    ("thin1", f"{KNOW_ALL}; sed -i {ADMIT_ALL} {FOLDER}/sesman.ini; {RESTART}", "got a session, but should not"),
    ("thin1", f"nft delete table inet sessions{ALPHA.number}", "no remote desktop"),
    ("thin1", f"{LOCK} >/root/locked; cat /root/locked >{FOLDER}/shadow", "got no session"),
    (
        "thin1",
        "printf '#!/bin/sh\\n' > /usr/local/lib/thin-client/session",
        f"the session of {ALPHA.id}-user1 has no",
    ),
    ("gw1", f"rm /srv/thin-client/{ALPHA.id}/boot.ipxe", "boot.ipxe"),
    ("gw1", SHUT, "cannot fetch"),
]


@pytest.mark.parametrize(("host", "broken", "complaint"), BREAKS)
def test_verification_detects_what_is_broken(breakable: Steps, host: str, broken: str, complaint: str) -> None:
    breakable.on(host, broken)
    outcome = breakable.run("thin-client", "verify")
    assert outcome.state is StepState.FAILED
    assert complaint in str(outcome.error)
    assert breakable.on("thin1", "pgrep -xa 'Xorg|xrdp-chansrv' || true") == "", "the check leaves no session behind"


def test_provisioning_repairs_what_is_broken(breakable: Steps) -> None:
    for host, broken, _ in BREAKS:
        breakable.on(host, broken)
    breakable.succeed("thin-client", "provision")
    breakable.succeed("thin-client", "verify")


CHANGED_LIVE = f"""
nft add rule inet sessions{ALPHA.number} arriving accept
echo 0 >/proc/sys/net/ipv4/ip_forward
usermod --append --groups sudo {ALPHA.id}-user1
chmod 755 /home/{ALPHA.id}-user1
usermod --append --groups agency-{ALPHA.id} {BRAVO.id}-user1
mkdir /etc/systemd/system/agency{ALPHA.number}.slice.d
printf '[Slice]\\nMemoryMax=infinity\\n' > /etc/systemd/system/agency{ALPHA.number}.slice.d/x.conf
"""
LIVE = f"""
nft --stateless list table inet sessions{ALPHA.number}; cat /proc/sys/net/ipv4/ip_forward
id {ALPHA.id}-user1; id {BRAVO.id}-user1; stat -c %a /home/{ALPHA.id}-user1
systemctl daemon-reload; systemctl show -P MemoryMax agency{ALPHA.number}.slice
"""


def test_live_changes_by_hand_are_detected_and_repaired(breakable: Steps) -> None:
    before = breakable.on("thin1", LIVE)
    breakable.on("thin1", CHANGED_LIVE)
    noticed = [
        "thin1: Make the accounts",
        "thin1: See that the rules in force are those of the file",
        "thin1: Describe the agency's sessions",
        "thin1: Let packets of sessions through",
    ]
    found = breakable.changed("thin-client", "provision", check=True)
    assert [one for one in found if one in noticed] == noticed
    breakable.succeed("thin-client", "provision")
    assert breakable.on("thin1", LIVE) == before
    assert breakable.changed("thin-client", "provision", check=True) == []


def test_a_home_that_is_a_link_is_refused_and_not_followed(breakable: Steps) -> None:
    home = f"/home/{ALPHA.id}-user1"
    breakable.on("thin1", f"rm -r {home}; mkdir -m 755 /srv/elsewhere; ln -s /srv/elsewhere {home}")
    outcome = breakable.run("thin-client", "provision")
    assert outcome.state is StepState.FAILED
    assert f"the home of {ALPHA.id}-user1 is a link" in str(outcome.error)
    assert breakable.on("thin1", "stat -c %a,%U /srv/elsewhere") == "755,root\n"


def test_new_secrets_replace_the_old_ones(breakable: Steps) -> None:
    for renewed in (("users_password",), ("authority_key",)):
        assert breakable.run("thin-client", "verify", renewed=renewed).state is StepState.FAILED
        changed = [breakable.succeed("thin-client", "provision", renewed=renewed).counts.changed > 0 for _ in range(2)]
        assert changed == [True, False]
        assert breakable.changed("thin-client", "verify", renewed=renewed) == []
        assert breakable.run("thin-client", "verify").state is StepState.FAILED, "the old one is worth nothing"
        breakable.succeed("thin-client", "provision")


def test_the_next_attempt_does_what_an_interrupted_one_left_undone(breakable: Steps) -> None:
    sessions = breakable
    file, rule = f"/etc/agency-network/{ALPHA.id}/firewall.d/boot.nft", f"agency{ALPHA.number} | grep -c 'dport 69'"
    reload = f"systemctl reload agency-firewall@{ALPHA.id}"
    sessions.on("gw1", f"mv {file} /root/boot.nft; {reload}; mv /root/boot.nft {file}")
    in_force = f"nft list table inet {rule} || true"
    assert sessions.changed("thin-client", "provision") == [], "the file is as it should be"
    assert sessions.on("gw1", in_force) == "0\n"
    assert sessions.changed("thin-client", "provision", again=True)
    assert sessions.on("gw1", in_force) == "1\n"


def test_people_who_leave_the_list_lose_their_home(breakable: Steps) -> None:
    sessions = breakable
    sessions.succeed("thin-client", "provision", parameters={"users": ["user2", "user3"]})
    assert sessions.on("thin1", f"ls /home | grep {ALPHA.id}").split() == [f"{ALPHA.id}-user2", f"{ALPHA.id}-user3"]
    sessions.succeed("thin-client", "verify", parameters={"users": ["user2", "user3"]})


def test_nothing_of_an_agency_that_left_remains_and_its_neighbour_stays(sessions: Steps) -> None:
    sessions.succeed("thin-client", "retire")
    assert sessions.changed("thin-client", "retire") == []
    assert _left(sessions, ALPHA) == ""
    sessions.succeed("network", "verify")
    sessions.succeed("thin-client", "verify", tenant=BRAVO)
