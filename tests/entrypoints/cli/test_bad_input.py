"""Bad input ends in a clear error with the right exit code, and changes nothing."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import WORLD
from tests.entrypoints.cli.conftest import InProcess

GOOD = {
    "framework": "trial",
    "agency": {
        "id": "good",
        "name": "Good",
        "class": "agency",
        "seats": 10,
        "contacts": [{"role": "manager", "name": "M", "email": "m@a.example"}],
    },
    "site": "bench",
    "term": {"start": "2026-12-01", "months": 12},
    "services": {"alpha": {"tier": "standard"}},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The valid order with one change."""
    document = json.loads(json.dumps(GOOD))
    *parents, last = path.split(".")
    at = document
    for part in parents:
        at = at[part]
    at[last] = value
    return document


@pytest.fixture
def orchestrator(swift: InProcess) -> InProcess:
    return swift


@pytest.fixture
def refuse(orchestrator: InProcess) -> Any:
    """Plan a file that must be refused. Returns what the user sees."""

    def refuse(content: str | bytes, *, expect: int) -> str:
        file = orchestrator.folder / "bad.yml"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        said = orchestrator("plan", file, expect=expect)
        assert said.stdout == ""
        assert "Traceback" not in said.stderr
        assert orchestrator.json("agency", "list") == {"agencies": []}
        return said.stderr

    return refuse


class TestAFileThatCannotBeRead:
    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"\xff\xfe\x00", "is not UTF-8 text"),
            ("", "bad.yml:1: is empty"),
            ("# nothing but a remark\n", "bad.yml:1: is empty"),
            ("a: 1\nb: !!python/tuple [1]\n", "bad.yml:2: 'tag:yaml.org,2002:python/tuple' is not allowed here"),
            ("a: 1\n? [b, c]\n: 2\n", "bad.yml:2: a key must be a word"),
            ("a: 1\nb: !!int many\n", "bad.yml:2: 'many': "),
            ("a: [1\nb: 2\n", "bad.yml:2: did not find expected ',' or ']'"),
            ("a: 1\nb: 2\na: 3\n", "bad.yml:3: key 'a' is given twice"),
            ("a: &x [1]\nb: *x\n", "aliases (&name, *name) are not allowed"),
            ("a: !!python/object:os.system 1\n", "could not determine a constructor"),
            ("[" * 5000, "bad.yml:1: is nested more than 30 levels deep"),
            ("# " + "x" * 300_000, "is larger than 256,000 bytes"),
            ("just text", "must be a mapping"),
        ],
        ids=lambda value: str(value)[:20],
    )
    def test_is_refused_with_its_line(self, refuse: Any, content: str | bytes, says: str) -> None:
        assert says in refuse(content, expect=2)

    def test_with_an_impossible_date_is_refused_with_all_its_other_problems(self, refuse: Any) -> None:
        """Days and keys are taken literally, not as YAML interprets them."""
        text = yaml.safe_dump(changed("agency.seats", 0)).replace("'2026-12-01'", "2026-02-30")
        said = refuse(f"{text}1: x\nyes: y\n2026-01-01: z\n", expect=2)
        lines = text.splitlines()
        start = next(n for n, line in enumerate(lines, 1) if "2026-02-30" in line)
        seats = next(n for n, line in enumerate(lines, 1) if "seats:" in line)
        assert f"bad.yml:{start}: term.start: '2026-02-30': must be a date" in said
        assert f"bad.yml:{seats}: agency.seats: 0: must be a whole number" in said
        for line, key in enumerate(("1", "yes", "2026-01-01"), len(lines) + 1):
            assert f"bad.yml:{line}: {key}: unknown key" in said

    def test_is_reported_if_it_does_not_exist(self, orchestrator: InProcess) -> None:
        assert "no such file" in orchestrator("plan", "/nowhere/order.yml", expect=4).stderr


