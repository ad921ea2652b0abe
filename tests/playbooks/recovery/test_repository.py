"""The backup repositories of two agencies on a real recovery host: used by their writers, and by others."""

import json
from typing import Any

import pytest

from orchestrator.domain.runs.assignment import of_writer, writer_of
from playbooks.filter_plugins.credentials import htpasswd
from tests.playbooks.conftest import ALPHA, BRAVO, Steps, Tenant, secrets_of
from tests.playbooks.recovery.conftest import Drills

LEFT = """
find /etc /srv /var/lib/systemd /var/lib/recovery /var/lib/recovery-receipts -name '*{id}*'
grep -r {id} /etc/passwd /etc/group || true
systemctl list-units --all --plain --no-legend 'recovery-*@{id}*'
"""


Place = tuple[Tenant, str, str]
"""An agency, a component and a host of it: who writes backups, and the repository of their own."""
DESK: Place = (ALPHA, "service-desk", "desk1")
DESKTOP: Place = (ALPHA, "desktop", "pc1")
NETWORK: Place = (ALPHA, "network", "gw1")


def _restic(
    steps: Steps,
    *arguments: str,
    writer: Place = DESK,
    to: Place = DESK,
    password: Place | None = None,
    known: dict[str, str] | None = None,
) -> tuple[int, str]:
    """What restic says on a writer's host, to a repository, let in as that writer, with the password for the contents
    of the repository, or of another; or by credentials that are `known`."""
    way, opens = steps.recovery(to[0], to[1]), known or steps.writer(*(password or to))
    known = known or steps.writer(*writer)
    authority = steps.on("recover1", f"cat /etc/recovery/{to[0].id}/authority.pem")
    let_in, place = f"{known['name']}:{known['writer_password']}", steps.writer(*to)["name"]
    script = f"""
    cat > /root/authority.pem <<'END'\n{authority}END
    export RESTIC_PASSWORD='{opens["repository_password"]}'
    export RESTIC_REPOSITORY='rest:https://{let_in}@{way["address"]}:{way["port"]}/{place}/'
    timeout 60 restic --no-cache --cacert /root/authority.pem {" ".join(arguments)} </dev/null 2>&1
    """
    done = steps.try_on(writer[2], script)
    return done.returncode, done.stdout


def test_provisioning_again_changes_nothing_and_verification_passes(protected: Steps) -> None:
    for tenant in (ALPHA, BRAVO):
        for verb in ("precheck", "provision", "verify"):
            assert protected.changed("disaster-recovery", verb, tenant=tenant) == []
        assert protected.changed("disaster-recovery", "provision", tenant=tenant, check=True) == []


def test_standby_services_do_not_run(protected: Steps) -> None:
    assert protected.on("recover1", "pgrep -xl 'postgres|nginx|exim4|dnsmasq|slapd' || true") == ""
    assert (
        protected.on("recover1", "systemctl is-enabled postgresql nginx exim4 slapd || true").split()
        == ["disabled"] * 4
    )


def test_a_writer_can_remove_no_backup(drills: Drills) -> None:
    code, listed = _restic(drills.steps, "snapshots", "--json")
    assert code == 0, listed
    code, said = _restic(
        drills.steps, "forget", "--tag", "service-desk", "--keep-last", "1", "--prune", "--keep-tag", "x"
    )
    code, said = _restic(drills.steps, "forget", "latest")
    assert code != 0, said
    assert "403" in said or "unable to remove" in said
    assert _restic(drills.steps, "snapshots", "--json") == (0, listed)


def test_a_writer_of_another_agency_is_refused(drills: Drills) -> None:
    drills.steps.succeed("service-desk", "backup", tenant=BRAVO)
    own = (BRAVO, "service-desk", "desk1")
    assert _restic(drills.steps, "snapshots", writer=own, to=own)[0] == 0
    code, said = _restic(drills.steps, "snapshots", writer=own, to=DESK)
    assert code != 0
    assert "401" in said
    stranger = "runuser -u recovery-{} -- ls /srv/recovery/{}/repositories"
    assert drills.steps.try_on("recover1", stranger.format(BRAVO.id, ALPHA.id)).returncode != 0


