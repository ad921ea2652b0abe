"""What this machine offers its practice hosts: room to run, and what it knows about the way out."""

import os
import platform
import re
from ipaddress import ip_address
from pathlib import Path

from orchestrator.adapters.practice.commands import run
from orchestrator.adapters.practice.files import write
from orchestrator.domain.errors import Kind, OrchestratorError

_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_FETCHING = tuple(
    f"Acquire::{name}" for name in ("http", "Check-", "Retries", "Force", "Languages", "GzipIndexes", "Queue")
)
# The second is where systemd-resolved says what stands behind its own address on the loopback.
_RESOLVERS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
INTRODUCED = "etc/resolv.conf"
"""Written into the tree of a host that has been told about the way out."""
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_INSTANCES = 1024


def make_room() -> None:
    """Let a dozen and more systems run beside ours: each takes eight inotify instances of the 128 there are at first.

    The limit stays raised: lowering it would not take anything back.
    """
    if int(_INOTIFY.read_text()) < _INOTIFY_INSTANCES:
        _INOTIFY.write_text(str(_INOTIFY_INSTANCES))


def resolver() -> str:
    """Return a resolv.conf whose name servers can be reached from another host."""
    for path in _RESOLVERS:
        lines = path.read_text().splitlines() if path.exists() else []
        servers = [line for line in lines if line.startswith("nameserver") and not _is_loopback(line.split()[1])]
        if servers:
            others = [line for line in lines if line.split()[:1] in (["search"], ["options"])]
            return "\n".join([*servers, *others]) + "\n"
    raise OrchestratorError(
        Kind.UNAVAILABLE,
        "This machine knows no name server that practice hosts could reach",
        hint="Add a nameserver that is not on the loopback to /etc/resolv.conf.",
    )


def apt_sources(suite: str) -> str:
    """Return the Debian sources this machine installs from, as a sources.list of a release that may be another than its
    own; empty on another distribution."""
    sources = run(
        "apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
        "Created-By: Packages", "Origin: Debian",
    )  # fmt: skip
    own = platform.freedesktop_os_release().get("VERSION_CODENAME", suite)
    return re.sub(rf"(?<= ){re.escape(own)}(?=[ -])", suite, sources)


def introduce(tree: Path) -> None:
    """Tell the host in this tree what this machine knows about the way out. The file INTRODUCED is written last."""
    etc = tree / "etc"
    write(etc / "apt/apt.conf.d/90machine", apt_options())
    if trusted := certificates():
        write(etc / "ssl/certs/ca-certificates.crt", trusted)
    write(tree / INTRODUCED, resolver())


def apt_options() -> str:
    """Return this machine's apt settings about fetching (proxies, checks, retries), as an apt.conf."""
    settings = run("apt-config", "dump", "Acquire").splitlines()
    kept = [line for line in settings if line.startswith(_FETCHING)]
    configured = "\n".join(kept)
    for scheme in ("http", "https"):
        proxy = os.environ.get(f"{scheme}_proxy")
        if proxy and f"Acquire::{scheme}::Proxy " not in configured:
            kept.append(f'Acquire::{scheme}::Proxy "{proxy}";')
    return "\n".join(kept) + "\n"


def certificates() -> str | None:
    """Return the authorities this machine trusts, or None when it has no such list."""
    return _CERTIFICATES.read_text() if _CERTIFICATES.exists() else None


def _is_loopback(address: str) -> bool:
    return ip_address(address.partition("%")[0]).is_loopback
