"""`doctor`: every part of an installation is broken in turn, and the damage is detected."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.entrypoints.cli.conftest import CommandLine, InProcess, eventually

REAL = {f"ORCHESTRATOR_{name.upper()}": str(ROOT / name) for name in ("catalog", "playbooks", "inventories")}
"""The project's own files, which are consistent; those of the small world lack what their tests do not need."""


def findings(command: CommandLine, *, expect: int = 0) -> list[Any]:
    found: list[Any] = json.loads(command("doctor", "--json", expect=expect, **REAL).stdout)["findings"]
    return found


def standings(command: CommandLine, *, expect: int = 0) -> dict[str, str]:
    return {one["check"]: one["standing"] for one in findings(command, expect=expect)}


def finding(command: CommandLine, check: str) -> Any:
    return next(one for one in findings(command, expect=1) if one["check"] == check)


class TestANewInstallation:
    def test_passes_every_check_that_can_be_made(self, swift: InProcess) -> None:
        assert standings(swift) == {
            "state directory": "passed",
            "installation": "passed",
            "database": "passed",
            "catalog": "passed",
            "workers": "unknown",
            "schedules": "unknown",
            "copies": "passed",
            "hosts": "unknown",
        }

    def test_is_suggested_where_there_is_none(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        command = InProcess(tmp_path, capture=capsys)
        assert finding(command, "installation")["hint"] == "run: orchestrator init"
        assert not command.home.exists()

    def test_is_reported_without_anything_to_do(self, swift: InProcess) -> None:
        said = swift("doctor", **REAL).stdout
        assert "✓" in said
        assert "What to do" not in said


class TestWhatIsBroken:
    def test_loose_modes_are_repaired_and_reported(self, swift: InProcess) -> None:
        (swift.home / "orchestrator.db").chmod(0o644)
        said = swift("doctor", **REAL).stdout
        assert "others had access to" in said
        assert "orchestrator.db" in said
        assert "others had access to" not in swift("doctor", **REAL).stdout

    @pytest.mark.parametrize("file", ["secret.key", "evidence.key", "installation", "orchestrator.db"])
    def test_a_missing_part_is_detected(self, swift: InProcess, file: str) -> None:
        for path in swift.home.glob(f"{file}*"):
            path.unlink()
        found = finding(swift, "installation")
        assert found["standing"] == "failed"
        assert found["hint"]
        assert standings(swift, expect=1)["schedules"] == "unknown"

    def test_a_damaged_database_is_detected(self, swift: InProcess) -> None:
        file = swift.home / "orchestrator.db"
        for rest in swift.home.glob("orchestrator.db-*"):
            rest.unlink()
        content = bytearray(file.read_bytes())
        content[len(content) // 2 :] = b"x" * (len(content) - len(content) // 2)
        file.write_bytes(content)
        assert "failed" in {standings(swift, expect=1)[name] for name in ("installation", "database")}

    def test_a_catalog_without_matching_roles_is_detected(self, swift: InProcess, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        done = swift("doctor", "--json", expect=1, ORCHESTRATOR_PLAYBOOKS=str(tmp_path / "empty"))
        assert "there is no role" in done.stdout

    def test_hosts_that_do_not_let_us_in_are_detected(self, orchestrator: CommandLine) -> None:
        orchestrator("apply", orchestrator.order(services={"alpha": {}}), "--yes")
        [found] = [f for f in orchestrator.json("doctor", expect=1)["findings"] if f["check"] == "hosts"]
        assert found["standing"] == "failed"
        assert found["details"]

    @pytest.mark.slow
    def test_running_schedules_and_workers_pass(self, orchestrator: CommandLine) -> None:
        orchestrator.start("serve", "--port", "0", **REAL)
        eventually(lambda: standings(orchestrator)["workers"] == "passed")
        eventually(lambda: standings(orchestrator)["schedules"] == "passed")
