"""The service desk of two agencies on one real host: made, used, broken, repaired, removed and made again."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from orchestrator.domain.runs.run import StepState
from tests.playbooks.conftest import ALPHA, BRAVO, Steps, Tenant, run_in_rt, secrets_of
from tests.playbooks.desk_use import Seat

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


def test_provisioning_again_changes_nothing_and_verification_passes(desks: Steps) -> None:
    for tenant in (ALPHA, BRAVO):
        assert desks.changed("service-desk", "provision", tenant=tenant) == []
        assert desks.changed("service-desk", "provision", tenant=tenant, check=True) == []
        assert desks.changed("service-desk", "verify", tenant=tenant) == []
    desks.same_time("service-desk", "verify")
    assert "Service verification" not in desks.on("desk1", f"cd /; {DUMP}")


STOPS = [
    ("systemctl stop nginx", "does not answer"),
    (f"{ASK}; systemctl stop postgresql", "got status 500"),
    ("systemctl stop service-desk.socket service-desk", "got status 502"),
]
WRONGS = [
    ("my $u = RT::User->new($all); $u->Load('{id}.agent2'); $u->SetPassword('not-the-password');", "got status 401"),
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
OVERLAYS = "/usr/local/share/request-tracker5/lib/RT"
SEEN = [
    (
        f"rm {OVERLAYS}/User_Local.pm {OVERLAYS}/Users_Local.pm {OVERLAYS}/Group_Local.pm {OVERLAYS}/Ticket_Local.pm",
        "finds accounts of others",
    ),
    (
        "sed -i 's/WebSecureCookies, 1/WebSecureCookies, 0/' /etc/request-tracker5/RT_SiteConfig.d/90-service-desk.pm",
        "cookie is not Secure",
    ),
]


@pytest.mark.parametrize(("broken", "complaint"), STOPS)
def test_a_stopped_service_is_detected(breakable: Steps, broken: str, complaint: str) -> None:
    breakable.on("desk1", broken)
    outcome = breakable.run("service-desk", "verify")
    assert outcome.state is StepState.FAILED
    assert complaint in str(outcome.error)


def test_a_desk_that_starts_without_its_database_waits_and_offers_no_installer(breakable: Steps) -> None:
    """Request Tracker would offer it to everybody, and go on doing so when the database is back."""
    refused = "journalctl --unit service-desk --since -2min | grep -q 'cannot use its database'"
    breakable.on("desk1", "systemctl stop postgresql; systemctl restart service-desk")
    breakable.on("desk1", f'timeout 60 sh -c "until {refused}; do sleep 0.2; done"')
    breakable.on("desk1", "systemctl start postgresql")
    breakable.succeed("service-desk", "verify")


@pytest.mark.parametrize(("wrong", "complaint"), WRONGS)
def test_a_wrong_password_or_an_excessive_right_is_detected(breakable: Steps, wrong: str, complaint: str) -> None:
    run_in_rt(breakable, _filled(wrong))
    outcome = breakable.run("service-desk", "verify")
    assert outcome.state is StepState.FAILED
    assert complaint in str(outcome.error)
    breakable.succeed("service-desk", "verify", tenant=BRAVO)


@pytest.mark.parametrize(("lost", "complaint"), SEEN)
def test_a_desk_that_shows_too_much_is_detected_and_repaired(breakable: Steps, lost: str, complaint: str) -> None:
    breakable.on("desk1", f"{lost}; systemctl restart service-desk")
    outcome = breakable.run("service-desk", "verify")
    assert outcome.state is StepState.FAILED
    assert complaint in str(outcome.error)
    breakable.succeed("service-desk", "provision")
    breakable.succeed("service-desk", "verify")


def test_provisioning_repairs_what_is_wrong_or_stopped(breakable: Steps) -> None:
    for wrong, _ in WRONGS:
        run_in_rt(breakable, _filled(wrong))
    assert len(breakable.changed("service-desk", "provision", check=True)) == 1
    assert len(breakable.changed("service-desk", "provision")) == 1
    breakable.succeed("service-desk", "verify")
    breakable.on("desk1", "; ".join(stop for stop, _ in STOPS))
    assert breakable.changed("service-desk", "provision") != []
    breakable.succeed("service-desk", "verify")


def test_new_passwords_replace_the_old_ones(breakable: Steps) -> None:
    renewed = ("agents_password",)
    assert breakable.run("service-desk", "verify", renewed=renewed).state is StepState.FAILED
    assert breakable.changed("service-desk", "provision", renewed=renewed) != []
    assert breakable.changed("service-desk", "provision", renewed=renewed) == []
    assert breakable.changed("service-desk", "verify", renewed=renewed) == []
    assert breakable.run("service-desk", "verify").state is StepState.FAILED, "the old one is worth nothing"
    breakable.succeed("service-desk", "verify", tenant=BRAVO)


ISSUED_FOR = """
cd /etc/service-desk/tls
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days {days} -batch -CA ca.pem -CAkey ca.key \\
    -subj /CN=desk1 -addext basicConstraints=critical,CA:FALSE -keyout desk.key -out desk.pem
