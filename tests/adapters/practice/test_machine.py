import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.adapters.practice import commands, machine
from orchestrator.adapters.practice.files import write
from orchestrator.adapters.practice.keys import host_key, key_pair
from orchestrator.domain.errors import Kind, OrchestratorError


def test_missing_programs_are_named_with_the_packages_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda tool: None if tool in ("nft", "mmdebstrap") else tool)
    with pytest.raises(OrchestratorError, match="needs mmdebstrap, nft") as caught:
        commands.require_machine()
    assert caught.value.kind is Kind.UNAVAILABLE
    assert caught.value.hint == "apt-get install mmdebstrap nftables"


def test_only_root_may_boot_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(OrchestratorError, match="only root may do") as refused:
        commands.require_machine()
    assert refused.value.kind is Kind.INVALID, "to ask again will not help"


def test_a_failed_command_is_reported_with_its_output() -> None:
    with pytest.raises(OrchestratorError) as caught:
        commands.run("sh", "-c", "echo it is so >&2; exit 3")
    assert "exit code 3" in caught.value.message
    assert caught.value.details == ("it is so",)


def test_a_name_server_on_the_loopback_is_replaced_by_the_one_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub, upstream = tmp_path / "stub", tmp_path / "upstream"
    stub.write_text("nameserver 127.0.0.53\noptions edns0\n")
    monkeypatch.setattr(machine, "_RESOLVERS", (stub, upstream))
    with pytest.raises(OrchestratorError, match="no name server"):
        machine.resolver()
    upstream.write_text("# comment\nnameserver 192.0.2.53\nsearch example.org\n")
    assert machine.resolver() == "nameserver 192.0.2.53\nsearch example.org\n"


def test_a_key_is_created_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    public = key_pair(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert key_pair(tmp_path / "key") == public


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh here: apt-get install openssh-client")
def test_ssh_derives_the_same_public_half_from_a_key(tmp_path: Path) -> None:
    public = key_pair(tmp_path / "key")
    shown = subprocess.run(
        ["ssh-keygen", "-y", "-f", str(tmp_path / "key")], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == public


def test_a_pinned_key_is_found_by_its_exact_address_only(tmp_path: Path) -> None:
    pins = tmp_path / "known_hosts"
    assert host_key(pins, "10.0.0.1") is None
    pins.write_text("10.0.0.11 ssh-ed25519 other\n10.0.0.1 ssh-ed25519 own\n")
    assert host_key(pins, "10.0.0.1") == "ssh-ed25519 own"


def test_writing_replaces_a_link_and_leaves_its_target_alone(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write(tmp_path / "link", "new", mode=0o600)
    assert (tmp_path / "target").read_text() == "kept"
    assert (tmp_path / "link").read_text() == "new"
    assert not (tmp_path / "link").is_symlink()
