"""The backup repositories of two agencies on a real recovery host: used by their writers, and by others."""

import json

from tests.playbooks.conftest import ALPHA, BRAVO, Steps, Tenant, secrets_of
from tests.playbooks.recovery.conftest import Drills

LEFT = """
find /etc /srv /var/lib/systemd /var/lib/recovery /var/lib/recovery-receipts -name '*{id}*'
grep -r {id} /etc/passwd /etc/group || true
systemctl list-units --all --plain --no-legend 'recovery-*@{id}*'
"""


def _restic(steps: Steps, *arguments: str, writer: Tenant = ALPHA, to: Tenant = ALPHA) -> tuple[int, str]:
    """What restic says on a component's host, to the repository of an agency, with the credentials of one."""
    told, way = secrets_of(to, "disaster-recovery", steps.source), steps.recovery(to, "service-desk")
    password = secrets_of(writer, "disaster-recovery", steps.source)["writer_password"]
    authority = steps.on("recover1", f"cat /etc/recovery/{to.id}/authority.pem")
    script = f"""
    cat > /root/authority.pem <<'END'\n{authority}END
    export RESTIC_PASSWORD='{told["repository_password"]}'
    export RESTIC_REPOSITORY='rest:https://{writer.id}:{password}@{way["address"]}:{way["port"]}/'
    restic --no-cache --cacert /root/authority.pem {" ".join(arguments)} </dev/null 2>&1
    """
    done = steps.try_on("desk1", script)
    return done.returncode, done.stdout


def test_what_was_made_stays_as_it_is_and_serves_its_writers(protected: Steps) -> None:
    for tenant in (ALPHA, BRAVO):
        for verb in ("precheck", "provision", "verify"):
            assert protected.changed("disaster-recovery", verb, tenant=tenant) == []
        assert protected.changed("disaster-recovery", "provision", tenant=tenant, check=True) == []


def test_what_stands_by_does_not_run(protected: Steps) -> None:
    assert protected.on("recover1", "pgrep -xl 'postgres|nginx|exim4|dnsmasq' || true") == ""
    assert protected.on("recover1", "systemctl is-enabled postgresql nginx exim4 || true").split() == ["disabled"] * 3


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
    code, said = _restic(drills.steps, "snapshots", writer=BRAVO, to=ALPHA)
    assert code != 0
    assert "401" in said
    stranger = "runuser -u recovery-{} -- ls /srv/recovery/{}/repository"
    assert drills.steps.try_on("recover1", stranger.format(BRAVO.id, ALPHA.id)).returncode != 0


def test_nobody_is_trusted_who_cannot_prove_to_be_the_repository(drills: Drills) -> None:
    """Bravo's authority has not signed Alpha's repository."""
    way = drills.steps.recovery(ALPHA, "service-desk")
    authority = drills.steps.on("recover1", f"cat /etc/recovery/{BRAVO.id}/authority.pem")
    ask = (
        f"cat > /root/other.pem <<'END'\n{authority}END\nopenssl s_client -verify_return_error -CAfile /root/other.pem"
    )
    done = drills.steps.try_on("desk1", f"{ask} -connect {way['address']}:{way['port']} </dev/null")
    assert done.returncode != 0


def test_retention_forgets_locally_and_keeps_the_last_of_each_day(drills: Drills) -> None:
    """Of four backups of a day long ago, which this host received that day, as far as it can tell."""
    steps, day = drills.steps, "2026-11-03"
    steps.succeed("service-desk", "backup")
    folder = f"/srv/recovery/{ALPHA.id}/repository/snapshots"
    for hour in range(1, 5):
        steps.on("recover1", "touch /root/before")
        plant = f"backup --time '{day} 0{hour}:00:00' --tag service-desk --host desk1 /etc/hostname"
        assert _restic(steps, plant)[0] == 0
        received = f"touch --date '{day}T0{hour}:05:00Z'"
        steps.on("recover1", f"find {folder} -type f -newer /root/before -exec {received} {{}} +")
    recent = _listed(steps, "service-desk") - 4
    others = [_listed(steps, tag) for tag in ("network", "desktop")]
    steps.on("recover1", f"systemctl start recovery-retention@{ALPHA.id}.service")
    _, listed = _restic(steps, "snapshots", "--compact", "--tag", "service-desk")
    assert [line.split()[2] for line in listed.splitlines() if day in line] == ["04:00:00"], listed
    assert _listed(steps, "service-desk") == recent + 1
    assert [_listed(steps, tag) for tag in ("network", "desktop")] == others
    # What is left can be written to and checked as before.
    steps.succeed("disaster-recovery", "verify")