systemctl reload nginx
"""
DAYS_LEFT = 'expr \\( $(date -d "$({end})" +%s) - $(date +%s) \\) / 86400'.format(
    end="openssl x509 -in /etc/service-desk/tls/desk.pem -noout -enddate | cut -d= -f2"
)


@pytest.mark.parametrize("days", [100, 3650])
def test_the_desks_certificate_is_valid_for_a_year_and_replaced_in_time(breakable: Steps, days: int) -> None:
    breakable.on("desk1", ISSUED_FOR.format(days=days))
    assert breakable.changed("service-desk", "provision") != []
    assert 360 < int(breakable.on("desk1", DAYS_LEFT)) <= 365
    assert breakable.changed("service-desk", "provision") == []
    breakable.succeed("service-desk", "verify")


def test_unused_units_of_the_packages_do_not_run(desks: Steps) -> None:
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
    assert told == f"{ALPHA.id} standard new"


MADE = r"""
my %made;
for my $agency ('{id}', '{other}') {
    my %by = map { $_ => "$_\@$agency.example" } qw(bob amy);
    my ($agent, $bob, $amy) = map { RT::User->new($all) } 1 .. 3;
    my ($ticket) = RT::Ticket->new($all)->Create(Queue => $agency, Subject => 'My printer', Requestor => [$by{bob}]);
    $agent->Load("$agency.agent1");
    $agent->SetRealName("Zelda Quist of $agency");
    $bob->LoadByEmail($by{bob});
    $bob->SetRealName("Bob Quist of $agency");
    $amy->Create(Name => $by{amy}, EmailAddress => $by{amy});
    my $mail = RT::Ticket->new(RT::CurrentUser->new($by{amy}));
    $mail->Load($ticket);
    $mail->Correspond(Content => 'Me too.');
    my ($group, $queue) = (RT::Group->new($all), RT::Queue->new($all));
    $group->LoadUserDefinedGroup($agency);
    $group->SetDescription("Quist and sons of $agency");
    $queue->Load($agency);
    my %numbers = (agent => $agent, bob => $bob, amy => $amy, group => $group, queue => $queue);
    $made{$agency} = {ticket => $ticket, map { $_ => $numbers{$_}->id } keys %numbers};
}
print JSON::PP::encode_json(\%made);
"""
"""People of two agencies who are called alike: an agent, and a requester with a ticket."""
ANY = "users?fields=Name,RealName&find_disabled_rows=1&per_page=100"
SHOWN = (
    ANY,
    f'{ANY}&query=[{{{{"field":"RealName","operator":"LIKE","value":"Quis"}}}}]',
    "user/{agent}",
    "user/{other}.agent1",
    "user/{bob}",
    "user/bob@{other}.example",
    "user/{amy}",
    "ticket/{ticket}",
    "/Helpers/Autocomplete/Users?term=Quis&return=RealName",
    "/Helpers/Autocomplete/Users?term=Quis&return=RealName&privileged=1",
    "/Helpers/Autocomplete/Principals?term=Zelda",
    "/Helpers/Autocomplete/Owners?term=Zelda&return=RealName&limit=RT::Queue-{queue}",
    "/Helpers/UserInfo?id={agent}&id={bob}",
    "/User/Summary.html?id={agent}",
    "/User/Summary.html?id={bob}",
    "/User/Search.html?UserString=Quis",
    "/Ticket/ModifyPeople.html?id={mine}&UserField=RealName&UserOp=LIKE&UserString=Quis",
    "/Search/Build.html",
)
"""What shows an agent people of its own agency. Without a stroke at the start it is REST 2."""
HIDDEN = (
    "user/{agent}/history",
    "user/{agent}/groups",
    'transactions?fields=Creator&query=[{{"field":"Creator","value":"{agent}"}}]',
    'attachments?fields=Creator&query=[{{"field":"Creator","value":"{amy}"}}]',
    "groups?fields=Name",
    "group/{group}",
    "group/{group}/members",
    "/REST/1.0/user/{agent}/show",
    "/REST/1.0/search/user?query=RealName%20LIKE%20Quis&format=l",
    "/REST/1.0/group/{group}/show",
    "/Helpers/Autocomplete/Groups?term={other}",
    "/User/History.html?id={agent}",
    "/Group/Summary.html?id={group}",
    "/Group/Search.html?GroupString=agency",
    "/Admin/Users/Modify.html?id={agent}",
    "/Admin/Users/index.html?UserString=Quis&UserField=RealName&UserOp=LIKE",
    "/Admin/Groups/Members.html?id={group}",
)
"""What shows it to no agent."""


@dataclass(frozen=True)
class People:
    """Two agencies on one desk, with people in both."""

    steps: Steps
    made: dict[str, dict[str, int]]

    def seat(self, tenant: Tenant, agent: str = "agent1") -> Seat:
        secret = secrets_of(tenant, "service-desk", self.steps.source)["agents_password"]
        password = hashlib.sha256(f"{secret}/{agent}".encode()).hexdigest()[:24]
        return Seat(self.steps.site.hosts["desk1"].address, f"{tenant.id}.{agent}", password)

    def shown(self, seat: Seat, path: str, mine: Tenant) -> str:
        """What an agent sees of the second agency by a path."""
        filled = path.format(**self.made[BRAVO.id], other=BRAVO.id, mine=self.made[mine.id]["ticket"])
        filled = filled.replace(" ", "%20").replace('"', "%22")
        status, text = seat.page(filled) if filled.startswith("/") else seat.rest("GET", filled)
        assert status < 500, text
        return text if status == 200 else ""

    def marks(self, text: str) -> list[str]:
        marks = (
            f"Quist of {BRAVO.id}",
            f"sons of {BRAVO.id}",
            f"bob@{BRAVO.id}",
            f"amy@{BRAVO.id}",
            f"{BRAVO.id}.agent",
        )
        return [mark for mark in marks if mark in text]


@pytest.fixture(scope="module")
def people(desks: Steps) -> People:
    """The desk of both agencies, with people in both."""
    made = json.loads(run_in_rt(desks, "require JSON::PP;" + _filled(MADE)))
    return People(desks, made)


def test_agents_find_nobody_of_another_agency(people: People) -> None:
    own, other = people.seat(BRAVO), people.seat(ALPHA)
    unseen = [path for path in SHOWN if not people.marks(people.shown(own, path, BRAVO))]
    assert unseen == [], "the agency's own agents see them"
    found = {path: marks for path in SHOWN + HIDDEN if (marks := people.marks(people.shown(other, path, ALPHA)))}
    assert found == {}
    total = json.loads(other.rest("GET", "users?find_disabled_rows=1")[1])["total"]
    names = {item["Name"] for item in json.loads(other.rest("GET", ANY)[1])["items"]}
    mine = {f"{ALPHA.id}.agent1", f"{ALPHA.id}.agent2", f"bob@{ALPHA.id}.example", f"amy@{ALPHA.id}.example"}
    assert mine <= names
    assert total == len(names), "those who are hidden are not counted either"


def test_adding_somebody_of_another_agency_to_a_ticket_does_not_make_them_visible(people: People) -> None:
    seat, made = people.seat(ALPHA), people.made[BRAVO.id]
    ticket = json.loads(seat.rest("POST", "ticket", {"Queue": ALPHA.id, "Subject": "Who takes part"})[1])["id"]
    for who in (made["agent"], made["bob"], made["group"], f"{BRAVO.id}.agent1", f"group:{BRAVO.id}"):
        for value in (str(who), [str(who)]):
            for role in ("Cc", "Requestor", "AdminCc", "Owner"):
                tried = seat.rest("PUT", f"ticket/{ticket}", {role: value})
                opened = seat.rest("POST", "ticket", {"Queue": ALPHA.id, "Subject": "x", role: value})
                read = seat.rest("GET", f"ticket/{json.loads(opened[1])['id']}") if opened[0] == 201 else (0, "")
                asked = (f"{BRAVO.id}.agent1",) if isinstance(who, str) else ()
                for text in (tried[1], opened[1], read[1]):
                    assert not [m for m in people.marks(text) if not any(m in a for a in asked)], (role, value, text)
    assert people.marks(people.shown(seat, "user/{agent}", ALPHA) + people.shown(seat, "user/{bob}", ALPHA)) == []


def test_agents_can_still_do_their_work(people: People) -> None:
    seat, ticket = people.seat(ALPHA), people.made[ALPHA.id]["ticket"]
    status, text = seat.rest("GET", f"ticket/{ticket}?fields[Requestor]=Name")
    assert (status, json.loads(text)["Requestor"][0]["id"]) == (200, f"bob@{ALPHA.id}.example")
    # An address is enough, known to the desk or not.
    wanted = {"Cc": [f"carol@{ALPHA.id}.example", f"bob@{BRAVO.id}.example"], "Owner": f"{ALPHA.id}.agent2"}
    assert seat.rest("PUT", f"ticket/{ticket}", wanted)[0] == 200
    told = json.loads(seat.rest("GET", f"ticket/{ticket}")[1])
    assert {one["id"] for one in told["Cc"]} == set(wanted["Cc"])
    assert told["Owner"]["id"] == f"{ALPHA.id}.agent2"
    opened = {"Queue": ALPHA.id, "Subject": "By telephone", "Requestor": [f"dave@{ALPHA.id}.example"]}
    status, text = seat.rest("POST", "ticket", opened)
    assert status == 201, text
    told = json.loads(seat.rest("GET", f"ticket/{json.loads(text)['id']}")[1])
    assert [one["id"] for one in told["Requestor"]] == opened["Requestor"]
    pages = [seat.page(f"/Ticket/{page}.html?id={ticket}") for page in ("Display", "History")]
    assert [status for status, _ in pages] == [200, 200]
    for shown in (f"Bob Quist of {ALPHA.id}", f"amy@{ALPHA.id}.example", "agent2"):
        assert any(shown in page for _, page in pages), shown


NAMELESS = (
    "/Ticket/Create.html?Queue={queue}",
    "/Ticket/Modify.html?id={ticket}",
    "/Search/Build.html",
    "/Search/Bulk.html",
)
"""Pages that offer an agent what the whole desk has to choose from."""


def test_no_page_names_another_agency(people: People) -> None:
    seat, made = people.seat(ALPHA), people.made[ALPHA.id]
    pages = {path: seat.page(path.format(**made)) for path in NAMELESS}
    assert {path: status for path, (status, _) in pages.items() if status != 200} == {}
    assert [path for path, (_, text) in pages.items() if BRAVO.id in text] == []
    assert any("standard" in text for _, text in pages.values()), "they show service levels"


def test_the_cookie_of_a_browsers_session_is_protected(people: People) -> None:
    cookie = people.seat(ALPHA).log_in()
    said = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"secure", "httponly", "samesite=lax"} <= said


FROM_GATEWAY = """
python3 - <<'PY'
import base64, ssl, urllib.error, urllib.request
proof = base64.b64encode(b"{login}:{password}").decode()
asked = urllib.request.Request("https://{address}/REST/2.0/queues/all", headers={{"Authorization": "Basic " + proof}})
try:
    print(urllib.request.urlopen(asked, context=ssl._create_unverified_context()).status)
