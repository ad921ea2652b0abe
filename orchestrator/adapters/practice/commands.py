"""Runs the machine's tools, and reports which are missing."""

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
"""Each tool that the practice site runs, and its Debian package."""


def require_machine() -> None:
    """Return only if this machine can boot practice hosts: as root, with every tool installed."""
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
    """Return the command's output. `text` is its standard input; `keep_open` are descriptors that it inherits."""
    done = subprocess.run(argv, input=text or "", capture_output=True, text=True, check=False, pass_fds=keep_open)
    if done.returncode != 0:
        raise OrchestratorError(
            Kind.FAILED,
            f"{' '.join(argv[:4])} failed with exit code {done.returncode}",
            details=tuple((done.stdout + done.stderr).strip().splitlines()[-10:]),
        )
    return done.stdout
