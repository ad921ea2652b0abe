"""Whatever its arguments and files contain, a command ends soon, with a known exit code, and without much memory.

`make test` tries a little of it and `make attack` several thousand: a valid file with pieces removed, doubled, moved or
replaced, and words in any order.
"""

import json
import resource
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.entrypoints.cli.app import run
from orchestrator.entrypoints.failures import CHANGES_PENDING, MEANING
from tests.conftest import ROOT, WORLD
from tests.domain.recovery.test_evidence_seal import sealed

CODES = {0, CHANGES_PENDING, *(meaning.exit_code for meaning in MEANING.values())}
SECONDS = 5.0
KILOBYTES = 350_000
"""More than the tests' own process took before."""

thoroughly = settings(
    max_examples=settings.default.max_examples // 4,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
pytestmark = [pytest.mark.attack, pytest.mark.slow]

NASTY = [
    "", "\x00", "\x1b[31m", "\ufeff", "\ud7ff", "\U0001d54f", "{{ 7 * 7 }}", "{% raw %}", "${jndi}", "$(id)",
    "`id`", "../../etc/passwd", "/dev/zero", "&a *a", "!!python/object:os.system", "!unsafe", "? ", "- - - -",
    "{}", "[]", "null", "~", "yes", "1e999", "0x7fffffffffffffff", "-1", ".inf", ".nan", "9" * 400,
    "2026-02-30", "P99999999999999D", "a" * 5000, "\r\n", "\t", "'", '"', "\\", ": ", "#", "%", "<<: *a",
    "---\n",
]  # fmt: skip


def pieces(text: str) -> list[str]:
    """What stands between blanks and line breaks, and those."""
    found: list[str] = []
    for line in text.splitlines(keepends=True):
        found += line.partition(":")
    return [piece for piece in found if piece]


@st.composite
def damaged(draw: st.DrawFn, text: str) -> bytes:
    """The text after a few accidents."""
    parts = pieces(text)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(parts) - 1)) if parts else 0
        accident = draw(st.sampled_from(["remove", "double", "replace", "insert", "swap", "cut"]))
        nasty = draw(st.sampled_from(NASTY) | st.text(max_size=20))
        if accident == "remove":
            del parts[place : place + draw(st.integers(1, 6))]
        elif accident == "double":
            parts[place:place] = parts[place : place + draw(st.integers(1, 40))]
        elif accident == "replace" and parts:
            parts[place] = nasty
        elif accident == "swap" and parts:
            other = draw(st.integers(0, len(parts) - 1))
            parts[place], parts[other] = parts[other], parts[place]
        elif accident == "cut":
            parts = parts[:place]
        else:
            parts.insert(place, nasty)
    content = "".join(parts).encode(errors="surrogatepass")
    if draw(st.booleans()) and content:
        spot = draw(st.integers(0, len(content) - 1))
        content = content[:spot] + draw(st.binary(max_size=4)) + content[spot + 1 :]
    return content


@dataclass
class Attacked:
    """A command line of its own, and how it may end."""

    folder: Path

    def ends(self, *words: object) -> int:
        """Run a command, which must end as commands do, in time."""
        began = time.process_time()
        code = run([str(word) for word in words])
        assert code in CODES, words
        assert time.process_time() - began < SECONDS, words
        return code


@pytest.fixture
def attacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attacked]:
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(tmp_path / "home"))
    for name in ("catalog", "playbooks", "inventories"):
        monkeypatch.setenv(f"ORCHESTRATOR_{name.upper()}", str(WORLD / name))
    assert run(["init"]) == 0
    before = largest()
    yield Attacked(tmp_path)
    assert largest() < before + KILOBYTES