def _listed(steps: Steps, tag: str) -> int:
    """How many backups there are of a component."""
    code, listed = _restic(steps, "snapshots", "--json", "--tag", tag)
    assert code == 0, listed
    return len(json.loads(listed))


def test_backups_from_the_future_push_out_none_that_is_real(drills: Drills) -> None:
    """As somebody does who has taken the desk's host over and has its credentials."""
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
    real = [line.split()[0] for line in before.splitlines() if line.endswith(("desk", "network", "desktop"))]
    assert {one for one in real if one not in after} == set()
    assert after.count('"2031-01-') == 22
    assert "claims to be of 2031-01-01" in str(steps.run("disaster-recovery", "verify").error)
    chosen = drills.pin(60, "service-desk")["chosen"]
    drills.ask("cleanup", drill=60)
    assert chosen[:8] in real, "a drill rehearses with the newest that is real"


def test_a_key_that_was_added_is_noticed_before_it_is_used(drills: Drills) -> None:
    steps = drills.steps
    add = "key add --new-password-file /root/new-password"
    steps.on("desk1", "echo another > /root/new-password")
    code, said = _restic(steps, add)
    assert code == 0, said
    asked = {"agency": ALPHA.id, "component": "desktop", "password": drills.password}
    told = drills.ask("pin", drill=61, lease_seconds=60, fails=True, **asked)
    assert "keys that it was not made with" in told["error"]
    drills.ask("cleanup", drill=61)
    assert steps.try_on("recover1", f"systemctl start recovery-retention@{ALPHA.id}.service").returncode != 0
    assert "keys that it was not made with" in str(steps.run("disaster-recovery", "verify").error)


def _by_hand(steps: Steps, command: str) -> str:
    """What docs/recovery.md says to do with held backups: as root on the recovery host, the password in a file."""
    password = secrets_of(ALPHA, "disaster-recovery", steps.source)["repository_password"]
    restic = f"restic --no-cache --no-lock --repo /srv/recovery/{ALPHA.id}/repository --password-file /dev/shm/password"
    return steps.on(
        "recover1",
        f"umask 077; printf '%s\\n' '{password}' > /dev/shm/password; cd /; {restic} {command}; rm /dev/shm/password",
    )


def test_backups_of_an_agency_that_left_are_held_and_nobody_can_add_to_them(drills: Drills) -> None:
    steps = drills.steps
    steps.practice.restore("protected")
    known = steps.on("recover1", f"cat /etc/recovery/{ALPHA.id}/keys")
    steps.succeed("disaster-recovery", "retire")
    assert steps.changed("disaster-recovery", "retire") == []
    assert steps.on("recover1", f"ss -ltnH sport = :{9000 + ALPHA.number}") == ""
    assert steps.on("recover1", f"systemctl list-units --plain --no-legend 'recovery-*@{ALPHA.id}*'") == ""
    assert steps.on("recover1", f"ls -A /etc/recovery/{ALPHA.id}").split() == ["keys"], "nothing there opens them"
    steps.succeed("disaster-recovery", "verify", tenant=BRAVO)
    told = json.loads(_by_hand(steps, "snapshots --json"))
    assert {tag for snapshot in told for tag in snapshot["tags"]} >= {"service-desk", "network", "desktop"}
    said = _by_hand(steps, "restore latest --tag network --target /root/by-hand")
    assert "Summary" in said or "restor" in said
    assert ALPHA.id in steps.on("recover1", "find /root/by-hand -type f")
    # The agency comes back: its repository serves again, and holds what it held.
    steps.succeed("disaster-recovery", "provision")
    steps.succeed("disaster-recovery", "verify")
    assert known == steps.on("recover1", f"cat /etc/recovery/{ALPHA.id}/keys")
    code, listed = _restic(steps, "snapshots", "--json")
    assert code == 0, listed
    assert {snapshot["id"] for snapshot in told} <= {snapshot["id"] for snapshot in json.loads(listed)}
    steps.succeed("service-desk", "backup")


def test_nothing_of_an_agency_whose_backups_are_destroyed_remains_and_its_neighbour_stays(protected: Steps) -> None:
    protected.practice.restore("protected")
    protected.succeed("disaster-recovery", "retire", tenant=BRAVO)
    destroy = {"tenant": BRAVO, "more": {"hold": False}}
    assert protected.changed("disaster-recovery", "retire", **destroy) != []
    assert protected.changed("disaster-recovery", "retire", **destroy) == []
    assert protected.on("recover1", LEFT.replace("{id}", BRAVO.id)) == ""
    protected.succeed("disaster-recovery", "verify")
    protected.succeed("disaster-recovery", "provision", tenant=BRAVO)
    protected.succeed("disaster-recovery", "verify", tenant=BRAVO)
