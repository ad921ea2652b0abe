"""The data of components: backed up, lost, and restored in place."""

import base64
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from orchestrator.domain.runs.run import StepState
from tests.playbooks.conftest import ALPHA, BRAVO, Steps, Tenant, run_in_rt
from tests.playbooks.grounds import NETWORKS
from tests.playbooks.recovery.conftest import HOSTS, PLACEMENTS, Drills, sql

UNPACK = """
set -e; cd /; export RESTIC_PASSWORD='{password}' RESTIC_REPOSITORY=/srv/recovery/{id}/repositories/service-desk.desk1
rm -rf /root/unpacked
restic --no-cache restore --no-lock latest --tag service-desk --target /root/unpacked >/dev/null
"""
QUEUE = f"(select id from queues where name = '{ALPHA.id}')"


def _facts(steps: Steps, tenant: Tenant) -> dict[str, Any]:
    """The digests of an agency's rows by table, as its backup would have them."""
    return _inspected(steps, tenant)["tables"]  # type: ignore[no-any-return]


def _inspected(steps: Steps, tenant: Tenant) -> Any:
    program = "/usr/local/lib/service-desk/recovery/desk.py"
    return json.loads(steps.on("desk1", f"cd /; runuser -u www-data -- {program} inspect / {tenant.id}"))


def _tickets(steps: Steps) -> None:
    """The agency's tickets go, with all that was written, and somebody breaks an agent's password."""
    sql(
        steps,
        f"delete from transactions where objecttype = 'RT::Ticket' "
        f"and objectid in (select id from tickets where queue in {QUEUE})",
        f"delete from tickets where queue in {QUEUE}",
        f"update users set password = 'x' where name like '{ALPHA.id}.%'",
    )


def _whole_queue(steps: Steps) -> None:
    """The agency leaves, as far as the desk knows, and one of its people comes back as another user of another's."""
    steps.succeed("service-desk", "retire")
    run_in_rt(
        steps,
        f"my $t = RT::Ticket->new($all); $t->Create(Queue => '{BRAVO.id}', Subject => 'New', "
        f"Requestor => 'jane@{ALPHA.id}.example');",
    )


@pytest.mark.parametrize("damage", [_tickets, _whole_queue])
def test_a_desk_gets_back_what_one_agency_lost_without_affecting_others(
    drills: Drills, damage: Callable[[Steps], None]
) -> None:
    steps = drills.steps
    steps.succeed("service-desk", "backup")
    subjects = "select count(*), min(subject) from tickets where queue in " + QUEUE
    before = sql(steps, subjects)
    damage(steps)
    assert sql(steps, subjects) != before
    others = _facts(steps, BRAVO)
    steps.succeed("service-desk", "restore")
    assert sql(steps, subjects) == before
    assert _inspected(steps, ALPHA)["invariants"] == {"passed": True, "detail": "9 rules hold"}
    restored = _facts(steps, ALPHA)
    steps.succeed("service-desk", "restore")
    assert _facts(steps, ALPHA) == restored
    assert _facts(steps, BRAVO) == others
    steps.succeed("service-desk", "verify")
    steps.succeed("service-desk", "verify", tenant=BRAVO)
    assert steps.changed("service-desk", "provision") == []


def test_a_rebuilt_desk_is_restored_agency_by_agency(drills: Drills) -> None:
    steps = drills.steps
    for tenant in (ALPHA, BRAVO):
        steps.succeed("service-desk", "backup", tenant=tenant)
    before = [_facts(steps, tenant) for tenant in (ALPHA, BRAVO)]
    authority = steps.on("desk1", "cat /etc/service-desk/tls/ca.pem")
    steps.on("desk1", "systemctl stop service-desk; rm /var/lib/service-desk/ready; rm -r /etc/service-desk")
    for tenant in (BRAVO, ALPHA):
        steps.succeed("service-desk", "restore", tenant=tenant)
    assert steps.on("desk1", "cat /etc/service-desk/tls/ca.pem") == authority
    for tenant, was in zip((ALPHA, BRAVO), before, strict=True):
        now = _facts(steps, tenant)
        for table in ("tickets", "transactions", "attachments"):  # all of these rows are the agency's own
            assert now[table] == was[table], table
        assert steps.changed("service-desk", "provision", tenant=tenant) == []
        steps.succeed("service-desk", "verify", tenant=tenant)


def test_a_backup_contains_nothing_of_another_agency(drills: Drills) -> None:
    steps = drills.steps
    script = UNPACK.format(password=drills.access("service-desk")["password"], id=ALPHA.id)
    count = "cd /root/unpacked; grep -rlE 'Secret of {}|{}' . | wc -l"
    assert int(steps.on("recover1", script + count.format(ALPHA.id, ALPHA.id))) > 3
    assert steps.on("recover1", count.format(BRAVO.id, BRAVO.id)).strip() == "0"
    steps.on("recover1", "rm -r /root/unpacked")


