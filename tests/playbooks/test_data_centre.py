"""The hosts of two agencies in one data centre: made, watched, broken, repaired, kept apart and given back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orchestrator.domain.ordering.certificates import PERIOD
from orchestrator.domain.runs.run import StepOutcome, StepState
from tests.playbooks import reach
from tests.playbooks.conftest import ALPHA, BOTH, BRAVO, TODAY, Steps, Tenant, secrets_of
from tests.playbooks.grounds import NETWORKS

PLACES = {t: {"collector": ("log1",), "server": (s,)} for t, s in ((ALPHA, "server1"), (BRAVO, "server2"))}
JOURNALS = "/var/lib/agency-journal"
SETTINGS = f"/etc/agency-journal/{ALPHA.id}"
LEFT = """
ls -d /etc/data-centre /etc/agency-journal/{id} /var/lib/agency-journal/{id} /srv/{id} 2>/dev/null
systemctl list-units --all --plain --no-legend '*{id}*'; getent passwd journal-{id}; getent group journal-{id}
grep -rl {id} /etc --exclude='*-'; true
"""


def _run(steps: Steps, verb: str, tenant: Tenant = ALPHA, **options: Any) -> StepOutcome:
    return steps.run("data-centre", verb, tenant=tenant, **{"placement": PLACES[tenant], **options})


def _changed(steps: Steps, verb: str, tenant: Tenant = ALPHA, **options: Any) -> list[str]:
    return steps.changed("data-centre", verb, tenant=tenant, **{"placement": PLACES[tenant], **options})


def _same_time(steps: Steps, verb: str) -> None:
    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(lambda tenant: _run(steps, verb, tenant), BOTH))
    assert [outcome.state for outcome in outcomes] == [StepState.SUCCEEDED] * 2, [o.error for o in outcomes]


def _write(steps: Steps, tenant: Tenant, line: str) -> None:
    """Write a line into the journal of an agency's host, and wait until the collector has it."""
    steps.on(PLACES[tenant]["server"][0], f"logger --tag mark {line}")
    look = f"journalctl --directory={JOURNALS}/{tenant.id} --output=cat --identifier=mark | grep -qx {line}"
    steps.on("log1", f"timeout 60 sh -c 'until {look}; do sleep 0.2; done'")


def _kept(steps: Steps, tenant: Tenant) -> list[str]:
    """The lines of these tests in an agency's journals, in their order."""
    folder = f"{JOURNALS}/{tenant.id}"
    return steps.on("log1", f"journalctl --directory={folder} --output=cat --identifier=mark").splitlines()


@pytest.fixture(scope="module")
def centre(steps: Steps) -> Steps:
    """Each agency has a host of its own and its journals on the collector, provisioned at the same time."""
    steps.practice.in_state("data-centre", lambda: _same_time(steps, "provision"))
    return steps


@pytest.fixture
def breakable(centre: Steps) -> Iterator[Steps]:
    """The same, and what a test does to it is forgotten."""
    yield centre
    centre.practice.restore("data-centre")


def test_a_prediction_for_fresh_hosts_changes_nothing(steps: Steps) -> None:
    assert _changed(steps, "precheck") == []
    assert _changed(steps, "provision", check=True) != []
    assert _changed(steps, "retire") == []
    for host in ("log1", "server1"):
        steps.on(
            host, "test ! -e /etc/data-centre && test ! -e /etc/agency-journal && ! systemctl --quiet is-active chrony"
        )


def test_provisioning_again_changes_nothing_and_verification_passes(centre: Steps) -> None:
    for tenant in BOTH:
        assert _changed(centre, "provision", tenant) == []
        assert _changed(centre, "provision", tenant, check=True) == []
        assert _changed(centre, "precheck", tenant) == []
        assert _changed(centre, "verify", tenant) == []
    _same_time(centre, "verify")


def test_hosts_survive_a_reboot(centre: Steps) -> None:
    """They were rebooted after they had been provisioned."""
    _write(centre, ALPHA, "after-a-reboot")
    units = "chrony prometheus-node-exporter systemd-journal-upload host-firewall"
    assert centre.on("server1", f"systemctl is-active {units}").split() == ["active"] * 4
    assert centre.practice.driver.unsteady() == ()


def test_a_hosts_lines_are_in_its_agencys_journals_and_in_no_others(centre: Steps) -> None:
    _write(centre, ALPHA, "of-alpha")
    _write(centre, BRAVO, "of-bravo")
    assert ("of-alpha" in _kept(centre, ALPHA), "of-bravo" in _kept(centre, ALPHA)) == (True, False)
    assert ("of-alpha" in _kept(centre, BRAVO), "of-bravo" in _kept(centre, BRAVO)) == (False, True)


HANDSHAKE = """
timeout 30 openssl s_client -tls1_2 -connect {address}:{port} -cert /root/id.pem -key /root/id.pem </dev/null 2>&1 |
    grep -o 'alert unknown ca' || echo admitted
"""