@pytest.mark.parametrize("writer", [DESKTOP, NETWORK])
def test_a_writer_reaches_only_its_own_repository(drills: Drills, writer: Place) -> None:
    """As root on a desktop, with the desktop's credentials; here even with the password of the desk's repository."""
    steps = drills.steps
    assert _restic(steps, "snapshots", writer=writer, to=writer)[0] == 0
    for words in ("snapshots", "backup /etc/hostname", "restore latest --target /root/stolen", "init"):
        code, said = _restic(steps, words, writer=writer, to=DESK)
        assert code != 0, said
        assert "403" in said, said
    code, said = _restic(steps, "snapshots", password=writer)
    assert code != 0
    assert "wrong password" in said


WAYS = ("", "/", "OWN/../", "OWN/%2e%2e/", "OWN%2f..%2f", "./", "OWN/../OWN/../", "OWN//../")
"""How a path may begin that is to lead out of a writer's own repository."""
ASK = """
import base64, http.client, json, ssl, sys
told = json.load(sys.stdin)
trust = ssl._create_unverified_context()
proof = base64.b64encode(f"{told['name']}:{told['writer_password']}".encode()).decode()
answers = []
for method, path in told["requests"]:
    connection = http.client.HTTPSConnection(told["address"], told["port"], timeout=30, context=trust)
    connection.request(method, path, headers={"Authorization": f"Basic {proof}", "Content-Length": "0"})
    answer = connection.getresponse()
    answers.append([answer.status, answer.read().decode(errors="replace")])
    connection.close()
print(json.dumps(answers))
"""
"""Asks for paths as they are, which restic would never do."""


def test_no_path_leads_into_another_repository(drills: Drills) -> None:
    own, theirs = drills.steps.writer(*DESKTOP)["name"], drills.steps.writer(*DESK)["name"]
    parts = ("", "config", "keys/", "snapshots/", "config?create=true")
    places = ["/", "/?create=true"] + [f"/{way.replace('OWN', own)}{theirs}/{part}" for way in WAYS for part in parts]
    requests = [(method, place) for method in ("GET", "HEAD", "POST", "DELETE") for place in places]
    for (method, place), (status, text) in zip(requests, _asked(drills.steps, DESKTOP, requests), strict=True):
        # 301 leads to the same without detours, which is among what is asked here.
        assert status in {301, 400, 403, 404, 405}, (method, place, status, text)
    for place in (DESK, DESKTOP):
        told = _asked(drills.steps, place, [("GET", f"/{drills.steps.writer(*place)['name']}/config")])
        assert [status for status, _ in told] == [200]


def _asked(steps: Steps, place: Place, requests: list[tuple[str, str]]) -> list[tuple[int, str]]:
    """What the service answers a writer on its host."""
    told = {**steps.recovery(*place[:2]), **steps.writer(*place), "requests": requests}
    script = f"cat > /root/ask.py <<'END'\n{ASK}END\npython3 /root/ask.py <<'END'\n{json.dumps(told)}\nEND\n"
    return [(status, text) for status, text in json.loads(steps.on(place[2], script))]


def test_no_host_has_the_credentials_of_a_writer(drills: Drills) -> None:
    """The recovery host can open the repositories, but has neither writers' credentials nor the secrets behind both."""
    steps, kept = drills.steps, secrets_of(ALPHA, "disaster-recovery", drills.steps.source)
    look = "grep -rslF -e {} /etc /root /var/lib /var/backups /var/log /srv /usr/local /tmp /var/tmp || true"
    names = ("writer_password", "repository_password")
    for host in ("desk1", "pc1", "recover1"):
        for one in (DESK, DESKTOP):
            found = {name: steps.on(host, look.format(steps.writer(*one)[name])).split() for name in names}
            wanted = [f"/etc/recovery/{ALPHA.id}/writers"] if host == "recover1" else []
            assert found == {"writer_password": [], "repository_password": wanted}, (host, one[1:])
        assert [steps.on(host, look.format(kept[name])) for name in names] == ["", ""], host


def test_a_server_that_cannot_prove_to_be_the_repository_is_not_trusted(drills: Drills) -> None:
    """Bravo's authority has not signed Alpha's repository."""
    way = drills.steps.recovery(ALPHA, "service-desk")
    authority = drills.steps.on("recover1", f"cat /etc/recovery/{BRAVO.id}/authority.pem")
    ask = (
        f"cat > /root/other.pem <<'END'\n{authority}END\nopenssl s_client -verify_return_error -CAfile /root/other.pem"
    )
    done = drills.steps.try_on("desk1", f"{ask} -connect {way['address']}:{way['port']} </dev/null")
    assert done.returncode != 0