def test_nothing_of_a_backup_stays_on_the_host(drills: Drills) -> None:
    leftovers = (
        "find /var/backups/recovery /var/tmp /root/.cache -type f 2>/dev/null; ls /tmp | grep -v systemd || true"
    )
    for host in HOSTS.values():
        assert drills.steps.on(host, leftovers) == "", host


def test_a_network_gets_its_leases_and_keys_back(drills: Drills) -> None:
    steps, id_, number = drills.steps, ALPHA.id, ALPHA.number
    lease = f"4102444800 02:00:00:00:00:01 {NETWORKS}.{number}.77 printer *"
    leases, keys = f"/var/lib/agency-network/{id_}.leases", f"/etc/wireguard/vpn{number}.conf"
    steps.on("gw1", f"echo '{lease}' >> {leases}; systemctl restart agency-dns@{id_}")
    steps.succeed("network", "backup")
    before = steps.on("gw1", f"cat {keys}")
    steps.on("gw1", f"rm -r {leases} {keys} /etc/agency-network/{id_}; nft delete table inet agency{number}")
    steps.succeed("network", "restore")
    assert steps.on("gw1", f"cat {keys}") == before
    assert lease in steps.on("gw1", f"cat {leases}")
    steps.succeed("network", "restore")
    steps.succeed("network", "verify")


def test_people_get_their_homes_back_with_all_attributes_of_files(drills: Drills) -> None:
    steps, placement = drills.steps, PLACEMENTS["desktop"]
    steps.on(
        "pc1",
        "cd /home/user1; mkdir -p Work; echo plan > Work/plan; chmod 640 Work/plan; ln -s plan Work/link;"
        'python3 -c \'import os; os.setxattr("Work/plan", "user.colour", b"red")\'; chown -R user1: Work',
    )
    look = (
        "cd /home/user1; stat -c '%n %A %U %G %Y' Work Work/plan Work/link; readlink Work/link; cat Work/plan;"
        'python3 -c \'import os; print(os.getxattr("Work/plan", "user.colour"))\''
    )
    before = steps.on("pc1", look)
    steps.succeed("desktop", "backup", placement=placement)
    steps.on("pc1", "rm -r /home/user1/Work; userdel --remove user2")
    steps.succeed("desktop", "restore", placement=placement)
    assert steps.on("pc1", look) == before
    assert steps.on("pc1", "stat -c %U /home/user2").strip() == "user2"
    steps.succeed("desktop", "restore", placement=placement)
    steps.succeed("desktop", "verify", placement=placement)


DIRECTORY = "/var/lib/private/agency-directory"
SHOWN = "slapcat -f /etc/agency-directory/{}/slapd.conf"
LOST = [
    f"systemctl stop agency-directory@{ALPHA.id}; rm -r {DIRECTORY}/{ALPHA.id}",
    f"systemctl stop agency-directory@{ALPHA.id}; rm -r {DIRECTORY}/{ALPHA.id}/* /etc/agency-directory/{ALPHA.id}",
    f"systemctl stop agency-directory@{ALPHA.id}; echo damaged > {DIRECTORY}/{ALPHA.id}/data.mdb",
]


@pytest.mark.parametrize("damage", LOST)
def test_a_directory_gets_back_what_one_agency_lost_without_affecting_others(drills: Drills, damage: str) -> None:
    steps = drills.steps
    steps.succeed("identity", "backup")
    own, others = (steps.on("id1", SHOWN.format(tenant.id)) for tenant in (ALPHA, BRAVO))
    assert f"uid=user1,ou=people,o={ALPHA.id}" in own
    steps.on("id1", damage)
    for _ in range(2):
        steps.succeed("identity", "restore")
        assert [steps.on("id1", SHOWN.format(tenant.id)) for tenant in (ALPHA, BRAVO)] == [own, others]
    for tenant in (ALPHA, BRAVO):
        steps.succeed("identity", "verify", tenant=tenant)
    assert steps.changed("identity", "provision") == []


def test_a_directory_whose_agency_came_back_has_its_numbers_back(drills: Drills) -> None:
    steps, find = drills.steps, f"{SHOWN.format(ALPHA.id)} | grep -E '^(uidNumber|entryUUID)'"
    renamed = {"people": [{"name": name, "full_name": name} for name in ("zoe", "user1", "user2")]}
    before = steps.on("id1", find)
    steps.succeed("identity", "backup")
    steps.succeed("identity", "retire")
    steps.succeed("identity", "provision", parameters=renamed)
    assert steps.on("id1", find) != before
    steps.succeed("identity", "restore")
    assert steps.on("id1", find) == before
    steps.succeed("identity", "verify")