except urllib.error.HTTPError as refused:
    print(refused.code)
PY
"""
COUNTS = "/run/service-desk"


def test_guessing_an_agents_password_locks_out_only_the_place_it_comes_from(people: People) -> None:
    desks, seat, colleague = people.steps, people.seat(ALPHA), people.seat(ALPHA, "agent2")
    guess = replace(seat, password="guess")
    from_gateway = FROM_GATEWAY.format(login=seat.login, password=seat.password, address=seat.address)
    read = "queues/all"
    for n in range(10):
        assert (guess.prove(read) if n % 2 else guess.submit()[0]) in (401, 200)
    assert seat.prove(read) == 401, "by now the password does not help"
    assert seat.submit()[0] == 200, "nor on the page"
    assert colleague.prove(read) == 200
    assert desks.on("gw1", from_gateway) == "200\n", "nobody is shut out elsewhere"
    [counted] = desks.on("desk1", f"stat -c %s {COUNTS}/*").split()
    assert int(counted) == 10, "what is shut is not counted"
    desks.on("desk1", f"touch -d '11 minutes ago' {COUNTS}/*")
    assert guess.prove(read) == 401
    assert desks.on("desk1", f"stat -c %s {COUNTS}/*") == "1\n", "it begins anew"
    assert seat.submit()[0] == 302
    assert desks.on("desk1", f"ls {COUNTS}") == "", "who knows it starts with none"


def test_a_new_authority_replaces_the_one_of_the_desk(breakable: Steps) -> None:
    authority = "openssl x509 -in /etc/service-desk/tls/ca.pem -noout -fingerprint"
    known, desks = breakable.on("desk1", authority), breakable
    site = desks.site.model_copy(update={"facts": {**desks.site.facts, "site_desk_authority": 2}})
    second = replace(desks, site=site)
    making = "desk1: Make the database, the certificates and the control queue"
    assert making in second.changed("service-desk", "provision", check=True)
    assert desks.on("desk1", authority) == known
    assert making in second.changed("service-desk", "provision")
    made = desks.on("desk1", authority)
    assert made != known
    assert making not in second.changed("service-desk", "provision", tenant=BRAVO), "it is the site's, and there"
    for tenant in (ALPHA, BRAVO):
        second.succeed("service-desk", "verify", tenant=tenant)
    # One whose key is lost, as after a restore, issues nothing more.
    desks.on("desk1", "cd /etc/service-desk/tls; rm ca.key desk.pem")
    desks.on("desk1", "systemctl start service-desk-renewal")
    assert desks.on("desk1", authority) != made
    assert making not in second.changed("service-desk", "provision")
    second.succeed("service-desk", "verify")


def test_the_agencys_choices_take_effect(breakable: Steps) -> None:
    desks = breakable
    chosen = {"agents": ["agent1", "ada"], "email": "support@alpha.example"}
    desks.succeed("service-desk", "provision", parameters=chosen, tier="premium")
    desks.succeed("service-desk", "verify", parameters=chosen, tier="premium")
    assert desks.run("service-desk", "verify").state is StepState.FAILED, "agent2 left"
    told = desks.on("desk1", f"ls /etc/service-desk/addresses; cat /etc/service-desk/agencies/{ALPHA.id}.json")
    assert "support@alpha.example" in told
    assert f"help@{ALPHA.id}" not in told
    assert '"RealMinutes": 15' in told
    seat = People(desks, {}).seat(BRAVO)
    opened = seat.rest("POST", "ticket", {"Queue": BRAVO.id, "Subject": "At once", "SLA": "premium"})[1]
    ticket = f"ticket/{json.loads(opened)['id']}"
    seat.rest("PUT", ticket, {"SLA": "premium"})
    assert json.loads(seat.rest("GET", ticket)[1])["SLA"] == "standard", "the better level is not theirs"
    taken = desks.run("service-desk", "precheck", tenant=BRAVO, parameters={"email": "support@alpha.example"})
    assert f"belongs to {ALPHA.id}" in str(taken.error)


def test_no_password_is_stored_on_the_host(desks: Steps) -> None:
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
