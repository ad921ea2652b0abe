"""What this machine provides for its practice hosts: kernel limits, and its settings for reaching the outside."""

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
# In the second, systemd-resolved lists the servers behind its own loopback address.
_RESOLVERS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
INTRODUCED = "etc/resolv.conf"
"""Written last into the tree of a host that has this machine's settings."""
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_INSTANCES = 1024


def make_room() -> None:
    """Allow more than a dozen systems beside ours: each uses eight of the default 128 inotify instances.

    The limit stays raised: lowering it would reclaim nothing.
    """
    if int(_INOTIFY.read_text()) < _INOTIFY_INSTANCES:
        _INOTIFY.write_text(str(_INOTIFY_INSTANCES))


def resolver() -> str:
    """Return a resolv.conf with name servers that other hosts can reach."""
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
    """Return this machine's Debian sources as a sources.list for the given release; empty on another distribution."""
    sources = run(
        "apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
        "Created-By: Packages", "Origin: Debian",
    )  # fmt: skip
    own = platform.freedesktop_os_release().get("VERSION_CODENAME", suite)
    return re.sub(rf"(?<= ){re.escape(own)}(?=[ -])", suite, sources)


def introduce(tree: Path) -> None:
    """Copy this machine's settings for reaching the outside into a host's tree. The file INTRODUCED is written last."""
    etc = tree / "etc"
    write(etc / "apt/apt.conf.d/90machine", apt_options())
    if trusted := certificates():
        write(etc / "ssl/certs/ca-certificates.crt", trusted)
    write(tree / INTRODUCED, resolver())


def apt_options() -> str:
    """Return this machine's apt settings for downloads (proxies, checks, retries) as an apt.conf."""
    settings = run("apt-config", "dump", "Acquire").splitlines()
    kept = [line for line in settings if line.startswith(_FETCHING)]
    configured = "\n".join(kept)
    for scheme in ("http", "https"):
        proxy = os.environ.get(f"{scheme}_proxy")
        if proxy and f"Acquire::{scheme}::Proxy " not in configured:
            kept.append(f'Acquire::{scheme}::Proxy "{proxy}";')
    return "\n".join(kept) + "\n"


def certificates() -> str | None:
    """Return the certificate authorities that this machine trusts, or None if it has no such list."""
    return _CERTIFICATES.read_text() if _CERTIFICATES.exists() else None


def _is_loopback(address: str) -> bool:
    return ip_address(address.partition("%")[0]).is_loopback