def test_a_lost_collector_and_a_lost_host_get_back_what_they_kept(drills: Drills) -> None:
    steps, placement = drills.steps, PLACEMENTS["data-centre"]
    folder, place = f"/var/lib/agency-journal/{ALPHA.id}", f"/srv/{ALPHA.id}"
    kept = f"journalctl --directory={folder} --output=cat --identifier=mark"
    arrived = f"timeout 60 sh -c 'until {kept} | grep -qx {{}}; do sleep 0.2; done'"
    steps.on("server1", f"logger --tag mark before; echo plan > {place}/plan; chmod 640 {place}/plan")
    steps.on("log1", arrived.format("before"))
    steps.succeed("data-centre", "backup", placement=placement)
    steps.on("log1", f"systemctl stop agency-journal@{ALPHA.id}; rm -r {folder} /etc/agency-journal/{ALPHA.id}")
    steps.on("log1", f"userdel journal-{ALPHA.id}; useradd --system taken-meanwhile")
    steps.on("server1", f"rm -r {place}")
    for _ in range(2):
        steps.succeed("data-centre", "restore", placement=placement)
        assert steps.on("log1", kept).splitlines()[:1] == ["before"]
        assert steps.on("server1", f"stat -c '%A %U' {place}/plan; cat {place}/plan").split() == [
            "-rw-r-----",
            "root",
            "plan",
        ]
    assert steps.on("log1", f"find {folder} -not -user journal-{ALPHA.id}") == ""
    steps.on("server1", "logger --tag mark after")
    steps.on("log1", arrived.format("after"))
    steps.succeed("data-centre", "verify", placement=placement)
    assert steps.changed("data-centre", "provision", placement=placement) == []


def _laptops() -> list[dict[str, Any]]:
    """Two laptops with keys that nobody had before."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    keys = [ec.generate_private_key(ec.SECP256R1()).public_key() for _ in range(2)]
    texts = [base64.b64encode(key.public_bytes(serialization.Encoding.DER, form)).decode() for key in keys]
    return [
        {"name": f"lap{n}", "number": n, "wireguard_key": base64.b64encode(os.urandom(32)).decode(), "tls_key": text}
        for n, text in enumerate(texts, start=1)
    ]


REPORT = '{"at": 1, "encrypted": true, "updated_ago": 5, "lock_minutes": 1, "system": "kept", "note": ""}'
PLACES = f"/etc/agency-devices/{ALPHA.id} /var/lib/private/agency-devices/{ALPHA.id}"
UNITS = f"agency-devices@{ALPHA.id} agency-devices-door@{ALPHA.id}"


@pytest.mark.parametrize("damage", [f"rm -r {PLACES}", ""])
def test_a_register_gets_back_its_reports_and_takes_no_revocation_back(drills: Drills, damage: str) -> None:
    steps, devices = drills.steps, _laptops()
    reports = f"/var/lib/private/agency-devices/{ALPHA.id}/lap2.jsonl"
    ordered: dict[str, Any] = {"parameters": {"devices": devices}, "quantity": 2}
    steps.succeed("laptop", "provision", **ordered)
    steps.on("devices1", f"echo '{REPORT}' >{reports}")
    steps.succeed("laptop", "backup", **ordered)
    lost = {"parameters": {"devices": devices, "lost": ["lap1"]}, "quantity": 2}
    steps.succeed("laptop", "provision", **lost)
    shown = steps.on("devices1", f"laptops {ALPHA.id} | cut -c51-70")
    steps.on("devices1", f"systemctl stop {UNITS}; rm {reports}; {damage}")
    for _ in range(2):
        steps.succeed("laptop", "restore", **lost)
        assert REPORT in steps.on("devices1", f"cat {reports}")
        assert steps.on("devices1", f"laptops {ALPHA.id} | cut -c51-70") == shown
    steps.succeed("laptop", "verify", **lost)
    assert steps.changed("laptop", "provision", **lost) == []
    assert "were revoked" in str(steps.run("laptop", "precheck", **ordered).error)


@pytest.mark.parametrize("component", ["service-desk", "network", "desktop", "identity", "data-centre", "laptop"])
@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_neither_a_backup_nor_a_restore_can_be_predicted(drills: Drills, component: str, verb: str) -> None:
    outcome = drills.steps.run(component, verb, check=True, placement=PLACEMENTS.get(component))
    assert outcome.state is StepState.FAILED
    assert "cannot be said without" in str(outcome.error)