def test_retention_forgets_locally_and_keeps_the_last_of_each_day(drills: Drills) -> None:
    """Of four backups from a day long ago; as far as this host can tell, it received them on that day."""
    steps, day = drills.steps, "2026-11-03"
    steps.succeed("service-desk", "backup")
    folder = f"/srv/recovery/{ALPHA.id}/repositories/service-desk.desk1/snapshots"
    for hour in range(1, 5):
        steps.on("recover1", "touch /root/before")
        plant = f"backup --time '{day} 0{hour}:00:00' --tag service-desk --host desk1 /etc/hostname"
        assert _restic(steps, plant)[0] == 0
        received = f"touch --date '{day}T0{hour}:05:00Z'"
        steps.on("recover1", f"find {folder} -type f -newer /root/before -exec {received} {{}} +")
    recent = _listed(steps, DESK) - 4
    others = [_listed(steps, place) for place in (DESKTOP, NETWORK)]
    steps.on("recover1", f"systemctl start recovery-retention@{ALPHA.id}.service")
    _, listed = _restic(steps, "snapshots", "--compact", "--tag", "service-desk")
    assert [line.split()[2] for line in listed.splitlines() if day in line] == ["04:00:00"], listed
    assert _listed(steps, DESK) == recent + 1
    assert [_listed(steps, place) for place in (DESKTOP, NETWORK)] == others
    # What is left can be written to and checked as before.
    steps.succeed("disaster-recovery", "verify")


def _listed(steps: Steps, place: Place) -> int:
    """How many backups there are of a component on a host."""
    code, listed = _restic(steps, "snapshots", "--json", writer=place, to=place)
    assert code == 0, listed
    return len(json.loads(listed))


def test_backups_from_the_future_displace_no_real_backup(drills: Drills) -> None:
    """As somebody would do who has taken over the desk's host and has its credentials."""
    steps = drills.steps
    retention = f"recovery-retention@{ALPHA.id}.service"
    _, before = _restic(steps, "snapshots", "--compact")
    assert "service-desk" in before
    for day in range(1, 23):
        plant = f"backup --time '2031-01-{day:02} 03:00:00' --tag service-desk --host desk1 /etc/hostname"
        assert _restic(steps, plant)[0] == 0
    assert steps.try_on("recover1", f"systemctl start {retention}").returncode != 0
    said = steps.on("recover1", f"journalctl --unit {retention} --output cat")
    assert "claims to be of 2031-01-22" in said
    _, after = _restic(steps, "snapshots", "--json")
    real = [line.split()[0] for line in before.splitlines() if line.endswith("desk")]
    assert {one for one in real if one not in after} == set()
    assert after.count('"2031-01-') == 22
    assert "claims to be of 2031-01-01" in str(steps.run("disaster-recovery", "verify").error)
    chosen = drills.pin(60, "service-desk")["chosen"]
    drills.ask("cleanup", drill=60)
    assert chosen[:8] in real, "a drill rehearses with the newest that is real"


def test_an_added_key_is_detected_before_it_is_used(drills: Drills) -> None:
    steps = drills.steps
    add = "key add --new-password-file /root/new-password"
    steps.on("desk1", "echo another > /root/new-password")
    code, said = _restic(steps, add)
    assert code == 0, said
    asked = {"agency": ALPHA.id, "component": "service-desk", **drills.access("service-desk")}
    told = drills.ask("pin", drill=61, lease_seconds=60, fails=True, **asked)
    assert "keys that it was not made with" in told["error"]
    drills.ask("cleanup", drill=61)
    drills.pin(61, "desktop")
    drills.ask("cleanup", drill=61)  # nobody else's are touched by it
    assert steps.try_on("recover1", f"systemctl start recovery-retention@{ALPHA.id}.service").returncode != 0
    assert "keys that it was not made with" in str(steps.run("disaster-recovery", "verify").error)


