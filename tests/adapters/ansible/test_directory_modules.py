"""The modules that manage and use an agency's directory, on a real server with the role's own configuration."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import ldap3
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.domain.text_types import LINE
from tests.adapters.ansible.hostile import hostile
from tests.adapters.probes.servers import free_port, listens, program, running
from tests.conftest import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="entries are managed by root"),
]
LIBRARY = ROOT / "playbooks/library"
RUN = """
import runpy, sys
from ansible import module_utils
module_utils.__path__.append(sys.argv.pop())
runpy.run_path(sys.argv.pop(), run_name="__main__")
"""
"""Runs a module with what the project's modules share, as Ansible does."""
BASE = "o=alpha-agency"
VALID = {"begins": "2026-05-01T00:00:00+00:00", "ends": "2046-05-01T00:00:00+00:00"}
SECRETS = {"services": "word of services", "canary": "word of canary"}


def asked(module: str, **arguments: Any) -> dict[str, Any]:
    """What a module answers."""
    given = json.dumps({"ANSIBLE_MODULE_ARGS": arguments})
    command = [sys.executable, "-c", RUN, str(LIBRARY / f"{module}.py"), str(LIBRARY.parent / "module_utils")]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def hashed(passwords: dict[str, str]) -> dict[str, str]:
    sys.path.insert(0, str(ROOT / "playbooks/filter_plugins"))
    try:
        from credentials import directory_passwords  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    made: dict[str, str] = directory_passwords(passwords)
    return made


def person(name: str, full_name: str = "Ada Whitehall", *groups: str) -> dict[str, Any]:
    return {"name": name, "full_name": full_name, "email": f"{name}@alpha.example", "groups": list(groups)}


