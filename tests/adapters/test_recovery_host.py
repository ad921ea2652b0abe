"""The connection to a recovery host, with a real ssh server that can be cut off."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.adapters import recovery_host
from orchestrator.adapters.recovery_host import SshRecoveryHosts
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.site import Host, Site
from orchestrator.ports.drilling import TooSlowError
from orchestrator.ports.outside import SiteAccess
from tests.adapters.probes.servers import program, running
from tests.entrypoints.cli.conftest import eventually

ADDRESS = f"127.77.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"
WAITING = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may run an ssh server that lets root in"),
    pytest.mark.skipif(shutil.which("nft") is None, reason="this machine has no nft"),
]


def answers() -> bool:
    return subprocess.run(["ssh-keyscan", "-T", "1", ADDRESS], capture_output=True, check=False).stdout != b""


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[SshRecoveryHosts]:
    """A host whose programs run as root at once, as those that sudo starts."""
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    (tmp_path / "sudo").write_text('#!/bin/sh\nshift\nexec "$@"\n')
    (tmp_path / "sudo").chmod(0o755)
    (tmp_path / "sshd.conf").write_text(
        f"Port 22\nListenAddress {ADDRESS}\nHostKey {tmp_path}/host_key\nUsePAM no\nPidFile none\nStrictModes no\n"
        f"PermitRootLogin prohibit-password\nAuthorizedKeysFile {tmp_path}/key.pub\n"
        f"SetEnv PATH={tmp_path}:/usr/local/bin:/usr/bin:/bin\n"
    )
    (tmp_path / "known_hosts").write_text(f"{ADDRESS} {(tmp_path / 'host_key.pub').read_text()}")
    Path("/run/sshd").mkdir(exist_ok=True)
    access = SiteAccess(key=tmp_path / "key", known_hosts=tmp_path / "known_hosts")
    alone = ("unshare", "--pid", "--fork", "--kill-child")  # sessions end with the server
    with running(*alone, program("sshd"), "-D", "-e", "-f", tmp_path / "sshd.conf", ready=answers):
        yield SshRecoveryHosts(lambda _: access)


@pytest.fixture
def site() -> Site:
    host = Host(name="r1", address=ADDRESS, groups=("recovery_hosts",), variables={"ansible_user": "root"})
    return Site(name="here", domain="here.example", hosts={"r1": host}, pools={})


@contextmanager
def cut_off() -> Iterator[None]:
    """Nothing comes through to or from the host, and nobody is told."""
    table = f"cut_{os.getpid()}"
    chain = f"type filter hook input priority 0;\nip daddr {ADDRESS} drop\nip saddr {ADDRESS} drop\n"
    rules = f"table inet {table} {{\nchain everything {{\n{chain}}}\n}}"
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    try:
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "inet", table], check=True)


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery_host, "KEEPALIVE_SECONDS", 1)
    monkeypatch.setattr(recovery_host, "SILENCE_SECONDS", 3)


def test_a_host_that_falls_silent_is_unavailable_and_not_slow(
    hosts: SshRecoveryHosts, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery_host, "READ_WITHIN", timedelta(minutes=5))
    failures: list[OrchestratorError] = []

    def work() -> None:
        with hosts.connect(site, "r1") as host:
            try:
                host.as_root(WAITING, [str(tmp_path / "begun")])
            except OrchestratorError as failure:
                failures.append(failure)

    worker = threading.Thread(target=work)
    worker.start()
    eventually((tmp_path / "begun").exists)
    with cut_off():
        worker.join(timeout=60)
    [failure] = failures
    assert failure.kind is Kind.UNAVAILABLE
    assert not isinstance(failure, TooSlowError)


def test_a_program_that_takes_too_long_is_slow(
    hosts: SshRecoveryHosts, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery_host, "READ_WITHIN", timedelta(seconds=6))
    with hosts.connect(site, "r1") as host, pytest.raises(TooSlowError):
        host.as_root(WAITING, [str(tmp_path / "begun")])