def test_one_agencys_host_cannot_write_into_anothers_journals(breakable: Steps) -> None:
    """Its certificate opens no other door: asked on the collector itself, where no firewall is in between."""
    steps, address = breakable, breakable.site.hosts["log1"].address
    identity = steps.on("server1", "cat /etc/data-centre/journal.key /etc/data-centre/journal.pem")
    steps.on("log1", f"umask 077; cat >/root/id.pem <<'END'\n{identity}END")
    said = [steps.on("log1", HANDSHAKE.format(address=address, port=19600 + t.number)).strip() for t in BOTH]
    assert said == ["admitted", "alert unknown ca"]
    open_port = "timeout 3 bash -c 'exec 3<>/dev/tcp/{}/{}'"
    tried = [steps.try_on("server1", open_port.format(address, 19600 + t.number)).returncode == 0 for t in BOTH]
    assert tried == [True, False], "and a firewall keeps it from trying"


def test_accounts_of_one_agency_cannot_enter_anothers_folders(centre: Steps) -> None:
    for folder in (f"{JOURNALS}/{BRAVO.id}", f"/run/agency-journal/{BRAVO.id}", f"/etc/agency-journal/{BRAVO.id}"):
        assert centre.try_on("log1", f"runuser -u journal-{ALPHA.id} -- ls {folder}").returncode != 0
        assert centre.on("log1", f"ls {folder}") != ""


def test_figures_are_for_the_providers_monitoring_and_not_for_the_agencys_network(breakable: Steps) -> None:
    steps = breakable
    figures = (steps.site.hosts["server1"].address, "tcp", 9100)
    steps.succeed("network", "provision")
    try:
        devices = reach.device(steps, ALPHA.id, ALPHA.number, f"{NETWORKS}.{ALPHA.number}.0/24")
        others = [reach.Source(host, host) for host in ("log1", "server2")]
        assert reach.walk(steps, reach.Source("controller"), [figures]) == {figures}
        assert [source.name for source in (devices, *others) if reach.walk(steps, source, [figures])] == []
    finally:
        steps.on("gw1", f"ip netns delete walker{ALPHA.number}")


def test_the_collector_gives_the_time_to_its_agencies_hosts_alone(centre: Steps) -> None:
    clock = (centre.site.hosts["log1"].address, "udp", 123)
    sources = [reach.Source("controller"), *(reach.Source(host, host) for host in ("server1", "server2"))]
    told = [source.name for source in sources if reach.walk(centre, source, [clock])]
    assert told == ["server1", "server2"]


BREAKS = [
    ("server1", "systemctl stop chrony", "chronyc waitsync"),
    ("server1", "systemctl stop systemd-journal-upload", "what server1 wrote did not arrive"),
    ("server1", "systemctl stop prometheus-node-exporter", "figures"),
    ("server1", "nft insert rule inet host_firewall input tcp dport 9100 accept", "figures"),
    ("log1", f"systemctl stop agency-journal-turnover@{ALPHA.id}.timer", "agency-journal-turnover"),
    ("log1", f"systemctl stop agency-journal-door@{ALPHA.id}", "the collector failed verification"),
    ("log1", f"systemctl stop agency-journal@{ALPHA.id}", "with the host's own certificate was refused"),
    (
        "log1",
        f"sed -i 's/^requireCert.*/requireCert = no/; s/^verifyChain.*/verifyChain = no/' {SETTINGS}/door.conf"
        f" && systemctl restart agency-journal-door@{ALPHA.id}",
        "an upload without one was accepted",
    ),
    (
        "log1",
        f"cp /etc/agency-journal/{BRAVO.id}/authority.pem {SETTINGS}/authority.pem"
        f" && systemctl restart agency-journal-door@{ALPHA.id}",
        "with the host's own certificate was refused",
    ),
]


@pytest.mark.parametrize(("host", "broken", "complaint"), BREAKS)
def test_verification_detects_what_is_broken(breakable: Steps, host: str, broken: str, complaint: str) -> None:
    breakable.on(host, broken)
    outcome = _run(breakable, "verify")
    assert outcome.state is StepState.FAILED
    assert complaint in str(outcome.error)


def test_provisioning_repairs_what_is_broken(breakable: Steps) -> None:
    for host, broken, _ in BREAKS:
        breakable.on(host, broken)
    assert _changed(breakable, "provision") != []
    assert _changed(breakable, "provision") == []
    assert _changed(breakable, "verify") == []
    assert _changed(breakable, "verify", BRAVO) == []


def test_the_agencys_choices_take_effect(breakable: Steps) -> None:
    assert _changed(breakable, "provision", tier="enhanced", parameters={"keep_gb": 3}) != []
    assert breakable.on("log1", f"cat {SETTINGS}/settings").split() == ["KEEP_DAYS=366", "KEEP_GB=3"]
    assert _changed(breakable, "verify") == []