class TestAnOrder:
    @pytest.mark.parametrize(
        ("path", "value", "says"),
        [
            ("agency.id", "../../etc/passwd", "agency.id: '../../etc/passwd': must be lower-case letters"),
            ("agency.id", "a; rm -rf /", "must be lower-case letters"),
            ("agency.id", "$(reboot)", "must be lower-case letters"),
            ("agency.id", "a" * 21, "at most 20 characters"),
            ("agency.name", "two\nlines", "must be one line of printable text"),
            ("agency.seats", "many", "must be a whole number from 1 to 1,000,000"),
            ("agency.seats", 0, "must be a whole number"),
            ("agency.contacts", [], "must be a list of contacts"),
            ("term.start", "soon", "must be a date such as 2026-12-01"),
            ("term.start", "2026-02-30", "must be a date such as 2026-12-01"),
            ("term.start", "2026-W49-1", "must be a date such as 2026-12-01"),
            ("term.months", -3, "must be a whole number"),
            ("colour", "red", "colour: unknown key"),
            ("framework", "trail", "'trail' is not one of trial, did you mean 'trial'?"),
            ("site", "atlantis", "'atlantis' is not one of bench"),
            ("services.alhpa", {"tier": "standard"}, "unknown key, did you mean 'alpha'?"),
            ("services.alpha.tier", "golden", "'golden' is not one of large, standard"),
            ("services.alpha.quantity", 3, "quantity: unknown key"),
            ("services.alpha.parameters", {"sleep": 99999}, "services.alpha.parameters.sleep"),
            ("services.alpha.parameters", {"slep": 1}, "did you mean 'sleep'?"),
            ("services", {}, "must be a mapping of components"),
            ("recovery", {"time_zon": "UTC"}, "unknown key, did you mean 'time_zone'?"),
            ("recovery", {"time_zone": "Europe/Lundon"}, "recovery.time_zone: 'Europe/Lundon' is not a time zone"),
            ("recovery", {"windows": []}, "must be a list of hours in which drills may run, with at least one"),
            (
                "recovery",
                {"windows": [{"start": "25:00", "end": "04:00"}]},
                'must be hours and minutes, such as "22:30"',
            ),
            ("recovery", {"blackouts": [{"start": "Xmas", "end": "2027-01-03"}]}, "must be a day such as 2026-12-24"),
            ("recovery", {"blackouts": [{"start": "2027-01-03", "end": "2027-01-02"}]}, "before it starts on"),
            ("recovery", {"worst_moment_share": 2}, "must be a share of all drills from 0 to 1"),
        ],
        ids=lambda value: str(value)[:30],
    )
    def test_with_a_wrong_value_is_refused_with_the_right_ones(
        self, refuse: Any, path: str, value: Any, says: str
    ) -> None:
        said = refuse(json.dumps(changed(path, value), indent=1), expect=2)
        assert says in said
        assert "bad.yml:" in said

    @pytest.mark.parametrize(
        ("path", "value", "says"),
        [
            (
                "agency.class",
                "school",
                "class 'school' may not buy under Trial agreement; eligible: central-government, agency",
            ),
            ("term", {"start": "2026-12-01", "months": 240}, "after the end of the framework on 2033-01-01"),
            ("term", {"start": "2020-01-01", "months": 12}, "outside the framework's"),
        ],
    )
    def test_that_the_agreement_does_not_cover_is_refused_as_such(
        self, refuse: Any, path: str, value: Any, says: str
    ) -> None:
        assert says in refuse(json.dumps(changed(path, value), indent=1), expect=3)

    def test_is_refused_with_all_its_problems_at_once(self, refuse: Any) -> None:
        said = refuse(
            """\
framework: trial
agency:
  id: UPPER
  name: N
  class: school
  seats: 0
  contacts: [{role: r, name: n, email: nobody}]
  shoe: 43
site: atlantis
term: {start: 2026-12-01, months: 240}
services:
  delta: {tier: standard}
""",
            expect=2,
        )
        lines = [line.strip() for line in said.splitlines() if re.search(r"bad\.yml:\d", line)]
        places = [line.split(": ")[:2] for line in lines]
        assert [(p.rsplit(":", 1)[1], at) for p, at in places] == [
            ("3", "agency.id"),
            ("5", "agency.class"),
            ("6", "agency.seats"),
            ("7", "agency.contacts.0.email"),
            ("8", "agency.shoe"),
            ("9", "site"),
            ("10", "term"),
        ]

    def test_over_the_ceiling_is_refused_to_the_penny(self, orchestrator: InProcess) -> None:
        """1,000,000.00 is the ceiling: 124,987 seats at £8 and alpha at £100 for a year make £999,996.00."""
        fits = orchestrator.folder / "fits.yml"
        document = changed("agency.seats", 124_987)
        fits.write_text(json.dumps(document))
        assert orchestrator.json("plan", fits)["cost"]["term_total"] == "999996.00"
        document["agency"]["seats"] += 1
        fits.write_text(json.dumps(document))
        said = orchestrator("plan", fits, expect=3).stderr
        assert "would exceed its ceiling of £1,000,000.00: £1,000,004.00 with this order" in said


