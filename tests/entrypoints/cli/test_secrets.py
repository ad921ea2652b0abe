"""A planted secret leaks nowhere: not into the database, files, the process table or output."""

import base64
import json
import sqlite3
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from orchestrator.adapters.ansible.guard import descendants
from orchestrator.adapters.ansible.redaction import REDACTED
from orchestrator.adapters.ansible.workspace import TMPFS
from orchestrator.adapters.keys.secret_box import SecretBox
from tests.entrypoints.cli.conftest import CommandLine, eventually, processes_mentioning

pytestmark = pytest.mark.slow


def planted(orchestrator: CommandLine, component: str) -> str:
    """The secret that the orchestrator generated, opened with its key."""
    with sqlite3.connect(orchestrator.home / "orchestrator.db") as connection:
        query = "select token from secret where component = ?"
        [(token,)] = connection.execute(query, [component]).fetchall()
    return SecretBox(orchestrator.home / "secret.key").open(token)


def spellings(secret: str) -> list[bytes]:
    texts = [secret, base64.b64encode(secret.encode()).decode().rstrip("="), quote(secret, safe="")]
    return [t.encode() for t in texts]


def files_below(*folders: Path) -> list[Path]:
    return [p for folder in folders for p in folder.rglob("*") if p.is_file()]


def telling(secret: str, *contents: bytes) -> list[bytes]:
    return [c for c in contents if any(s in c for s in spellings(secret))]


class TestAPlantedSecret:
    def test_that_a_task_prints_is_redacted_everywhere(self, orchestrator: CommandLine) -> None:
        order = orchestrator.order(services={"alpha": {"tell": True}})
        said = orchestrator("apply", order, "--yes", expect=1)
        secret = planted(orchestrator, "alpha")
        shown = [
            orchestrator("run", "show", 1),
            orchestrator("run", "show", 1, "--json"),
            orchestrator("run", "list", "--json"),
            orchestrator("run", "follow", 1, "--json", expect=1),
            orchestrator("agency", "show", "test-agency", "--json"),
            orchestrator("plan", order, "--json"),
        ]
        assert REDACTED in said.stderr, "the task was heard, without its secret"
        outputs = [out.encode() for done in [said, *shown] for out in (done.stdout, done.stderr)]
        assert telling(secret, *outputs) == []
        files = files_below(orchestrator.home)
        assert [f for f in files if telling(secret, f.read_bytes())] == []
        events = [json.loads(line) for line in shown[3].stdout.splitlines()]
        assert any(REDACTED in str(e["what"]) for e in events)

    def test_is_on_no_disk_and_no_command_line_while_it_is_used(self, orchestrator: CommandLine) -> None:
        order = orchestrator.order(services={"alpha": {"sleep": 326.5}})
        apply = orchestrator.start("apply", order, "--yes")
        eventually(lambda: processes_mentioning("sleep 326.5"))
        secret = planted(orchestrator, "alpha")
        looked_at = []
        for pid in descendants(apply.pid):
            for what in ("cmdline", "environ"):
                with suppress(OSError):  # it has ended since
                    looked_at.append(Path(f"/proc/{pid}/{what}").read_bytes())
        assert len(looked_at) > 6
        private = files_below(*TMPFS.glob("orchestrator-*"))
        assert any(f.name == "all.yml" for f in private), "the vaulted secrets are among what was looked at"
        looked_at += [f.read_bytes() for f in private]
        assert telling(secret, *looked_at) == []
        orchestrator("run", "cancel", 1)
        apply.wait(20)
        output, _ = apply.communicate()
        assert telling(secret, output.encode()) == []

    def test_is_the_same_in_every_step_and_different_for_every_agency(self, orchestrator: CommandLine) -> None:
        for agency in ("one-agency", "two-agency"):
            orchestrator("apply", orchestrator.order(agency, services={"alpha": {}}), "--yes")
        with sqlite3.connect(orchestrator.home / "orchestrator.db") as connection:
            tokens = [t for (t,) in connection.execute("select token from secret order by agency")]
        box = SecretBox(orchestrator.home / "secret.key")
        assert len(tokens) == 2
        assert len({box.open(t) for t in tokens}) == 2