def test_a_writer_gets_new_credentials_and_the_old_ones_stop_working(protected: Steps) -> None:
    """The second time, after an interrupted try that had already added the new key."""
    steps, writer = protected, protected.writer(*DESK)
    steps.practice.restore("protected", "recover1")
    _, before = _restic(steps, "snapshots", "--compact")
    assert "service-desk" in before
    renewed = [writer_of(*DESK[1:], {name: f"{n} new {name}" for name in SECRETS}) for n in ("first", "second")]
    _admit(steps, renewed[0])
    add = "key add --new-password-file /root/new"
    place = f"/srv/recovery/{ALPHA.id}/repositories/{writer['name']}"
    interrupted = f"RESTIC_PASSWORD={renewed[0]['repository_password']} restic --no-cache --repo {place} {add}"
    as_user = f"runuser -u recovery-{ALPHA.id} -- env {interrupted}"
    steps.on("recover1", f"cd /; echo {renewed[1]['repository_password']} >/root/new; chmod 755 /root; {as_user}")
    assert _admit(steps, renewed[1]) == {"changed": True}
    assert _admit(steps, renewed[1]) == {"changed": False}
    _, after = _restic(steps, "snapshots", "--compact", known=renewed[1])
    assert [line for line in before.splitlines() if "desk1" in line] == [
        line for line in after.splitlines() if "desk1" in line
    ]
    for known in (writer, renewed[0]):
        assert "401" in _restic(steps, "snapshots", known=known)[1]
        stale = {**renewed[1], "repository_password": known["repository_password"]}
        assert "wrong password" in _restic(steps, "snapshots", known=stale)[1]
    assert len(steps.on("recover1", f"ls {place}/keys").split()) == 1
    assert steps.on("recover1", f"find {place} ! -user recovery-{ALPHA.id}") == ""
    steps.on("recover1", f"systemctl start recovery-retention@{ALPHA.id}.service")
    steps.succeed("disaster-recovery", "verify")
    asked = {"agency": ALPHA.id, "component": "service-desk", "host": "desk1"}
    drills = Drills(steps)
    drills.ask("pin", drill=63, password=renewed[1]["repository_password"], **asked)
    drills.ask("cleanup", drill=63)


def test_a_key_that_somebody_added_is_not_silently_rotated_away(protected: Steps) -> None:
    steps = protected
    steps.practice.restore("protected", "recover1")
    steps.on("desk1", "echo another > /root/new-password")
    assert _restic(steps, "key add --new-password-file /root/new-password")[0] == 0
    told = _admit(steps, writer_of(*DESK[1:], dict.fromkeys(SECRETS, "a new secret")))
    assert "keys that it was not made with" in told["error"]
    assert _restic(steps, "snapshots")[0] == 0


SECRETS = ("writer_password", "repository_password")


def _admit(steps: Steps, writer: dict[str, str]) -> dict[str, Any]:
    """What the recovery host answers that is told of a writer."""
    entry = htpasswd(writer["name"], writer["writer_password"])
    asked = {"agency": ALPHA.id, "writer": writer["name"], "password": writer["repository_password"], "entry": entry}
    done = steps.try_on("recover1", f"/usr/local/lib/recovery/admit <<'END'\n{json.dumps(asked)}\nEND\n")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


OLD = """
set -e; cd /; store=/srv/recovery/{id}; settings=/etc/recovery/{id}; user=recovery-{id}
export RESTIC_PASSWORD='{password}'
old() { runuser -u $user -- env RESTIC_PASSWORD="$RESTIC_PASSWORD" restic --no-cache --repo $store/repository "$@"; }
exec >/dev/null
old init
for n in 1 2 3; do old backup --tag service-desk --host desk1 /etc/hostname; done
printf '%s\\n' "$RESTIC_PASSWORD" >$settings/password
ls $store/repository/keys >$settings/keys
echo '{id}:x' >$settings/htpasswd
"""


def test_backups_from_when_hosts_shared_a_repository_are_kept(protected: Steps) -> None:
    """One repository, one writer and one password for all of an agency, as an earlier version made them."""
    steps, id_ = protected, ALPHA.id
    steps.practice.restore("protected", "recover1")
    steps.on("recover1", OLD.replace("{id}", id_).replace("{password}", "the old password"))
    steps.succeed("service-desk", "backup")
    steps.succeed("disaster-recovery", "verify")
    steps.on("recover1", f"systemctl start recovery-retention@{id_}.service")
    look = f"RESTIC_PASSWORD='the old password' restic --no-cache --repo /srv/recovery/{id_}/repositories/{id_}"
    assert len(json.loads(steps.on("recover1", f"cd /; {look} snapshots --no-lock --json"))) == 3
    assert "repository" not in steps.on("recover1", f"ls /srv/recovery/{id_}").split()
    settings = ["address", "authority.pem", "retention", "server.key", "server.pem", "writers"]
    assert steps.on("recover1", f"ls /etc/recovery/{id_}").split() == settings
    assert id_ not in steps.on("recover1", f"cut -d: -f1 /srv/recovery/{id_}/users").split()
    assert steps.changed("disaster-recovery", "provision") == []
    steps.succeed("service-desk", "backup")
    Drills(steps).pin(62, "service-desk")
    Drills(steps).ask("cleanup", drill=62)


