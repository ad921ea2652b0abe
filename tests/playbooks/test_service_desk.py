"""The service desk of two agencies on one real host: made, used, broken, mended, removed and made again."""

import hashlib
from collections.abc import Iterator

import pytest

from orchestrator.domain.run import StepState
from tests.playbooks.conftest import ALPHA, BRAVO, Steps, Tenant, run_in_rt, secrets_of

_URLOPEN = 'u.urlopen("https://localhost/", context=ssl._create_unverified_context())'
ASK = f"python3 -c 'import ssl, urllib.request as u; {_URLOPEN}'"
"""A worker of the desk that has been asked before has the database open: without it, it says so at once."""
DUMP = "runuser -u www-data -- pg_dump --data-only rtdb"


def _filled(program: str) -> str:
    return program.replace("{id}", ALPHA.id).replace("{other}", BRAVO.id)


def _left(steps: Steps, tenant: Tenant) -> str:
    return steps.on("desk1", f"cd /; ({DUMP}; grep -r {tenant.id} /etc/service-desk) | grep {tenant.id} || true")


def test_a_prediction_for_a_fresh_host_changes_nothing(steps: Steps) -> None:
    steps.succeed("service-desk", "precheck")
    assert steps.changed("service-desk", "provision", check=True) != []
    assert steps.changed("service-desk", "retire") == []
    steps.on("desk1", "test ! -e /etc/service-desk && ! systemctl --quiet is-active nginx")


@pytest.fixture(scope="module")
def desks(steps: Steps) -> Steps:
    """Both agencies are on the desk, provisioned at the same time on a host that had nothing."""
    steps.practice.in_state("desks", lambda: steps.same_time("service-desk", "provision"))
    return steps


@pytest.fixture
def breakable(desks: Steps) -> Iterator[Steps]:
    """The same, and what a test does to it is forgotten."""
    yield desks
    desks.practice.restore("desks")


def test_what_was_made_stays_as_it_is_and_serves_both_agencies(desks: Steps) -> None:
    for tenant in (ALPHA, BRAVO):
        assert desks.changed("service-desk", "provision", tenant=tenant) == []
        assert desks.changed("service-desk", "provision", tenant=tenant, check=True) == []
        assert desks.changed("service-desk", "verify", tenant=tenant) == []
    desks.same_time("service-desk", "verify")
    assert "Service verification" not in desks.on("desk1", f"cd /; {DUMP}")


STOPS = [
    ("systemctl stop nginx", "does not answer"),
    (f"{ASK}; systemctl stop postgresql", "answered 500"),
    ("systemctl stop service-desk.socket service-desk@1 service-desk@2", "answered 502"),
]
WRONGS = [
    ("my $u = RT::User->new($all); $u->Load('{id}.agent2'); $u->SetPassword('not-the-password');", "answered 401"),
    (
        "my $g = RT::Group->new($all); $g->LoadUserDefinedGroup('{id}'); my $q = RT::Queue->new($all);"
        "$q->Load('{other}'); $g->PrincipalObj->GrantRight(Right => 'SeeQueue', Object => $q);",
        "sees the queues",
    ),
    (
        "my $u = RT::User->new($all); $u->Load('{id}.agent1'); my $q = RT::Queue->new($all);"
        "$q->Load('isolation-control'); $u->PrincipalObj->GrantRight(Right => 'ShowTicket', Object => $q);",
        "tickets of other agencies",
    ),
    (
        "my $u = RT::User->new($all); $u->Load('{id}.agent1'); my $q = RT::Queue->new($all);"
        "$q->Load('{other}'); $u->PrincipalObj->GrantRight(Right => 'ModifyTicket', Object => $q);",
        "rights beyond the agency",
    ),
]


@pytest.mark.parametrize(("broken", "complaint"), STOPS)
def test_a_stopped_service_is_noticed(breakable: Steps, broken: str, complaint: str) -> None:
    breakable.on("desk1", broken)
    outcome = breakable.run("service-desk", "verify")
    assert outcome.state is StepState.FAILED
    assert complaint in str(outcome.error)


@pytest.mark.parametrize(("wrong", "complaint"), WRONGS)
def test_a_wrong_password_or_a_right_too_many_is_noticed(breakable: Steps, wrong: str, complaint: str) -> None:
    run_in_rt(breakable, _filled(wrong))
    outcome = breakable.run("service-desk", "verify")
    assert outcome.state is StepState.FAILED
    assert complaint in str(outcome.error)
    breakable.succeed("service-desk", "verify", tenant=BRAVO)


