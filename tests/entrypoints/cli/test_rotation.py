"""Rotating secrets and the key that seals them, on both databases, interrupted and beside a worker."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from orchestrator.adapters.database.connection import connect
from orchestrator.adapters.keys.secret_box import SecretBox
from tests.databases import Databases
from tests.entrypoints.cli.conftest import CommandLine, eventually

pytestmark = pytest.mark.slow


@pytest.fixture
def orchestrator(tmp_path: Path, databases: Databases) -> Iterator[CommandLine]:
    """With two agencies in service."""
    url = databases.empty(tmp_path) if databases.kind == "postgresql" else None
    command = CommandLine(tmp_path, database=url)
    command("init")
    for agency in ("a-one", "a-two"):
        command.order(agency, services={"alpha": {}})
    command("apply", tmp_path, "--yes")
    yield command
    command.end()


def tokens(command: CommandLine) -> list[bytes]:
    """Everything sealed that is in the database."""
    engine = connect(command.database or f"sqlite:///{command.home / 'orchestrator.db'}")
    with engine.connect() as connection:
        found = connection.execute(sa.text("select token from secret union all select sealed_id from installation"))
        told = [bytes(token) for (token,) in found]
    engine.dispose()
    return told


def known(command: CommandLine) -> dict[str, list[str]]:
    """Agency -> its secret of alpha, in the clear, and the replacement."""
    engine, box = (
        connect(command.database or f"sqlite:///{command.home / 'orchestrator.db'}"),
        SecretBox(command.home / "secret.key"),
    )
    with engine.connect() as connection:
        rows = connection.execute(sa.text("select agency, token, next_token from secret")).all()
    engine.dispose()
    return {agency: [box.open(bytes(token)) for token in tokens if token] for agency, *tokens in rows}


def rotate(command: CommandLine) -> int:
    """Both parts. Returns how many secrets were resealed."""
    first = command.json("secret", "rotate")
    if not command.database:
        return int(first["resealed"])
    assert (first["begun"], first["finished"], first["resealed"]) == (True, False, None)
    return int(command.json("secret", "rotate", "--copied")["resealed"])


class TestSecretsOfAnAgency:
    def test_are_replaced_by_a_run_that_survives_kill_minus_nine(self, orchestrator: CommandLine) -> None:
        slow = orchestrator.order("a-one", services={"alpha": {}}, sleep=6)
        orchestrator("apply", slow, "--yes")
        [before] = known(orchestrator)["a-one"]
        provisioned = orchestrator.journal().count("provision a-one place here")
        working = orchestrator.start("secret", "rotate", "a-one", "--yes")
        eventually(lambda: orchestrator.journal().count("provision a-one place here") > provisioned)
        os.killpg(working.pid, signal.SIGKILL)
        old, new = known(orchestrator)["a-one"]
        assert (old, new != before) == (before, True)
        assert orchestrator.json("secret", "list", "a-one")["secrets"][0]["replaced"]
        assert "finishing it first" in orchestrator("secret", "rotate", "a-one", "--yes").stderr
        assert known(orchestrator)["a-one"] == [new], "the one that hosts were given before"
        assert len(known(orchestrator)["a-two"]) == 1
        assert "Nothing to change" in orchestrator("plan", slow).stdout

    def test_are_sealed_again_together_with_their_replacements(self, orchestrator: CommandLine) -> None:
        gate = orchestrator.folder / "gate"
        orchestrator("apply", orchestrator.order("a-one", services={"alpha": {}}, fail_while=str(gate)), "--yes")
        gate.touch()
        orchestrator("secret", "rotate", "a-one", "alpha", "token", "--yes", expect=1)
        both = known(orchestrator)["a-one"]
        assert rotate(orchestrator) == 2
        assert known(orchestrator)["a-one"] == both
        gate.unlink()
        told = orchestrator("secret", "rotate", "a-one", "--yes")
        assert known(orchestrator)["a-one"] == both[1:]
        assert not [secret for secret in both if secret in told.stdout + told.stderr]

    def test_are_listed_without_their_values(self, orchestrator: CommandLine) -> None:
        said = orchestrator("secret", "list").stdout + orchestrator("secret", "list", "--json").stdout
        assert "a-one" in said
        assert not [secret for secrets in known(orchestrator).values() for secret in secrets if secret in said]


class TestRotation:
    def test_seals_everything_with_the_new_key_only(self, orchestrator: CommandLine) -> None:
        file, before = orchestrator.home / "secret.key", tokens(orchestrator)
        shutil.copy(file, orchestrator.folder / "old.key")
        clear = {SecretBox(file).open(token) for token in before}
        assert rotate(orchestrator) == 2
        assert {SecretBox(file).open(token) for token in tokens(orchestrator)} == clear
        assert not set(before) & set(tokens(orchestrator))
        assert len(file.read_bytes().split()) == 1
        assert file.read_bytes() != (orchestrator.folder / "old.key").read_bytes()
        orchestrator("drift", "check", "a-one")
        orchestrator("init")

    def test_continues_where_it_was_interrupted(self, orchestrator: CommandLine) -> None:
        file = orchestrator.home / "secret.key"
        box, before = SecretBox(file), tokens(orchestrator)
        assert box.begin_rotation()
        engine = connect(orchestrator.database or f"sqlite:///{orchestrator.home / 'orchestrator.db'}")
        with engine.begin() as connection:
            one = box.reseal(before[0])
            connection.execute(
                sa.text("update secret set token = :one where token = :token"), {"one": one, "token": before[0]}
            )
        engine.dispose()
        orchestrator("agency", "list")
        told = orchestrator.json("secret", "rotate", *(["--copied"] if orchestrator.database else []))
        assert (told["begun"], told["finished"], told["resealed"]) == (False, True, 1)
        assert [SecretBox(file).reseal(token) for token in tokens(orchestrator)] == [None] * 3

    def test_is_picked_up_by_a_worker_that_is_running(self, orchestrator: CommandLine) -> None:
        orchestrator.start("worker")
        orchestrator("drift", "check", "a-one")
        rotate(orchestrator)
        orchestrator("apply", orchestrator.order("a-three", services={"alpha": {}}), "--yes")
        orchestrator("drift", "check", "a-two")
        box = SecretBox(orchestrator.home / "secret.key")
        assert [box.reseal(token) for token in tokens(orchestrator)] == [None] * 4
