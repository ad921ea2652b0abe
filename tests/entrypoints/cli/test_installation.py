"""An installation: created only by `init`, private to its owner, and never recreated when a part is lost."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.adapters.state_directory import loose
from tests.databases import Databases
from tests.entrypoints.cli.conftest import CommandLine, InProcess

READING = [("agency", "list"), ("run", "list"), ("db", "upgrade"), ("db", "prune"), ("apply", 1, "--yes")]


@pytest.fixture
def installed(swift: InProcess) -> InProcess:
    """With a plan in its database."""
    swift("plan", swift.order(services={"alpha": {}}))
    return swift


@pytest.fixture
def elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> InProcess:
    """Another installation."""
    (tmp_path / "other").mkdir()
    other = InProcess(tmp_path / "other", capture=capsys)
    other("init")
    return other


class TestCreation:
    @pytest.mark.parametrize("words", READING)
    def test_a_command_before_init_is_refused_and_leaves_nothing(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[object, ...]
    ) -> None:
        command = InProcess(tmp_path, capture=capsys)
        assert "run: orchestrator init" in command(*words, expect=4).stderr
        assert not command.home.exists()

    def test_an_empty_database_is_not_filled(
        self, tmp_path: Path, databases: Databases, capsys: "pytest.CaptureFixture[str]"
    ) -> None:
        url = databases.empty(tmp_path)
        if databases.kind == "sqlite":
            (tmp_path / "state.db").touch()
        command = InProcess(tmp_path, capture=capsys, database=url)
        assert "there is no installation here" in command("run", "list", expect=4).stderr

    def test_many_inits_at_once_create_one_installation(self, tmp_path: Path, databases: Databases) -> None:
        command = CommandLine(tmp_path, database=databases.empty(tmp_path))
        with ThreadPoolExecutor() as pool:
            said = [done.stdout for done in pool.map(lambda _: command("init"), range(4))]
        assert len({line for text in said for line in text.splitlines() if line.startswith("installation ")}) == 1
        command("run", "list")


class TestALostPart:
    """Every command refuses such an installation, including `init` and `db upgrade`, and changes nothing."""

    def refused(self, command: InProcess, *reasons: str, code: int = 75) -> None:
        before = {path: path.stat().st_size for path in sorted(command.home.iterdir()) if path.suffix != ".db-wal"}
        for words in (*READING[:3], ("init",)):
            said = " ".join(command(*words, expect=code).stderr.split())
            for reason in reasons:
                assert reason in said, words
        after = {path: path.stat().st_size for path in sorted(command.home.iterdir()) if path.suffix != ".db-wal"}
        assert {p.name for p in after} - {"orchestrator.db-shm"} == {p.name for p in before} - {"orchestrator.db-shm"}

    def test_without_the_database_every_command_is_refused(self, installed: InProcess) -> None:
        for file in installed.home.glob("orchestrator.db*"):
            file.unlink()
        self.refused(installed, "is missing or empty", "restore it from its backup")

    def test_with_an_empty_database_every_command_is_refused(self, installed: InProcess) -> None:
        for file in installed.home.glob("orchestrator.db*"):
            file.unlink()
        (installed.home / "orchestrator.db").touch()
        self.refused(installed, "is missing or empty")

    @pytest.mark.parametrize("key", ["secret.key", "evidence.key"])
    def test_without_a_key_every_command_is_refused(self, installed: InProcess, key: str) -> None:
        (installed.home / key).rename(installed.folder / "lost")
        self.refused(installed, "is missing", f"restore {key}")
        (installed.folder / "lost").rename(installed.home / key)
        installed("agency", "list")

    def test_with_a_key_of_another_installation_init_is_refused(
        self, installed: InProcess, elsewhere: InProcess
    ) -> None:
        shutil.copy(elsewhere.home / "secret.key", installed.home / "secret.key")
        said = installed("init", expect=75).stderr
        assert "does not open the secrets" in said

    def test_with_a_database_of_another_installation_every_command_is_refused(
        self, installed: InProcess, elsewhere: InProcess
    ) -> None:
        for name in ("orchestrator.db", "secret.key"):
            shutil.copy(elsewhere.home / name, installed.home / name)
        for rest in installed.home.glob("orchestrator.db-*"):
            rest.unlink()
        self.refused(installed, "restore both from the same time", code=5)

    def test_a_lost_mark_of_the_state_directory_is_restored_by_init(self, installed: InProcess) -> None:
        (installed.home / "installation").unlink()
        assert "run: orchestrator init" in installed("agency", "list", expect=4).stderr
        installed("init")
        installed("agency", "list")

    def test_a_lost_database_is_as_good_as_new_from_its_backup(self, installed: InProcess) -> None:
        before = installed.json("run", "list")
        with (
            sqlite3.connect(installed.home / "orchestrator.db") as live,
            sqlite3.connect(installed.folder / "backup") as backup,
        ):
            live.backup(backup)
        for file in installed.home.glob("orchestrator.db*"):
            file.unlink()
        shutil.copy(installed.folder / "backup", installed.home / "orchestrator.db")
        assert installed.json("run", "list") == before


class TestModes:
    @pytest.fixture
    def careless(self) -> Iterator[None]:
        before = os.umask(0)
        yield
        os.umask(before)

    @pytest.mark.usefixtures("careless")
    def test_only_the_owner_can_read_anything_under_any_umask(self, tmp_path: Path) -> None:
        command = CommandLine(tmp_path)
        command("init")
        command("apply", command.order(services={"alpha": {}}), "--yes")
        command("db", "prune")
        assert loose(command.home) == []
        assert {path.name for path in command.home.iterdir()} >= {"orchestrator.db", "workers", "secret.key"}

    @pytest.mark.usefixtures("careless")
    def test_only_the_owner_can_read_a_report(self, tmp_path: Path) -> None:
        program = "from orchestrator.entrypoints.cli.app import main; import os, sys; sys.argv = ['o', 'nothing']\n"
        program += "try: main()\nexcept SystemExit: print(oct(os.umask(0)))"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "0o77"

    def test_init_tightens_loose_modes_and_reports_them(self, installed: InProcess) -> None:
        (installed.home / "orchestrator.db").chmod(0o644)
        installed.home.chmod(0o755)
        said = " ".join(installed("init").stdout.split())
        assert "orchestrator.db: others had access; now only its owner has" in said
        assert loose(installed.home) == []
        assert "others had" not in installed("init").stdout
