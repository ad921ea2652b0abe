"""The module that sets which units run: its requests to systemd are tested here, their effect on real hosts."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

MODULE = ROOT / "playbooks/library/service_units.py"
MINUTE = timedelta(minutes=1)
SYSTEMCTL = """#!/bin/sh
echo "$*" >>"$SPOKEN"
case "$1 $2" in
"show "*) cat "$STATES" ;;
"--quiet is-enabled") exit 1 ;;
"start --") echo "Job for $3 failed." >&2; test "$3" != broken ;;
esac
"""


class Host:
    """A host whose units are in these states: active, enabled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "systemctl").write_text(SYSTEMCTL)
        (folder / "systemctl").chmod(0o755)

    def asked(self, *states: str, began: datetime | None = None, check: bool = False, **wishes: Any) -> dict[str, Any]:
        started = began or datetime.now(UTC)
        shown = []
        for state in states:
            active, enabled, *unread = state.split()
            text = f"ActiveState={active}\nUnitFileState={enabled}\nNeedDaemonReload={'yes' if unread else 'no'}\n"
            shown.append(f"{text}ActiveEnterTimestamp={started:%a %Y-%m-%d %H:%M:%S.%f} UTC\n")
        (self.folder / "states").write_text("\n".join(shown))
        self.spoken.write_text("")
        path = f"{self.folder}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "STATES": str(self.folder / "states"), "SPOKEN": str(self.spoken)}
        told = json.dumps({"ANSIBLE_MODULE_ARGS": {**wishes, "_ansible_check_mode": check}})
        done = subprocess.run(
            [sys.executable, MODULE], input=told, env=environment, capture_output=True, text=True, check=False
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    @property
    def spoken(self) -> Path:
        return self.folder / "spoken"

    @property
    def changes(self) -> list[str]:
        """What systemd was asked to do, apart from questions."""
        questions = ("show", "--quiet is-enabled")
        return [line for line in self.spoken.read_text().splitlines() if not line.startswith(questions)]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_units_in_the_right_state_are_left_alone(host: Host) -> None:
    states = ("active enabled", "active static", "inactive disabled", "inactive masked")
    told = host.asked(*states, running=["a", "b"], stopped=["c"], masked=["d"])
    assert (told["changed"], told["diff"], host.changes) == (False, {}, [])


def test_units_that_do_not_run_are_started_in_one_call(host: Host) -> None:
    states = ("inactive disabled", "active disabled", "failed enabled", "active enabled")
    told = host.asked(*states, running=["a", "b", "c", "d"])
    assert host.changes == ["daemon-reload", "--quiet enable -- a b", "start -- a c"]
    assert told["diff"]["before"] == "a: inactive, disabled\nb: active, disabled\nc: failed, enabled\n"
    assert told["diff"]["after"] == "a: active, enabled\nb: active, enabled\nc: active, enabled\n"


def test_units_that_should_not_run_are_stopped_and_their_failures_cleared(host: Host) -> None:
    states = ("active enabled", "inactive enabled", "failed disabled", "inactive generated", "active disabled")
    assert host.asked(*states, stopped=["a", "b", "c", "d"], masked=["e"])["changed"]
    assert host.changes == [
        "daemon-reload",
        "--quiet disable -- a b c e",
        "stop -- a c e",
        "--quiet reset-failed -- a c e",
        "--quiet mask -- e",
    ]


def test_a_prediction_changes_nothing(host: Host) -> None:
    told = host.asked("inactive disabled unread", "active enabled", check=True, running=["a"], stopped=["b"])
    assert told["changed"]
    assert host.changes == []


class TestAConfiguration:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        (tmp_path / "unit.conf").write_text("x")
        return tmp_path / "unit.conf"

    def test_that_changed_since_the_unit_started_restarts_it(self, host: Host, file: Path) -> None:
        reads, earlier = {"a": [str(file)], "b": [str(file)]}, datetime.now(UTC) - MINUTE
        told = host.asked("active enabled", "active enabled", began=earlier, running=["a", "b"], reads=reads)
        assert host.changes == ["daemon-reload", "restart -- a", "restart -- b"]
        assert told["diff"]["before"].startswith("a: active, enabled, with an older configuration\n")

    def test_that_is_older_than_the_unit_does_not(self, host: Host, file: Path) -> None:
        later = datetime.now(UTC) + MINUTE
        reads = {"a": [str(file), str(file.parent / "missing")]}
        assert not host.asked("active enabled", began=later, running=["a"], reads=reads)["changed"]

    def test_in_a_folder_changes_when_a_file_is_removed(self, host: Host, tmp_path: Path) -> None:
        folder = tmp_path / "conf.d"
        folder.mkdir()
        began = datetime.now(UTC)
        while folder.stat().st_ctime <= began.timestamp():  # clocks of file systems are coarse
            (folder / "another.conf").touch()
            (folder / "another.conf").unlink()
        told = host.asked("active enabled", began=began, running=["a"], reads={"a": [str(folder)]})
        assert told["changed"]

    def test_of_a_unit_that_need_not_run_does_not_start_it(self, host: Host, file: Path) -> None:
        reads, earlier = {"a": [str(file)]}, datetime.now(UTC) - MINUTE
        assert not host.asked("inactive disabled", began=earlier, reads=reads)["changed"]
        assert host.asked("active disabled", began=earlier, reads=reads)["changed"]
        assert host.changes == ["daemon-reload", "restart -- a"]


def test_unit_files_that_systemd_has_not_read_are_reloaded(host: Host) -> None:
    assert not host.asked("active enabled unread", running=["a"])["changed"]
    assert host.changes == ["daemon-reload"]


def test_a_refusal_by_systemd_is_reported(host: Host) -> None:
    told = host.asked("inactive enabled", running=["broken"])
    assert told["failed"]
    assert told["msg"] == "systemctl start -- broken: Job for broken failed."
