"""Running the machine's tools, and saying plainly which are missing."""

import os
import shutil
import subprocess

from orchestrator.domain.errors import Kind, OrchestratorError

PACKAGES = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "apt-config": "apt",
}
"""Each tool the practice site runs, and the Debian package it is in."""


def require_machine() -> None:
    """Return only on a machine that can boot practice hosts: run by root, with every tool there."""
    if os.geteuid() != 0:
        raise OrchestratorError(
            Kind.INVALID,
            "The practice site boots real hosts, which only root may do",
            hint="Run the command again as root, or use a site with hosts of its own.",
        )
    missing = [tool for tool in PACKAGES if shutil.which(tool) is None]
    if missing:
        packages = " ".join(sorted({PACKAGES[tool] for tool in missing}))
        raise OrchestratorError(
            Kind.UNAVAILABLE,
            f"The practice site needs {', '.join(missing)}, which this machine does not have",
            hint=f"apt-get install {packages}",
        )


def run(*argv: str, text: str | None = None, keep_open: tuple[int, ...] = ()) -> str:
    """Return what the command printed. `text` goes to its standard input; `keep_open` are descriptors it inherits."""
    done = subprocess.run(argv, input=text or "", capture_output=True, text=True, check=False, pass_fds=keep_open)
    if done.returncode != 0:
        raise OrchestratorError(
            Kind.FAILED,
            f"{' '.join(argv[:4])} failed with exit code {done.returncode}",
            details=tuple((done.stdout + done.stderr).strip().splitlines()[-10:]),
        )
    return done.stdout