class TestACatalog:
    @pytest.fixture
    def copy(self, orchestrator: InProcess) -> Path:
        shutil.copytree(WORLD / "catalog", orchestrator.folder / "catalog")
        return orchestrator.folder / "catalog"

    def lint(self, orchestrator: InProcess, copy: Path) -> str:
        return orchestrator("catalog", "lint", expect=2, ORCHESTRATOR_CATALOG=str(copy)).stderr

    def test_with_a_component_twice_is_refused(self, orchestrator: InProcess, copy: Path) -> None:
        shutil.copy(copy / "components/alpha.yml", copy / "components/zeta.yml")
        assert "component 'alpha' is in the catalog twice" in self.lint(orchestrator, copy)

    def test_with_circular_needs_is_refused(self, orchestrator: InProcess, copy: Path) -> None:
        alpha = copy / "components/alpha.yml"
        alpha.write_text(alpha.read_text().replace("needs: []", "needs: [delta]"))
        said = self.lint(orchestrator, copy)
        assert "circular needs" in said
        assert "delta" in said

    def test_with_a_misspelt_key_is_refused_with_its_line(self, orchestrator: InProcess, copy: Path) -> None:
        alpha = copy / "components/alpha.yml"
        alpha.write_text(alpha.read_text().replace("tenancy: shared", "tenanzy: shared"))
        said = self.lint(orchestrator, copy)
        assert "alpha.yml:6: tenanzy: Extra inputs are not permitted" in said
        assert "tenancy: Field required" in said

    def test_whose_people_cannot_be_given_passwords_is_refused(self, orchestrator: InProcess, copy: Path) -> None:
        alpha = copy / "components/alpha.yml"
        alpha.write_text(alpha.read_text().replace("secrets:", "people: {sleep: door}\nsecrets:"))
        said = self.lint(orchestrator, copy)
        assert "people.sleep: there is no parameter 'sleep' that is a list" in said
        assert "people.sleep: there is no secret 'door' that is a password" in said

    @pytest.mark.parametrize(
        ("probe", "complaint"),
        [
            ("{kind: telnet, target: x, every: PT1M}", "probes.0.kind: Input should be 'dns', 'tcp', 'http', 'ssh'"),
            (
                "{kind: tcp, target: '{plaze_address}:1', every: PT1M}",
                "unknown name {plaze_address}; known here: ",
            ),
            ("{kind: tcp, target: '{place_address', every: PT1M}", "probes.0.target: is not a template: expected '}'"),
            ("{kind: tcp, target: x, every: PT0.1S}", "probes.0.every: Input should be greater than or equal to 1 sec"),
            (
                "{kind: ssh, target: x, every: PT1M, login: {people: nobody}}",
                "probes.0.login.people: there is no list of people 'nobody'",
            ),
        ],
    )
    def test_with_a_probe_that_could_never_run_is_refused_with_its_line(
        self, orchestrator: InProcess, copy: Path, probe: str, complaint: str
    ) -> None:
        alpha = copy / "components/alpha.yml"
        text = alpha.read_text()
        alpha.write_text(text.replace("endpoints:", f"probes:\n  - {probe}\nendpoints:"))
        line = text[: text.index("endpoints:")].count("\n") + 2
        said = self.lint(orchestrator, copy)
        assert (
            f"alpha.yml:{line}: {complaint.partition(': ')[0] if complaint.startswith('probes') else 'probes'}" in said
        )
        assert complaint in said

    def test_with_two_probes_of_the_same_name_is_refused(self, orchestrator: InProcess, copy: Path) -> None:
        alpha, probe = copy / "components/alpha.yml", "  - {kind: tcp, target: x, every: PT1M}\n"
        alpha.write_text(alpha.read_text().replace("endpoints:", f"probes:\n{probe}{probe}endpoints:"))
        assert "there are two probes named tcp; set `called` to name this one" in self.lint(orchestrator, copy)

    def test_whose_role_is_missing_is_refused(self, orchestrator: InProcess, copy: Path) -> None:
        alpha = copy / "components/alpha.yml"
        alpha.write_text(alpha.read_text().replace("role: journal", "role: ghost"))
        assert "there is no role" in self.lint(orchestrator, copy)

    def test_whose_role_cannot_restore_the_data_it_keeps_is_refused(self, orchestrator: InProcess, copy: Path) -> None:
        alpha = copy / "components/alpha.yml"
        alpha.write_text(alpha.read_text().replace("data: []", "data: [letters]"))
        said = self.lint(orchestrator, copy)
        assert "role journal has no tasks/restore.yml" in said
        assert "role journal has no tasks/backup.yml" not in said, "that one it has"