def _by_hand(steps: Steps, command: str) -> str:
    """What docs/recovery.md says to do with held backups: as root on the recovery host, the password in a file."""
    secret = secrets_of(ALPHA, "disaster-recovery", steps.source)["repository_password"]
    password = of_writer("network", "gw1", secret)
    place = f"/srv/recovery/{ALPHA.id}/repositories/network.gw1"
    restic = f"restic --no-cache --no-lock --repo {place} --password-file /dev/shm/password"
    return steps.on(
        "recover1",
        f"umask 077; printf '%s\\n' '{password}' > /dev/shm/password; cd /; {restic} {command}; rm /dev/shm/password",
    )


def _writers(steps: Steps) -> dict[str, Any]:
    """What the recovery host keeps of those who write."""
    told: dict[str, Any] = json.loads(steps.on("recover1", f"cat /etc/recovery/{ALPHA.id}/writers"))
    return told


def test_backups_of_an_agency_that_left_are_held_and_nobody_can_add_to_them(drills: Drills) -> None:
    steps = drills.steps
    steps.practice.restore("protected", "recover1")
    known = _writers(steps)
    assert {"network.gw1", "service-desk.desk1", "desktop.pc1"} <= known.keys()
    steps.succeed("disaster-recovery", "retire")
    assert steps.changed("disaster-recovery", "retire") == []
    assert steps.on("recover1", f"ss -ltnH sport = :{9000 + ALPHA.number}") == ""
    assert steps.on("recover1", f"systemctl list-units --plain --no-legend 'recovery-*@{ALPHA.id}*'") == ""
    assert steps.on("recover1", f"ls -A /etc/recovery/{ALPHA.id}").split() == ["writers"]
    held = _writers(steps)
    assert all((one["password"], one["entry"]) == ("", "") for one in held.values()), "nothing there opens them"
    assert steps.on("recover1", f"cat /srv/recovery/{ALPHA.id}/users") == ""
    steps.succeed("disaster-recovery", "verify", tenant=BRAVO)
    told = json.loads(_by_hand(steps, "snapshots --json"))
    assert {tag for snapshot in told for tag in snapshot["tags"]} == {"network"}
    _by_hand(steps, "restore latest --target /root/by-hand")
    assert ALPHA.id in steps.on("recover1", "find /root/by-hand -type f")
    # The agency comes back: each repository serves again when its writer comes, with the keys it was made with.
    steps.succeed("disaster-recovery", "provision")
    steps.succeed("disaster-recovery", "verify")
    steps.on("recover1", f"systemctl start recovery-retention@{ALPHA.id}.service")
    steps.succeed("network", "backup")
    again = _writers(steps)
    assert again["network.gw1"]["keys"] == known["network.gw1"]["keys"]
    assert again["network.gw1"]["password"] == known["network.gw1"]["password"]
    assert again["service-desk.desk1"]["password"] == "", "its writer has not come yet"
    assert len(json.loads(_by_hand(steps, "snapshots --json"))) == len(told) + 1
    steps.succeed("service-desk", "backup")


def test_destroying_an_agencys_backups_leaves_nothing_of_it_and_all_of_its_neighbour(protected: Steps) -> None:
    protected.practice.restore("protected", "recover1")
    protected.succeed("disaster-recovery", "retire", tenant=BRAVO)
    destroy = {"tenant": BRAVO, "more": {"hold": False}}
    assert protected.changed("disaster-recovery", "retire", **destroy) != []
    assert protected.changed("disaster-recovery", "retire", **destroy) == []
    assert protected.on("recover1", LEFT.replace("{id}", BRAVO.id)) == ""
    protected.succeed("disaster-recovery", "verify")
    protected.succeed("disaster-recovery", "provision", tenant=BRAVO)
    protected.succeed("disaster-recovery", "verify", tenant=BRAVO)
