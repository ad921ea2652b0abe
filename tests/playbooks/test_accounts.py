"""One password for all: desktops and sessions that ask the agency's directory, on real hosts."""

import time
from collections.abc import Iterator
from typing import Any

import paramiko
import pytest

from orchestrator.domain.runs.assignment import password_of
from orchestrator.domain.runs.run import StepOutcome
from tests.playbooks.conftest import ALPHA, BOTH, BRAVO, Steps, Tenant, secrets_of

PC = {"desktop": ("pc1",)}
UNIT = f"agency-directory@{ALPHA.id}"
USER1, USER2 = {"name": "user1", "full_name": "First User"}, {"name": "user2", "full_name": "Second User"}
EVERYBODY, WITHOUT_USER2 = {"people": [USER1, USER2]}, {"people": [USER1]}
DIRECTORY, OWN = ("identity", "people_password"), ("desktop", "users_password")
AUTH = "sha256sum < /etc/pam.d/common-auth; ls /etc/managed-desktop/directory.json /usr/local/lib/managed-desktop; true"
SECONDS = 15
"""Within which somebody is refused, whatever the directory does."""


def _password(steps: Steps, person: str, of: tuple[str, str] = DIRECTORY, tenant: Tenant = ALPHA) -> str:
    component, secret = of
    return password_of(person, secrets_of(tenant, component, steps.source)[secret])


def _logs_in(steps: Steps, person: str, password: str) -> bool:
    """Whether somebody logs in to the desktop over ssh."""
    with paramiko.SSHClient() as client:
        client.load_host_keys(str(steps.home / "sites" / "practice" / "known_hosts"))
        try:
            client.connect(
                steps.site.hosts["pc1"].address, 22, person, password, allow_agent=False, look_for_keys=False
            )
        except paramiko.AuthenticationException:
            return False
        return client.exec_command("id -un")[1].read().decode().strip() == person


def _is_refused_soon(steps: Steps, person: str, password: str) -> bool:
    began = time.monotonic()
    return not _logs_in(steps, person, password) and time.monotonic() - began < SECONDS


def _desktop(steps: Steps, verb: str, **options: Any) -> StepOutcome:
    return steps.run("desktop", verb, placement=PC, **options)


def _changed(steps: Steps, verb: str, **options: Any) -> list[str]:
    return steps.changed("desktop", verb, placement=PC, **options)


@pytest.fixture(scope="module")
def desktop(steps: Steps) -> Steps:
    """An agency has a desktop whose people had passwords of its own, until a directory vouched for them."""

    def make() -> None:
        steps.succeed("network", "provision")
        steps.succeed("identity", "provision")
        steps.succeed("desktop", "provision", placement=PC)
        steps.on("pc1", f"({AUTH}) > /root/before 2>&1")
        assert _changed(steps, "provision", vouching=EVERYBODY) != []

    steps.practice.in_state("vouched-desktop", make)
    return steps


@pytest.fixture
def breakable(desktop: Steps) -> Iterator[Steps]:
    """The same, and what a test does to it is forgotten."""
    yield desktop
    desktop.practice.restore("vouched-desktop", "pc1", "id1")


def test_the_directorys_password_opens_the_desktop_and_its_own_opens_it_no_more(desktop: Steps) -> None:
    assert _changed(desktop, "provision", vouching=EVERYBODY) == []
    assert _changed(desktop, "provision", vouching=EVERYBODY, check=True) == []
    assert _changed(desktop, "verify", vouching=EVERYBODY) == []
    for person in ("user1", "user2"):
        assert _logs_in(desktop, person, _password(desktop, person))
        for wrong in (_password(desktop, person, OWN), "", "guess", "*"):
            assert not _logs_in(desktop, person, wrong), wrong


SESSION = """
said=$(echo '{password}' | timeout 30 xrdp-sesrun -c /etc/managed-desktop/sesman.ini -t Xorg -b 16 -F 0 {person} 2>&1)
for pid in $(pgrep -u {person} Xorg); do kill $pid; done
echo "$said" | grep -q display= && echo session || echo "$said"
"""