def largest() -> int:
    """Kilobytes that this process, or any that it started and that ended, ever took."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


CALL_OFF = (ROOT / "examples/cabinet-office.yml").read_text()
COMPONENT = (ROOT / "catalog/components/service-desk.yml").read_text()
FLEX = (ROOT / "catalog/frameworks/flex.yml").read_text()
PAN_LONDON = (ROOT / "catalog/frameworks/pan-london.yml").read_text()
HOSTS = (ROOT / "inventories/practice/hosts.yml").read_text()
FACTS = (ROOT / "inventories/practice/group_vars/all.yml").read_text()
CALENDAR = "\r\n".join(
    ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VEVENT", "UID:1", "DTSTAMP:20260101T000000Z",
     "DTSTART:20270101T080000Z", "DTEND:20270101T180000Z", "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=10", "SUMMARY:Closed",
     "END:VEVENT", "END:VCALENDAR", ""]
)  # fmt: skip
EVIDENCE = json.dumps(sealed(), indent=1)
WORDS = [
    "agency", "backup", "catalog", "db", "drift", "drill", "plan", "probe", "run", "sla", "apply", "list",
    "show", "prune", "lint", "schema", "calendar", "blackouts", "verify", "report", "key", "approve", "reject",
    "declare", "accept", "close", "openslo", "cancel", "--json", "--agency", "--limit", "--yes", "--after",
    "--month", "--detailed-exitcode", "--help", "--out", "--ics", "a-one",
]  # fmt: skip
WAITING = {"serve", "worker", "practice", "init", "follow", "resume", "start"}


class TestDamagedFiles:
    @pytest.fixture
    def copied(self, attacked: Attacked, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The project's own catalogue, playbooks and inventories, to be damaged."""
        for name in ("catalog", "inventories"):
            shutil.copytree(ROOT / name, attacked.folder / name)
            monkeypatch.setenv(f"ORCHESTRATOR_{name.upper()}", str(attacked.folder / name))
        monkeypatch.setenv("ORCHESTRATOR_PLAYBOOKS", str(ROOT / "playbooks"))
        return attacked.folder

    @thoroughly
    @given(content=damaged(CALL_OFF))
    def test_given_as_a_call_off_cause_a_known_exit_code(self, attacked: Attacked, content: bytes) -> None:
        (attacked.folder / "a.yml").write_bytes(content)
        attacked.ends("plan", attacked.folder / "a.yml")

    @pytest.mark.parametrize(
        ("file", "text"),
        [
            ("catalog/components/service-desk.yml", COMPONENT),
            ("catalog/frameworks/flex.yml", FLEX),
            ("catalog/frameworks/pan-london.yml", PAN_LONDON),
            ("inventories/practice/hosts.yml", HOSTS),
            ("inventories/practice/group_vars/all.yml", FACTS),
        ],
    )
    def test_of_the_project_itself_cause_a_known_exit_code(
        self, attacked: Attacked, copied: Path, file: str, text: str
    ) -> None:
        @thoroughly
        @given(content=damaged(text))
        def read(content: bytes) -> None:
            (copied / file).write_bytes(content)
            attacked.ends("catalog", "lint")

        read()

    @thoroughly
    @given(content=damaged(EVIDENCE))
    def test_given_as_evidence_are_never_accepted(self, attacked: Attacked, content: bytes) -> None:
        (attacked.folder / "e.json").write_bytes(content)
        assert attacked.ends("drill", "verify", attacked.folder / "e.json") != 0

    @settings(thoroughly, max_examples=settings.default.max_examples // 20)
    @given(content=damaged(CALENDAR))
    def test_given_as_a_calendar_cause_a_known_exit_code(self, attacked: Attacked, content: bytes) -> None:
        (attacked.folder / "c.ics").write_bytes(content)
        attacked.ends("drill", "blackouts", attacked.folder / "c.ics")


class TestAnyWords:
    @thoroughly
    @given(words=st.lists(st.sampled_from(WORDS) | st.sampled_from(NASTY) | st.text(max_size=10), max_size=6))
    def test_given_as_a_command_cause_a_known_exit_code(self, attacked: Attacked, words: list[str]) -> None:
        attacked.ends(*(word for word in words if word not in WAITING))

    @thoroughly
    @given(
        name=st.sampled_from(
            [
                "RETENTION",
                "RETENTION__DAYS",
                "RETENTION__AGENCIES",
                "DATABASE__BUSY_SECONDS",
                "WORKER__RUNS",
                "HTTP__HOSTS",
                "LIMITS",
            ]
        ),
        value=st.sampled_from([word for word in NASTY if "\x00" not in word])
        | st.from_regex(r"[\[\]{}:,0-9a-z\"]{0,12}", fullmatch=True),
    )
    def test_given_as_a_setting_cause_a_known_exit_code(self, attacked: Attacked, name: str, value: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(f"ORCHESTRATOR_{name}", value)
            attacked.ends("run", "list")