class TestAPool:
    def test_that_is_full_is_named_with_what_to_do(self, orchestrator: InProcess) -> None:
        for number in range(6):
            orchestrator("plan", orchestrator.order(f"agency-{'abcdef'[number]}"))
        said = orchestrator("plan", orchestrator.order("agency-g"), expect=5).stderr
        assert "the pool agency_numbers of bench is full: all 6 are taken" in said
        assert "What to do: enlarge agency_numbers" in said


class TestADatabase:
    def test_that_is_newer_than_the_code_is_left_alone(self, orchestrator: InProcess) -> None:
        database = orchestrator.home / "orchestrator.db"
        with sqlite3.connect(database) as connection:
            connection.execute("update alembic_version set version_num = '9999'")
        for words in (["agency", "list"], ["plan", orchestrator.order()], ["db", "upgrade"], ["init"]):
            said = orchestrator(*words, expect=5).stderr
            assert "newer than this version" in said
        with sqlite3.connect(database) as connection:
            assert connection.execute("select version_num from alembic_version").fetchall() == [("9999",)]

    def test_that_is_locked_is_unavailable_and_works_again_after(self, orchestrator: InProcess) -> None:
        order = orchestrator.order()
        lock = sqlite3.connect(orchestrator.home / "orchestrator.db", isolation_level=None)
        lock.execute("begin immediate")
        said = orchestrator("plan", order, expect=75, ORCHESTRATOR_DATABASE__BUSY_SECONDS="0.3").stderr
        assert "the database did not answer: database is locked" in said
        lock.execute("rollback")
        lock.close()
        orchestrator("plan", order)

    def test_that_is_not_a_database_is_reported(self, orchestrator: InProcess) -> None:
        (orchestrator.home / "orchestrator.db").write_bytes(b"not a database at all" * 100)
        said = orchestrator("agency", "list", expect=75).stderr
        assert "is not a database" in said


class TestAnEncryptionKey:
    def test_that_others_can_read_is_refused(self, orchestrator: InProcess) -> None:
        (orchestrator.home / "secret.key").chmod(0o644)
        said = orchestrator("apply", orchestrator.order(services={"alpha": {}}), "--yes", expect=2).stderr
        assert "can be read by others (mode 0644)" in said