KEY = """
cd ~user2; install -d -o user2 -m 700 .ssh; ssh-keygen -q -t ed25519 -N '' -f /root/key
install -o user2 -m 600 /root/key.pub .ssh/authorized_keys
"""


def test_who_left_the_directory_opens_nothing_though_the_desktop_lists_them(breakable: Steps) -> None:
    """Neither over ssh, with a password or a key, nor by remote desktop, nor from a colleague's session."""
    desktop, right = breakable, _password(breakable, "user2")
    become = f"echo '{right}' | timeout 30 runuser -u user1 -- su -c 'id -un' user2 2>/dev/null || true"
    remote = SESSION.format(person="user2", password=right)
    assert desktop.on("pc1", become) == "user2\n"
    assert desktop.on("pc1", remote) == "session\n"
    desktop.on("pc1", KEY)
    offer = "ssh -i /root/key -o BatchMode=yes -o StrictHostKeyChecking=no user2@localhost id -un 2>&1 || true"
    desktop.succeed("identity", "provision", parameters=WITHOUT_USER2)
    assert not _logs_in(desktop, "user2", right)
    assert desktop.on("pc1", become) == ""
    assert desktop.on("pc1", remote) != "session\n"
    assert "Permission denied" in desktop.on("pc1", offer)
    assert _logs_in(desktop, "user1", _password(desktop, "user1"))
    assert _changed(desktop, "provision", vouching=WITHOUT_USER2) == []
    assert _changed(desktop, "verify", vouching=WITHOUT_USER2) == []
    assert "user2 cannot log in" in str(_desktop(desktop, "verify", vouching=EVERYBODY).error)


@pytest.mark.parametrize("stopped", ["systemctl stop", "systemctl kill --signal=STOP"])
def test_nobody_is_let_in_while_the_directory_does_not_answer(breakable: Steps, stopped: str) -> None:
    """It is gone, or takes connections and says nothing. The provider is still let in."""
    breakable.on("id1", f"{stopped} {UNIT}")
    assert _is_refused_soon(breakable, "user1", _password(breakable, "user1"))
    assert breakable.on("pc1", "id -un") == "root\n"
    assert "user1 cannot log in" in str(_desktop(breakable, "verify", vouching=EVERYBODY).error)


def test_a_directory_for_which_another_authority_vouches_is_not_believed(breakable: Steps) -> None:
    renewed = ("authority_key",)
    breakable.succeed("identity", "provision", renewed=renewed)
    assert not _logs_in(breakable, "user1", _password(breakable, "user1"))
    breakable.succeed("desktop", "provision", placement=PC, vouching=EVERYBODY, renewed=renewed)
    assert _logs_in(breakable, "user1", _password(breakable, "user1"))


ASK = "PAM_USER={who} python3 -I /usr/local/lib/managed-desktop/ask.py '/etc/managed-desktop/directory.json' && echo in"
HOSTILE = ["'user1)(uid=*'", "'*'", "'../user1'", "'user1,ou=people'", "''", "root", "$'user1\\n'"]


def test_names_that_are_more_than_names_are_nobodys(desktop: Steps) -> None:
    right = _password(desktop, "user1")
    ask = "\n".join(f"printf %s {right} | {ASK.format(who=who)}" for who in [*HOSTILE, "user1"])
    assert desktop.on("pc1", f"bash <<'END' 2>&1\n{ask}\nEND").splitlines() == ["in"]
    nothing = f": | {ASK.format(who='user1')} || echo out"
    assert desktop.on("pc1", nothing) == "out\n"


def test_a_login_that_asks_nobody_is_detected_and_repaired(breakable: Steps) -> None:
    breakable.on("pc1", "sed -i '/managed desktop/d; /pam_exec/d; /notingroup/d' /etc/pam.d/common-auth")
    assert "common-auth" in str(_desktop(breakable, "verify", vouching=EVERYBODY).error)
    found = _changed(breakable, "provision", vouching=EVERYBODY, check=True)
    assert found == ["pc1: Let nobody in whom it does not know"]
    assert _changed(breakable, "provision", vouching=EVERYBODY) == found
    assert _changed(breakable, "verify", vouching=EVERYBODY) == []