@dataclass(frozen=True)
class Server:
    """An agency's server, and what was ordered last."""

    folder: Path
    port: int
    authority: str
    ordered: dict[str, Any] = field(default_factory=dict)

    def order(self, *people: dict[str, Any], groups: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
        facts = {"people": list(people), "groups": list(groups), "everyone": "agency-alpha-agency"}
        self.ordered.update(facts)
        return asked(
            "directory_entries",
            **facts,
            **{"title": "Alpha", **more},
            socket=str(self.folder / "ldapi"),
            base=BASE,
            first_number=1900010000,
            passwords=hashed({one["name"]: f"word of {one['name']}" for one in people}),
            services=hashed(SECRETS),
        )

    def use(self, **more: Any) -> str:
        """What is wrong with it, or nothing."""
        passwords = {one["name"]: f"word of {one['name']}" for one in self.ordered["people"]}
        told = {**self.ordered, "passwords": passwords, "services": SECRETS, "authority": self.authority, **more}
        answer = asked("directory_login", host="127.0.0.1", port=self.port, base=BASE, **told)
        assert not answer.get("changed")
        return str(answer.get("msg", ""))

    def entries(self) -> str:
        done = subprocess.run(
            [program("slapcat"), "-f", self.folder / "slapd.conf", "-o", "ldif-wrap=no"],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def numbers(self) -> dict[str, str]:
        """Numbers of people by name."""
        parts = [dict(line.split(": ", 1) for line in entry.splitlines() if ": " in line)
                 for entry in self.entries().split("\n\n") if "\nuid: " in entry]  # fmt: skip
        return {part["uid"]: part["uidNumber"] for part in parts}


def configuration(folder: Path, **certificates: str) -> str:
    """The role's own, in a folder of the test's."""
    for name, text in certificates.items():
        (folder / name).write_text(text)
    template = (ROOT / "playbooks/roles/identity/templates/slapd.conf.j2").read_text()
    names = {"__identity_folder": folder, "__identity_base": BASE, "__identity_data": folder / "data"}
    text = jinja2.Environment(autoescape=False).from_string(template).render(**names, __identity_unit="unit")
    return text.replace("/run/credentials/unit/key", f"{folder}/key").replace("server.pem", "certificate")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    program("slapd")
    with tempfile.TemporaryDirectory(prefix="d") as place:
        folder, port = Path(place), free_port()
        facts = {"agency": "Alpha", "domain": "alpha.example", "host": "id1", "address": "127.0.0.1"}
        made = asked("agency_certificate", key="eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg=", valid=VALID, **facts)
        (folder / "data").mkdir()
        text = configuration(folder, certificate=made["certificate"], key=made["private_key"])
        (folder / "slapd.conf").write_text(text)
        where = f"ldaps://127.0.0.1:{port} ldapi://{str(folder / 'ldapi').replace('/', '%2F')}"
        command = (program("slapd"), "-f", folder / "slapd.conf", "-h", where, "-d", "0")
        with running(*command, ready=lambda: listens(port)):
            yield Server(folder, port, made["authority"])


def test_entries_are_as_ordered_and_a_second_time_changes_nothing(server: Server) -> None:
    people = (person("ada", "Ada Whitehall", "finance"), person("bob"))
    assert server.order(*people, groups=("finance", "empty"))["changed"]
    assert not server.order(*people, groups=("finance", "empty"))["changed"]
    assert server.use() == ""
    assert "memberUid: ada" in server.entries()


def test_a_prediction_says_what_would_change_and_changes_nothing(server: Server) -> None:
    server.order(person("ada"))
    before = server.entries()
    told = server.order(person("bob"), _ansible_check_mode=True, _ansible_diff=True)
    assert told["changed"]
    assert "uid=ada,ou=people,o=alpha-agency uid: ada" in told["diff"]["before"]
    assert "uid=bob,ou=people,o=alpha-agency uid: bob" in told["diff"]["after"]
    assert "$2a$" not in str(told)
    assert server.entries() == before


def test_who_left_is_refused_and_their_number_is_not_given_out_again(server: Server) -> None:
    server.order(person("ada"), person("bob"))
    numbers = server.numbers()
    server.order(person("ada"))
    assert server.use() == ""
    assert "uid=bob" not in server.entries()
    server.order(person("ada"), person("carol"), person("bob"))
    again = server.numbers()
    assert again["ada"] == numbers["ada"]
    assert min(int(again["carol"]), int(again["bob"])) > max(map(int, numbers.values()))


def test_a_number_is_not_given_out_twice_although_the_note_of_the_highest_is_lost(server: Server) -> None:
    server.order(person("ada"), person("bob"))
    before = server.numbers()
    changed = ["modify", "ou=people,o=alpha-agency", {"uidNumber": [("MODIFY_REPLACE", ["1900010000"])]}]
    as_root(server, *changed)
    server.order(person("ada"), person("bob"), person("dan"))
    assert int(server.numbers()["dan"]) > max(map(int, before.values()))


def as_root(server: Server, operation: str, *what: Any) -> None:
    """Change the directory by hand."""
    place = ldap3.Server(f"ldapi://{server.folder / 'ldapi'}", get_info=ldap3.NONE)
    with ldap3.Connection(place, authentication=ldap3.SASL, sasl_mechanism="EXTERNAL", sasl_credentials="") as root:
        assert getattr(root, operation)(*what), root.result


STRAY = ("add", "uid=eve,ou=people,o=alpha-agency", ["account", "simpleSecurityObject"], {"userPassword": "{CRYPT}x"})
BY_HAND = [
    (STRAY, "who are not those ordered"),
    (("delete", "uid=ada,ou=people,o=alpha-agency"), "who are not those ordered"),
    (("delete", "cn=finance,ou=groups,o=alpha-agency"), "which are not those ordered"),
    (("delete", "ou=canaries,o=alpha-agency"), "canary does not find its own place"),
    (
        ("modify", "uid=ada,ou=people,o=alpha-agency", {"mail": [("MODIFY_REPLACE", ["eve@elsewhere.example"])]}),
        "and not themselves as ordered",
    ),
    (
        ("modify", "uid=ada,ou=people,o=alpha-agency", {"userPassword": [("MODIFY_REPLACE", ["{CRYPT}x"])]}),
        "cannot log in: invalidCredentials",
    ),
    (
        ("modify", "cn=finance,ou=groups,o=alpha-agency", {"memberUid": [("MODIFY_ADD", ["bob"])]}),
        "which are not those ordered",
    ),
]


@pytest.mark.parametrize(("by_hand", "complaint"), BY_HAND)
def test_changes_by_hand_are_noticed_and_corrected(server: Server, by_hand: Any, complaint: str) -> None:
    people = (person("ada", "Ada Whitehall", "finance"), person("bob"))
    server.order(*people, groups=("finance",))
    as_root(server, *by_hand)
    assert complaint in server.use()
    assert server.order(*people, groups=("finance",))["changed"]
    assert server.use() == ""
    assert "uid=eve" not in server.entries()


def test_a_server_that_somebody_else_vouches_for_is_refused(server: Server) -> None:
    server.order(person("ada"))
    facts = {"agency": "Alpha", "domain": "alpha.example", "host": "id1", "address": "127.0.0.1"}
    other = asked("agency_certificate", key="eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXk=", **facts)["authority"]
    assert "certificate verify failed" in server.use(authority=other)


def test_a_hostile_name_stays_a_name(server: Server, tmp_path: Path) -> None:
    texts = [text[: LINE.longest] for text in hostile(tmp_path / "proof") if text.isprintable()]
    people = [person(f"person{n}", text) for n, text in enumerate(texts)]
    assert "msg" not in server.order(*people, title=texts[0])
    assert server.use() == ""
    assert not server.order(*people, title=texts[0])["changed"]
    assert list(tmp_path.iterdir()) == []


NAMES = st.from_regex(LINE.pattern, fullmatch=True).filter(lambda text: len(text) <= LINE.longest)


@settings(max_examples=3, deadline=None)
@example(full_names=[" ", " Ada", "Ada  Whitehall "])
@given(full_names=st.lists(NAMES, min_size=10, max_size=30))
def test_any_name_that_a_call_off_may_have_comes_back_as_it_is(server: Server, full_names: list[str]) -> None:
    people = [person(f"person{n}", name) for n, name in enumerate(full_names)]
    assert "msg" not in server.order(*people)
    assert server.use() == ""
    assert not server.order(*people)["changed"]


def used(server: Server, *questions: dict[str, Any], address: str = "localhost") -> list[dict[str, Any]]:
    """What the program answers that uses a restored directory, where its certificate does not name the address."""
    roles = ROOT / "playbooks/roles"
    passwords = {one["name"]: f"word of {one['name']}" for one in server.ordered["people"]}
    introduction = {
        "address": address,
        "authority": server.authority,
        "agency": {"id": "alpha-agency"},
        "hosts": {"directory": [{"name": "id1", "address": "127.0.0.1"}]},
        "allocation": {"directory_port": str(server.port)},
        "parameters": {"people": server.ordered["people"]},
        "secrets": {"people_passwords": passwords, "canary_password": SECRETS["canary"]},
    }
    done = subprocess.run(
        [sys.executable, roles / "identity/files/user.py"],
        input="\n".join(map(json.dumps, [introduction, *questions])),
        env={**os.environ, "PYTHONPATH": str(roles / "disaster_recovery/files/users")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *answers = map(json.loads, done.stdout.splitlines())
    assert first == {"ok": True}
    return answers


def canary(number: int) -> dict[str, Any]:
    return {"op": "write", "number": number, "text": f"canary {number} {number:064x}"}


def test_a_restored_directory_is_used_as_the_live_one_and_keeps_canaries(server: Server) -> None:
    server.order(person("ada"))
    told = used(server, {"op": "probe"}, *map(canary, (9, 10, 10, 11)), {"op": "read", "first": 10})
    assert told[0] == {"ok": True, "detail": "Ada Whitehall logged in, and is ada@alpha.example"}
    assert told[1:5] == [{"ok": True}] * 4
    assert told[5] == {"ok": True, "records": [canary(number)["text"] for number in (10, 11)]}
    assert not server.order(person("ada"))["changed"], "they stay"
    assert server.use() == "", "and nobody else sees them"


def test_a_directory_keeps_the_newest_canaries_only(server: Server) -> None:
    server.order(person("ada"))
    used(server, canary(12), canary(4012))
    assert "cn=12,ou=canaries" not in server.entries()
    assert "cn=4012,ou=canaries" in server.entries()


def test_a_directory_that_does_not_answer_cannot_be_used(server: Server) -> None:
    server.order(person("ada"))
    [told] = used(server, {"op": "probe"}, address="127.0.0.2")
    assert not told["ok"]
    assert "does not answer" in told["detail"]