class TestSettings:
    def test_that_are_wrong_are_named_by_their_variables(self, orchestrator: InProcess) -> None:
        said = orchestrator("catalog", "list", expect=2, ORCHESTRATOR_HTTP__PORT="many").stderr
        assert "ORCHESTRATOR_HTTP__PORT" in said

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("ORCHESTRATOR_RETENTION__AGENCIES", "{malformed"),
            ("ORCHESTRATOR_RETENTION__AGENCIES", '{"a": 99999999999}'),
            ("ORCHESTRATOR_RETENTION", "[1]"),
            ("ORCHESTRATOR_DATABASE__BUSY_SECONDS", "inf"),
            ("ORCHESTRATOR_DATABASE__BUSY_SECONDS", "nan"),
            ("ORCHESTRATOR_WORKER__LEASE_SECONDS", "1e308"),
            ("ORCHESTRATOR_RETENTION__DAYS", "99999999999999999999"),
        ],
    )
    def test_with_impossible_values_are_refused(self, orchestrator: InProcess, name: str, value: str) -> None:
        said = orchestrator("agency", "list", expect=2, **{name: value}).stderr
        assert "the settings are invalid" in said


class TestNumbers:
    @pytest.mark.parametrize("number", [2**63, 10**40, 0, -1, "²", "1e3"])
    @pytest.mark.parametrize("command", [("run", "show"), ("drill", "show"), ("sla", "end"), ("apply",)])
    def test_that_are_impossible_are_refused(
        self, orchestrator: InProcess, command: tuple[str, ...], number: object
    ) -> None:
        done = subprocess.CompletedProcess([], 0, "", "")
        for code in (2, 4):
            with suppress(AssertionError):
                done = orchestrator(*command, number, expect=code)
        assert done.returncode in (2, 4)

    def test_of_runs_that_do_not_exist_start_nothing(self, orchestrator: InProcess) -> None:
        assert "there is no run 7" in orchestrator("run", "follow", 7, "--json", expect=4).stderr
        assert not list((orchestrator.home / "workers").glob("*"))


class TestASitesFiles:
    @pytest.mark.parametrize("content", ["a string", "[]", "7", "hosts", "alphas: a string", "alphas: {hosts: [a]}"])
    def test_that_are_not_an_inventory_are_refused(self, orchestrator: InProcess, content: str) -> None:
        inventories = orchestrator.folder / "inventories"
        shutil.copytree(WORLD / "inventories", inventories)
        (inventories / "bench" / "hosts.yml").write_text(content)
        said = orchestrator("catalog", "lint", expect=2, ORCHESTRATOR_INVENTORIES=str(inventories)).stderr
        assert "hosts.yml" in said


class TestSpecialFiles:
    @pytest.mark.parametrize("words", [("plan",), ("apply",), ("drill", "blackouts"), ("drill", "verify")])
    def test_are_refused_as_input(self, orchestrator: InProcess, words: tuple[str, ...]) -> None:
        os.mkfifo(orchestrator.folder / "pipe")
        for path in (orchestrator.folder / "pipe", Path("/dev/zero")):
            assert "is not a file" in orchestrator(*words, path, expect=2).stderr

    def test_and_folders_are_not_overwritten_by_a_calendar(self, orchestrator: InProcess) -> None:
        said = orchestrator("drill", "calendar", "--ics", orchestrator.folder, expect=2).stderr
        assert "cannot be written: Is a directory" in said


class TestAnUnknown:
    @pytest.mark.parametrize(
        "words", [("run", "show", 7), ("agency", "show", "nobody"), ("catalog", "show", "nothing"), ("apply", 99)]
    )
    def test_name_or_number_is_not_found(self, orchestrator: InProcess, words: tuple[object, ...]) -> None:
        assert "there is no" in orchestrator(*words, expect=4).stderr

    def test_command_is_a_usage_error(self, orchestrator: InProcess) -> None:
        orchestrator("fly", expect=2)
