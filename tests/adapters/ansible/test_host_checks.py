"""What checks a host against its baseline, and what shows the figures, without hosts."""

import importlib.util
import os
import sys
import threading
import urllib.error
import urllib.request
from http.server import HTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import ROOT


def _loaded(file: str) -> ModuleType:
    name = file.rpartition("/")[2].removesuffix(".py")
    spec = importlib.util.spec_from_file_location(name, ROOT / "playbooks" / file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for it there, and measure.py imports it
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def checks() -> ModuleType:
    return _loaded("module_utils/host_checks.py")


@pytest.fixture(scope="module")
def measure(checks: ModuleType) -> ModuleType:
    return _loaded("roles/security/files/measure.py")


def _say(checks: ModuleType, monkeypatch: pytest.MonkeyPatch, told: dict[str, str]) -> None:
    """Have commands say this, by their last word; others fail."""
    monkeypatch.setattr(checks, "said", lambda *command: told.get(command[-1], ""))


SSHD = "maxauthtries 6\nmacs hmac-sha1-etm@openssh.com,hmac-sha2-512-etm@openssh.com\nciphers aes128-ctr\n"


def test_settings_and_algorithms_of_ssh_are_compared(checks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"settings": {"maxauthtries": "3"}, "lacks": {"macs": ["hmac-sha1*"], "ciphers": ["*-cbc"]}}
    _say(checks, monkeypatch, {"-T": SSHD})
    told = {check.name: (check.passed, check.found) for check in checks.ssh(wanted)}
    assert told == {
        "ssh maxauthtries": (False, "6, not 3"),
        "ssh macs": (False, "hmac-sha1-etm@openssh.com"),
        "ssh ciphers": (True, ""),
    }
    _say(checks, monkeypatch, {})
    assert not any(check.passed for check in checks.ssh(wanted)), "an sshd that says nothing passes nothing"


@pytest.mark.parametrize(
    ("listed", "passed"),
    [
        ("These IP addresses/networks are ignored:\n|- 127.0.0.0/8\n`- 192.0.2.1\n", True),
        ("These IP addresses/networks are ignored:\n`- 127.0.0.0/8\n", False),
        ("No IP address/network is ignored\n", False),
        ("", False),
    ],
)
def test_where_the_host_is_managed_must_never_be_banned(
    checks: ModuleType, monkeypatch: pytest.MonkeyPatch, listed: str, passed: bool
) -> None:
    _say(checks, monkeypatch, {"bantime": "3600\n", "maxretry": "5\n", "ignoreip": listed})
    found = checks.bans({"maxretry": 5, "bantime": 3600, "ignoreip": ["192.0.2.1/32"]})
    assert [check.passed for check in found] == [True, True, passed]


@pytest.mark.parametrize("listed", ["-w /etc/passwd -p wa -k ours", "-a always,exit -S execve -F key=ours"])
def test_rules_by_which_the_kernel_records_are_counted(
    checks: ModuleType, monkeypatch: pytest.MonkeyPatch, listed: str
) -> None:
    _say(checks, monkeypatch, {"-l": f"{listed}\n-w /etc/hosts -p wa -k ours-not\n"})
    assert [check.passed for count in (1, 2) for check in checks.audited({"key": "ours", "rules": count})] == [
        True,
        False,
    ]


def test_accounts_that_may_do_everything_or_have_no_password_are_named(
    checks: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checks, "PASSWD", tmp_path / "passwd")
    monkeypatch.setattr(checks, "SHADOW", tmp_path / "shadow")
    assert [check.passed for check in checks.accounts()] == [False, False], "nothing to read passes nothing"
    (tmp_path / "passwd").write_text("root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\nada:x:1000:1000::/:/bin/sh\n")
    (tmp_path / "shadow").write_text("root:*:1::::::\nada::1::::::\n")
    assert [check.found for check in checks.accounts()] == ["toor", "ada"]


def test_what_others_can_reach_is_what_does_not_listen_on_loopback(
    checks: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["LISTEN 0 1 127.0.0.1:53 0.0.0.0:*", "LISTEN 0 1 [::1]:53 [::]:*", "LISTEN 0 1 0.0.0.0:22 0.0.0.0:*"]
    _say(checks, monkeypatch, {"-Htln": "\n".join([*lines, "LISTEN 0 1 *:9110 *:*"])})
    assert checks.listening() == {22, 9110}


APT = """Inst openssl [3.0.1] (3.0.2 Debian-Security:12/stable-security [amd64])
Inst tzdata [1] (2 Debian:12.9/stable [all])
Inst new-one (2 Debian:12.9/stable [all])
Conf openssl (3.0.2 Debian-Security:12/stable-security [amd64])
"""


def test_updates_that_wait_are_counted(measure: ModuleType) -> None:
    assert measure.waiting(APT) == {"security": 1, "other": 1}


def test_a_page_is_well_while_every_check_passed_lately(
    checks: ModuleType, measure: ModuleType, tmp_path: Path
) -> None:
    file = tmp_path / "figures.prom"
    server = HTTPServer(("127.0.0.1", 0), _loaded("roles/security/files/figures.py").page_of(file))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        assert _get(f"{at}/") == (503, "")
        file.write_text(measure.shown([checks.Check("one", True), checks.Check("two", True)], {"security": 0}, 7.0))
        status, text = _get(f"{at}/")
        assert (status, 'security_check_passed{check="two"} 1.0' in text) == (200, True)
        os.utime(file, (0, 0))
        assert _get(f"{at}/") == (503, ""), "it is too old"
        file.write_text(measure.shown([checks.Check("one", True), checks.Check("two", False)], {"security": 0}, 7.0))
        assert (_get(f"{at}/")[0], _get(f"{at}/metrics")[0]) == (503, 200)
        assert "security_score_ratio 0.5\n" in _get(f"{at}/metrics")[1]
    finally:
        server.shutdown()


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