def test_what_is_stopped_and_wrong_is_mended_by_provisioning(breakable: Steps) -> None:
    for wrong, _ in WRONGS:
        run_in_rt(breakable, _filled(wrong))
    assert len(breakable.changed("service-desk", "provision", check=True)) == 1
    assert len(breakable.changed("service-desk", "provision")) == 1
    breakable.succeed("service-desk", "verify")
    breakable.on("desk1", "; ".join(stop for stop, _ in STOPS))
    assert breakable.changed("service-desk", "provision") != []
    breakable.succeed("service-desk", "verify")


def test_new_passwords_take_the_place_of_the_old_ones(breakable: Steps) -> None:
    renewed = ("agents_password",)
    assert breakable.run("service-desk", "verify", renewed=renewed).state is StepState.FAILED
    assert breakable.changed("service-desk", "provision", renewed=renewed) != []
    assert breakable.changed("service-desk", "provision", renewed=renewed) == []
    assert breakable.changed("service-desk", "verify", renewed=renewed) == []
    assert breakable.run("service-desk", "verify").state is StepState.FAILED, "the old one is worth nothing"
    breakable.succeed("service-desk", "verify", tenant=BRAVO)


def test_units_of_the_packages_that_serve_nobody_do_not_run(desks: Steps) -> None:
    for asked, answer in (("is-active", "inactive"), ("is-enabled", "disabled")):
        said = desks.on("desk1", f"systemctl {asked} request-tracker5 rt5-fcgi || true").split()
        assert set(said) == {answer}, said


def test_mail_becomes_a_ticket_of_the_agency_it_was_written_to(desks: Steps) -> None:
    letter = f"From: jane@example.org\nTo: help@{ALPHA.id}.practice.internal\nSubject: My printer\n\nSmoke.\n"
    desks.on("desk1", f"/usr/sbin/sendmail -f jane@example.org -t <<'END'\n{letter}END\n")
    desks.on("desk1", 'for _ in $(seq 60); do [ -z "$(exim4 -bp)" ] && break; sleep 0.5; done')
    ask = "my $t = RT::Tickets->new($all); $t->FromSQL(\"Subject = 'My printer'\");"
    told = run_in_rt(
        desks, f"{ask} while (my $x = $t->Next) {{ print join(' ', $x->QueueObj->Name, $x->SLA, $x->Status) }}"
    )
    assert told == f"{ALPHA.id} {ALPHA.id} new"


def test_what_the_agency_chooses_is_what_it_gets(breakable: Steps) -> None:
    desks = breakable
    chosen = {"agents": ["agent1", "ada"], "email": "support@alpha.example"}
    desks.succeed("service-desk", "provision", parameters=chosen, tier="premium")
    desks.succeed("service-desk", "verify", parameters=chosen, tier="premium")
    assert desks.run("service-desk", "verify").state is StepState.FAILED, "agent2 left"
    told = desks.on("desk1", f"ls /etc/service-desk/addresses; cat /etc/service-desk/agencies/{ALPHA.id}.json")
    assert "support@alpha.example" in told
    assert f"help@{ALPHA.id}" not in told
    assert '"RealMinutes": 15' in told
    taken = desks.run("service-desk", "precheck", tenant=BRAVO, parameters={"email": "support@alpha.example"})
    assert f"belongs to {ALPHA.id}" in str(taken.error)


def test_passwords_are_nowhere_on_the_host(desks: Steps) -> None:
    secret = secrets_of(ALPHA, "service-desk", desks.source)["agents_password"]
    password = hashlib.sha256(f"{secret}/agent1".encode()).hexdigest()[:24]
    for hidden in (secret, password):
        assert desks.on("desk1", f"cd /; ({DUMP}; grep -rs {hidden} /etc /var/log /tmp) | grep {hidden} || true") == ""


def test_nothing_of_an_agency_that_left_remains_and_it_may_come_back(desks: Steps) -> None:
    desks.succeed("service-desk", "retire")
    assert desks.changed("service-desk", "retire") == []
    assert _left(desks, ALPHA) == ""
    assert "jane@example.org" not in desks.on("desk1", f"cd /; {DUMP}")
    desks.succeed("service-desk", "verify", tenant=BRAVO)
    assert desks.changed("service-desk", "provision", tenant=BRAVO) == []
    desks.succeed("service-desk", "provision")
    desks.succeed("service-desk", "verify")
