"""What the recovery host's programs decide by themselves, without a host."""

import importlib
import io
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT

PLAYBOOKS = ROOT / "playbooks"
FOLDERS = [
    PLAYBOOKS / "roles/disaster_recovery/files/recovery",
    PLAYBOOKS / "roles/disaster_recovery/files/users",
    PLAYBOOKS / "module_utils",
    PLAYBOOKS / "filter_plugins",
]


def load(name: str) -> ModuleType:
    """A program's module, found as on the host: beside its fellows."""
    sys.path[:0] = map(str, FOLDERS)
    try:
        return importlib.import_module(name)
    finally:
        del sys.path[: len(FOLDERS)]


class TestALease:
    @pytest.fixture
    def leases(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
        module = load("leases")
        monkeypatch.setattr(module, "DRILLS", tmp_path / "drills")
        monkeypatch.setattr(module, "LOCKS", tmp_path / "locks")
        yield module

    def test_exists_as_soon_as_its_folder_does(self, leases: ModuleType) -> None:
        drill = leases.Drill(7)
        assert drill.expiry() == 0
        before = time.time()
        drill.begin(60)
        # Leases are kept in milliseconds.
        assert before + 59.999 < drill.expiry() < time.time() + 60.001
        assert leases.live_drills() == [drill]

    def test_is_given_once(self, leases: ModuleType) -> None:
        leases.Drill(7).begin(60)
        with pytest.raises(leases.DrillError, match="drill 7 exists"):
            leases.Drill(7).begin(60)

    def test_that_ran_out_stays_expired(self, leases: ModuleType) -> None:
        drill = leases.Drill(7)
        drill.begin(-1)
        with pytest.raises(leases.DrillError, match="no lease any more"):
            drill.renew(60)

    def test_of_a_drill_that_does_not_exist_is_distinguished_from_other_errors(self, leases: ModuleType) -> None:
        leases.Drill(8).begin(60)
        leases.Drill(8).insist()
        with pytest.raises(leases.DrillGoneError, match="drill 7 has no lease any more"):
            leases.Drill(7).renew(60)

    def test_does_not_survive_a_restart(self, leases: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        """No bubble does."""
        drill = leases.Drill(7)
        drill.begin(60)
        assert leases.machine() == leases.machine()
        monkeypatch.setattr(leases, "machine", lambda: "started later")
        assert drill.expiry() == 0
        with pytest.raises(leases.DrillGoneError):
            drill.renew(60)

    def test_ends_a_running_operation_with_everything_it_started(self, leases: ModuleType, tmp_path: Path) -> None:
        """The operation is another process, which has started one of its own."""
        told = tmp_path / "child"
        program = (
            f"import leases, pathlib, subprocess; leases.LOCKS = pathlib.Path({str(leases.LOCKS)!r})\n"
            "with leases.Drill(7).alone():\n"
            f"    child = subprocess.Popen(['sleep', '60']); pathlib.Path({str(told)!r}).write_text(str(child.pid))\n"
            "    child.wait()"
        )
        operation = subprocess.Popen([sys.executable, "-c", program], cwd=FOLDERS[0])
        while not told.exists() or not told.read_text():
            time.sleep(0.01)
        with leases.Drill(7).void():
            assert operation.wait(timeout=10) == -signal.SIGKILL
        child = Path("/proc", told.read_text(), "stat")
        assert not child.exists() or child.read_text().split()[2] == "Z"
        assert list(leases.LOCKS.iterdir()) == []

    @given(number=st.integers(min_value=1, max_value=16383), other=st.integers(min_value=1, max_value=16383))
    def test_shares_its_addresses_with_no_other(self, number: int, other: int) -> None:
        module = load("leases")
        one, two = module.Drill(number).addresses, module.Drill(other).addresses
        assert (set(one) & set(two) == set()) == (number != other)


class TestAWayOut:
    @pytest.fixture
    def targets(self) -> Iterator[list[dict[str, Any]]]:
        """A door that is open, and one that turns away whoever knocks."""
        with socket.create_server(("127.0.0.1", 0)) as opened, socket.create_server(("127.0.0.1", 0)) as other:
            closed = other.getsockname()[1]
            other.close()
            yield [
                {"name": name, "address": "127.0.0.1", "port": port}
                for name, port in (("open", opened.getsockname()[1]), ("closed", closed))
            ]

    def test_is_tried_from_the_bubble_and_from_the_host(
        self, targets: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        leaks = load("leaks")

        def run(*command: str, text: str = "") -> str:
            if command == ("ip", "-netns", "drill-7", "-json", "address"):
                return json.dumps([{"ifname": "lo", "addr_info": [{"local": "127.0.0.1"}]}, {"ifname": "bubble0"}])
            if command[:4] != ("ip", "netns", "exec", "drill-7"):
                return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
            asked = json.loads(text)
            assert {link for _, link in asked} == {"bubble0"}, "it is an address of the bubble's own"
            return json.dumps([{**one, "blocked": True, "detail": "timed out"} for one, _ in asked])

        monkeypatch.setattr(leaks, "run", run)
        monkeypatch.setenv("PYTHONPATH", str(FOLDERS[0]))
        found = leaks.attempts(load("leases").Drill(7), targets)
        assert [(one["name"], one["blocked"], one["control"]) for one in found] == [
            ("open", True, True),
            ("closed", True, True),
        ], "who is turned away has got there"

    def test_that_leads_nowhere_is_blocked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        leaks = load("leaks")

        def nowhere(*_: object) -> None:
            raise OSError(113, "No route to host")

        monkeypatch.setattr(leaks.socket.socket, "connect", nowhere)
        assert leaks.attempt({"name": "far", "address": "192.0.2.1", "port": 443})["blocked"] is True

    def test_by_a_link_does_not_end_at_the_copy_itself(self, targets: list[dict[str, Any]]) -> None:
        """An address of this machine, reached through a link that leads nowhere."""
        name = f"leak{os.getpid() % 100_000}"
        pair = ["type", "veth", "peer", "name", f"{name}p"]
        made = subprocess.run(["ip", "link", "add", name, *pair], capture_output=True, check=False)
        if made.returncode != 0:
            pytest.skip("needs root, to make a link")
        try:
            leaks = load("leaks")
            subprocess.run(["ip", "link", "set", name, "up"], check=True)
            assert leaks.attempt(targets[0], name)["blocked"] is True
            assert leaks.attempt(targets[0])["blocked"] is False
        finally:
            subprocess.run(["ip", "link", "delete", name], check=True)


class Echo:
    """A user for whom everything is kept."""

    def __init__(self, _: Any) -> None:
        self.lines: list[str] = []

    def write(self, number: int, text: str) -> None:
        self.lines.append(f"{number} {text}")

    def read(self, first: int) -> list[str]:
        return self.lines[first - 1 :]

    def probe(self) -> str:
        raise ConnectionRefusedError(111, "Connection refused")


class Deaf:
    """A user for whom nothing is kept."""

    def __init__(self, _: Any) -> None: ...

    def probe(self) -> str:
        return "heard"


class TestAConversation:
    def talk(self, user: type, lines: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any) -> list[Any]:
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        load("conversation").talk(user)
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    def test_continues_after_an_error(self, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
        asked = ["{}", '{"op": "probe"}', "no JSON", '{"op": "write"}', '{"op": "dance"}', '{"op": "describe"}']
        asked += ['{"op": "write", "number": 1, "text": "canary"}', '{"op": "read", "first": 1}']
        told = self.talk(Echo, asked, monkeypatch, capsys)
        assert [answer["ok"] for answer in told] == [True, False, False, False, False, True, True, True]
        assert "Connection refused" in told[1]["detail"]
        assert told[3]["detail"] == "the question has no 'number'"
        assert told[5]["canary"] is True
        assert told[7]["records"] == ["1 canary"]

    @pytest.mark.parametrize(
        ("text", "older"),
        [
            ("canary 9 ab", True),
            ("canary 10 ab", False),
            ("canary 11 ab", False),
            ("canary of a mine", False),
            ("", False),
        ],
    )
    def test_leaves_out_canaries_older_than_a_given_number(self, text: str, older: bool) -> None:
        assert load("conversation").is_older(text, 10) is older

    def test_reads_no_more_of_a_desk_than_was_requested(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "conversation", load("conversation"))
        desk = runpy.run_path(str(PLAYBOOKS / "roles/service_desk/files/user.py"))
        comments = [f"canary {n} {'0' * 64}" for n in range(1, 1001)]
        pages: list[int] = []

        class Agent(desk["Agent"]):  # type: ignore[misc]
            def __init__(self) -> None:
                self._ticket = 7

            def _ask(self, status: int, method: str, path: str) -> dict[str, Any]:
                asked = dict(part.split("=") for part in path.partition("?")[2].split("&"))
                assert (asked["orderby"], asked["order"]) == ("id", "DESC")
                pages.append(int(asked["page"]))
                last = 1000 - 100 * (pages[-1] - 1)
                told = enumerate(comments[max(last - 100, 0) : last], start=max(last - 100, 0))
                items = [{"id": n, "Content": text, "ContentType": "text/plain"} for n, text in told]
                return {"items": items[::-1]}

        assert Agent().read(850) == comments[849:]
        assert pages == [1, 2]
        assert Agent().read(1) == comments

    def test_works_with_a_service_that_keeps_no_canaries(self, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
        asked = ["{}", '{"op": "describe"}', '{"op": "write", "number": 1, "text": "x"}', '{"op": "probe"}']
        told = self.talk(Deaf, asked, monkeypatch, capsys)
        assert abs(told[1].pop("time") - time.time()) < 60
        assert told[1:] == [
            {"ok": True, "canary": False},
            {"ok": False, "detail": "unsupported"},
            {"ok": True, "detail": "heard"},
        ]


class TestTheFactsOfATree:
    @pytest.mark.parametrize(
        "change",
        [
            lambda top: (top / "a").write_text("other"),
            lambda top: (top / "a").chmod(0o600),
            lambda top: (top / "b").mkdir(),
            lambda top: (top / "link").unlink(),
            lambda top: (top / "a").rename(top / "c"),
        ],
    )
    def test_change_when_the_tree_changes(self, tmp_path: Path, change: Any) -> None:
        (tmp_path / "a").write_text("text")
        (tmp_path / "link").symlink_to("a")
        facts = load("file_tree").facts
        before = facts(tmp_path)
        assert (before["count"], before["bytes"]) == (2, 4)
        assert facts(tmp_path) == before
        change(tmp_path)
        assert facts(tmp_path) != before


@given(password=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=72))
def test_a_line_of_a_password_file_is_computed_and_matches_the_password(password: str) -> None:
    htpasswd = load("credentials").htpasswd
    line = htpasswd("alpha", password)
    user, _, digest = line.partition(":")
    assert user == "alpha"
    assert bcrypt.checkpw(password.encode(), digest.encode())
    assert htpasswd("alpha", password) == line