def test_journals_are_ended_after_a_day_and_removed_when_they_are_too_old(breakable: Steps) -> None:
    steps, turnover = breakable, f"systemctl start agency-journal-turnover@{ALPHA.id}"
    files = f"cd {JOURNALS}/{ALPHA.id}; ls | sort"
    _write(steps, ALPHA, "before")
    assert steps.on("log1", f"{turnover}; {files}").split() == ["hosts.journal"], "it is not a day old"
    steps.on("log1", f"/usr/local/lib/data-centre/archive {ALPHA.id} 0")
    _write(steps, ALPHA, "after")
    ended, live = steps.on("log1", f"{turnover}; {files}").split()[::-1]
    assert live == "hosts.journal"
    assert _kept(steps, ALPHA)[-2:] == ["before", "after"]
    old = f"{ended[: -len('0006615e2b42937c.journal')]}0000000000000001.journal"
    steps.on("log1", f"cd {JOURNALS}/{ALPHA.id}; mv {ended} {old}; {turnover}")
    assert steps.on("log1", files).split() == ["hosts.journal"]
    assert _kept(steps, ALPHA) == ["after"]


def test_what_the_collector_cannot_hold_is_refused_before_anything_changes(breakable: Steps) -> None:
    breakable.on("log1", f"sed -i 's/^KEEP_GB=.*/KEEP_GB=1000000/' /etc/agency-journal/{BRAVO.id}/settings")
    refused = _run(breakable, "precheck")
    assert refused.state is StepState.FAILED
    assert "1000000 of them are reserved for other agencies" in str(refused.error)
    assert _changed(breakable, "precheck", BRAVO, parameters={"keep_gb": 3}) == [], "its own does not count"


def test_a_new_secret_replaces_the_old_one(breakable: Steps) -> None:
    renewed = ("authority_key",)
    assert "does not prove itself" in str(_run(breakable, "verify", renewed=renewed).error), (
        "hosts have the old one yet"
    )
    assert _changed(breakable, "provision", renewed=renewed) != []
    assert _changed(breakable, "provision", renewed=renewed) == []
    assert _changed(breakable, "verify", renewed=renewed) == []
    assert "does not prove itself" in str(_run(breakable, "verify").error), "the old one is worth nothing"


def test_certificates_are_valid_for_a_year_and_replaced_half_a_year_before_their_end(centre: Steps) -> None:
    for host, file in (("log1", f"{SETTINGS}/collector.pem"), ("server1", "/etc/data-centre/journal.pem")):
        assert "will expire" in centre.on(host, f"openssl x509 -noout -checkend 31622400 -in {file} || true")
    replaced = _changed(centre, "provision", at=TODAY + PERIOD, check=True)
    assert {task.partition(":")[0] for task in replaced} == {"log1", "server1"}


def test_the_agencys_secret_is_nowhere_on_its_hosts(centre: Steps) -> None:
    secret = secrets_of(ALPHA, "data-centre", centre.source)["authority_key"]
    for host in ("log1", "server1"):
        assert centre.on(host, f"grep -rsl '{secret}' /etc /var/log /var/lib /run /tmp /root || true") == ""


def test_a_host_is_cleared_and_given_to_the_next_agency(breakable: Steps) -> None:
    steps, place = breakable, {"collector": ("log1",), "server": ("server1",)}
    _write(steps, ALPHA, "secret-of-alpha")
    steps.on("server1", f"echo secret-of-alpha > /srv/{ALPHA.id}/letter")
    refused = _run(steps, "precheck", BRAVO, placement=place)
    assert f"the host belongs to {ALPHA.id}" in str(refused.error)
    only = {"server": ("server1",)}
    assert _changed(steps, "retire", BRAVO, placement=only) == [], "it is not BRAVO's"
    assert _changed(steps, "retire") != []
    assert _changed(steps, "retire") == []
    for host in ("log1", "server1"):
        assert steps.on(host, LEFT.format(id=ALPHA.id)) == "", host
    assert steps.on("server1", "find /etc -name '*data-centre*'; ls -A /srv") == ""
    steps.succeed("data-centre", "verify", tenant=BRAVO, placement=PLACES[BRAVO])
    steps.succeed("data-centre", "precheck", tenant=BRAVO, placement=place)
    steps.succeed("data-centre", "provision", tenant=BRAVO, placement=place)
    steps.succeed("data-centre", "verify", tenant=BRAVO, placement=place)
    assert steps.on("server1", "journalctl --output=cat --identifier=mark") == ""
    assert "secret-of-alpha" not in _kept(steps, BRAVO)
    steps.succeed("data-centre", "retire", tenant=BRAVO, placement=place)
    assert steps.on("log1", "ls /etc/agency-journal /var/lib/agency-journal").split() == [
        "/etc/agency-journal:",
        "/var/lib/agency-journal:",
    ]