def test_without_a_directory_the_desktops_own_passwords_count_again(breakable: Steps) -> None:
    assert _changed(breakable, "provision") != []
    assert _changed(breakable, "provision") == []
    assert _changed(breakable, "verify") == []
    assert _logs_in(breakable, "user1", _password(breakable, "user1", OWN))
    assert not _logs_in(breakable, "user1", _password(breakable, "user1"))
    assert breakable.on("pc1", "grep -c pam_exec /etc/pam.d/common-auth || true") == "0\n"


def test_nothing_of_it_remains_on_a_desktop_that_is_retired(breakable: Steps) -> None:
    assert _changed(breakable, "retire") != []
    assert _changed(breakable, "retire") == []
    left = breakable.on("pc1", f"({AUTH}) 2>&1")
    assert left == breakable.on("pc1", "cat /root/before")


@pytest.fixture(scope="module")
def sessions(steps: Steps) -> Steps:
    """Two agencies have thin clients on one server. One has a directory, and the passwords of its sessions went."""

    def make() -> None:
        steps.same_time("network", "provision")
        steps.succeed("identity", "provision")
        steps.same_time("thin-client", "provision")
        assert steps.changed("thin-client", "provision", vouching=EVERYBODY) != []

    steps.practice.in_state("vouched-sessions", make)
    return steps


SESSIONS = """
manager=$(systemctl show --property=MainPID --value thin-client-sessions@{id})
said=$(echo '{password}' | timeout 60 nsenter --target=$manager --mount --net xrdp-sesrun \\
    -c /etc/thin-client/{id}/sesman.ini -t Xorg -b 16 -F 0 {id}-{person} 2>&1)
for pid in $(pgrep -u {id}-{person} Xorg); do kill $pid; done
echo "$said" | grep -q display= && echo session || echo "$said"
"""


def _gets_a_session(steps: Steps, person: str, password: str, tenant: Tenant = ALPHA) -> bool:
    return steps.on("thin1", SESSIONS.format(id=tenant.id, person=person, password=password)) == "session\n"


def test_sessions_ask_the_agencys_own_directory_if_it_has_one(sessions: Steps) -> None:
    for options in ({"vouching": EVERYBODY}, {"tenant": BRAVO}):
        assert sessions.changed("thin-client", "provision", **options) == []
        assert sessions.changed("thin-client", "provision", check=True, **options) == []
        assert sessions.changed("thin-client", "verify", **options) == []
    own = ("thin-client", "users_password")
    assert _gets_a_session(sessions, "user2", _password(sessions, "user2"))
    assert not _gets_a_session(sessions, "user2", _password(sessions, "user2", own))
    assert not _gets_a_session(sessions, "user1", _password(sessions, "user1"), BRAVO)
    hashes = sessions.on(
        "thin1", f"grep -h '^{ALPHA.id}-' /etc/shadow /etc/thin-client/{ALPHA.id}/shadow | cut -d: -f2"
    )
    assert set(hashes.split()) == {"*"}


def test_who_left_the_directory_gets_no_session_and_everybody_gets_one_of_their_own_again(sessions: Steps) -> None:
    sessions.succeed("identity", "provision", parameters=WITHOUT_USER2)
    assert not _gets_a_session(sessions, "user2", _password(sessions, "user2"))
    assert sessions.changed("thin-client", "provision", vouching=WITHOUT_USER2) == []
    assert sessions.changed("thin-client", "verify", vouching=WITHOUT_USER2) == []
    sessions.on("id1", f"systemctl kill --signal=STOP {UNIT}")
    began = time.monotonic()
    assert not _gets_a_session(sessions, "user1", _password(sessions, "user1"))
    assert time.monotonic() - began < SECONDS
    for tenant in BOTH:
        sessions.succeed("thin-client", "provision", tenant=tenant)
        sessions.succeed("thin-client", "verify", tenant=tenant)
    assert not _gets_a_session(sessions, "user1", _password(sessions, "user1"))
