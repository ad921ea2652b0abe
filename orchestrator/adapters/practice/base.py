"""The base tree: a plain Debian host, built once. Each practice host stores only its changes to it.

`python3 -m orchestrator.adapters.practice.base CACHE SUITE USER` builds it with nothing but Python, so that `make` can
do it while the packages of the program are being installed.
"""

import hashlib
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from orchestrator.adapters.practice import machine
from orchestrator.adapters.practice.cache import Cache, Progress
from orchestrator.adapters.practice.commands import run
from orchestrator.domain.errors import Kind, OrchestratorError

PACKAGES = (
    "ca-certificates", "dbus", "iproute2", "openssh-server", "python3", "python3-apt", "sudo", "systemd-sysv",
)  # fmt: skip
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# Run by mmdebstrap with the tree as $1. Host keys are generated per host, before it boots. apt's timers would hold
# dpkg's lock while a playbook needs it; waiting for the disk at every package gains a practice host nothing. Nobody
# records what crosses the bridge to decrypt it in years to come, and agreeing on a key by Debian's sntrup takes a fifth
# of a second of processor per connection. Of systemd's generators, which run at every start and reload, those for disks
# and consoles are of no use here.
_CUSTOMISE = r"""
set -eu
rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/hostname "$1"/etc/resolv.conf
chroot "$1" useradd --create-home --shell /bin/bash {user}
echo '{user} ALL=(ALL) NOPASSWD: ALL' > "$1"/etc/sudoers.d/{user}
chmod 0440 "$1"/etc/sudoers.d/{user}
cat > "$1"/etc/ssh/sshd_config.d/practice.conf << 'END'
AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/authorized_keys.d/%u
KexAlgorithms -sntrup*
END
mkdir -p "$1"/etc/systemd/system-generators
for name in cryptsetup debug getty gpt-auto hibernate-resume integritysetup rc-local run system-update veritysetup; do
  ln -s /dev/null "$1"/etc/systemd/system-generators/systemd-$name-generator
done
chroot "$1" systemctl enable systemd-networkd.service
chroot "$1" systemctl mask apt-daily.timer apt-daily-upgrade.timer systemd-networkd-wait-online.service
cat > "$1"/etc/dpkg/dpkg.cfg.d/practice << 'END'
force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/locale/*
END
"""


def base_tree(cache: Cache, *, suite: str, user: str, progress: Progress) -> Path:
    """Return the tree for hosts of this Debian release with this login. Builds it if it is not in the cache."""
    sources = machine.apt_sources(suite)
    customise = _CUSTOMISE.format(user=user)
    built_from = "\0".join((suite, run("dpkg", "--print-architecture"), *PACKAGES, sources, customise))

    def build(tree: Path, lock: int) -> None:
        progress(f"building the base tree of {suite} in {cache.folder} (once, about a minute)")
        bootstrap(tree, suite=suite, packages=PACKAGES, sources=sources, customise=customise, keep_open=(lock,))

    name = f"base-{hashlib.sha256(built_from.encode()).hexdigest()[:12]}"
    return cache.tree(name, build, what="the base tree", progress=progress)


def bootstrap(
    tree: Path,
    *options: str,
    suite: str,
    packages: Collection[str],
    sources: str,
    customise: str = "",
    keep_open: tuple[int, ...] = (),
) -> None:
    """Build a tree of a release with these packages, from these sources or else from mmdebstrap's defaults."""
    if not sources and not _KEYRING.exists():
        raise OrchestratorError(
            Kind.UNAVAILABLE,
            "This machine does not have the keys that Debian packages are signed with",
            hint="apt-get install debian-archive-keyring",
        )
    with tempfile.TemporaryDirectory() as scratch:
        settings, hook = Path(scratch, "apt.conf"), Path(scratch, "hook")
        settings.write_text(machine.apt_options())
        hook.write_text("#!/bin/sh" + customise)
        hook.chmod(0o700)
        run(
            # In its own mount namespace, so that no mount outlives it.
            "unshare", "--mount", "--propagation", "private", "--",
            "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(packages)}",
            f"--aptopt={settings}", "--dpkgopt=force-unsafe-io", "--skip=cleanup/apt/lists",
            f"--customize-hook={hook}", *options, suite, str(tree), *(["-"] if sources else []),
            text=sources, keep_open=keep_open,
        )  # fmt: skip


if __name__ == "__main__":
    try:
        base_tree(Cache(Path(sys.argv[1])), suite=sys.argv[2], user=sys.argv[3], progress=print)
    except OrchestratorError as error:
        sys.exit(f"Error: {error}")
