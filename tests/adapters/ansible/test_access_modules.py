"""The lists of people who may dial in, which the module writes and the server changes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.ansible.test_directory_modules import LIBRARY, RUN

pytestmark = pytest.mark.slow

USED = "HOTP/T30\tada\t-\t{key}\t0\t123456\t2026-12-01T02:39:06L"
KEYS = {"ada": "aa" * 20, "bob": "bb" * 20}


def asked(folder: Path, keys: dict[str, str], **more: Any) -> dict[str, Any]:
    """What the module answers that is given people with these keys."""
    lists = {"folder": str(folder / "own"), "state": str(folder / "state"), "control": "/nonexistent", "number": 7}
    arguments = {"lists": lists, "passwords": {name: f"digest of {name}" for name in keys}, "keys": keys, **more}
    command = [sys.executable, "-c", RUN, str(LIBRARY / "access_people.py"), str(LIBRARY.parent / "module_utils")]
    given = json.dumps({"ANSIBLE_MODULE_ARGS": arguments})
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def codes(folder: Path) -> list[str]:
    return (folder / "state" / "codes").read_text().splitlines()


def test_the_lists_hold_who_is_named_and_nobody_else(tmp_path: Path) -> None:
    assert asked(tmp_path, KEYS, _ansible_check_mode=True)["changed"]
    assert list(tmp_path.iterdir()) == [], "a prediction writes nothing"
    answer = asked(tmp_path, KEYS)
    assert answer["diff"]["after"] == "ada may dial in\nbob may dial in\n"
    assert not asked(tmp_path, KEYS)["changed"]
    assert (tmp_path / "own/passwords").read_text() == "ada:digest of ada\nbob:digest of bob\n"
    assert [line.split(":")[0] for line in (tmp_path / "own/accounts").read_text().splitlines()][1:] == [
        "access", "ada", "bob",
    ]  # fmt: skip
    assert asked(tmp_path, {"bob": KEYS["bob"]})["diff"]["before"] == "ada may dial in\nbob may dial in\n"
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "own/passwords", tmp_path / "state/codes")] == [
        0o600
    ] * 2
    assert "ada" not in "".join(path.read_text() for path in (tmp_path / "own").iterdir()) + "".join(codes(tmp_path))


def test_a_code_that_was_used_stays_used_until_the_key_is_another(tmp_path: Path) -> None:
    asked(tmp_path, {"ada": KEYS["ada"]})
    used = USED.format(key=KEYS["ada"])
    (tmp_path / "state/codes").write_text(used + "\n")
    assert not asked(tmp_path, {"ada": KEYS["ada"]})["changed"]
    asked(tmp_path, KEYS)
    assert codes(tmp_path) == [used, f"HOTP/T30\tbob\t-\t{KEYS['bob']}"]
    answer = asked(tmp_path, {**KEYS, "ada": "cc" * 20})
    assert "ada may dial in, with other secrets\n" in answer["diff"]["before"]
    assert not any(secret in json.dumps(answer["diff"]) for secret in ("aa" * 20, "cc" * 20, "digest"))
    assert codes(tmp_path)[0] == f"HOTP/T30\tada\t-\t{'cc' * 20}"


@pytest.mark.parametrize("name", ["eve:x", "eve\tx", "eve\nroot", "", "../eve", "Eve"])
def test_a_name_that_would_be_more_than_a_name_is_refused(tmp_path: Path, name: str) -> None:
    asked(tmp_path, KEYS)
    answer = asked(tmp_path, {**KEYS, name: "dd" * 20})
    assert "cannot be the name of a person" in answer["msg"]
    assert len(codes(tmp_path)) == 2


def test_a_lock_of_a_login_that_was_killed_is_removed_and_a_new_one_is_waited_for(tmp_path: Path) -> None:
    asked(tmp_path, KEYS)
    lock = tmp_path / "state/codes.lock"
    lock.touch()
    assert not asked(tmp_path, KEYS)["changed"], "somebody is logging in"
    os.utime(lock, (time.time() - 60, time.time() - 60))
    assert asked(tmp_path, KEYS)["changed"]
    assert not lock.exists()
    assert not asked(tmp_path, KEYS)["changed"]
