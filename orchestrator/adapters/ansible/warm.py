"""The worker's side of the warm server: started with the first step, replaced if it fails, never waited for."""

import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orchestrator
from orchestrator.adapters.ansible import forkserver, guard
from orchestrator.adapters.ansible.workspace import base_folder

log = logging.getLogger(__name__)

REST_SECONDS = 60.0
"""How long steps start cold after a server failed."""


@dataclass(frozen=True)
class _Profile:
    """What a server was started with: a step with another profile needs another server."""

    environment: Mapping[str, str]
    code: frozenset[tuple[Path, int, int]]


@dataclass(frozen=True)
class _Server:
    profile: _Profile
    process: "subprocess.Popen[bytes]"
    line: socket.socket
    folder: "tempfile.TemporaryDirectory[str]"


class WarmStart:
    """At most one warm server for this worker. It dies with the worker, which ends its connection.

    It is replaced when Ansible's settings or any Python file in the playbooks change. With `quick`, modules start
    faster on their hosts (`quick_modules`).
    """

    def __init__(self, playbooks: Path, *, quick: bool = True) -> None:
        self._playbooks = playbooks
        self._quick = quick
        self._server: _Server | None = None
        self._resting_until = 0.0
        self._mutex = threading.Lock()

    def expect(self, path: Path, environment: Mapping[str, str]) -> None:
        """Make a fork wait at `path` for a step with this environment.

        Without a server nothing waits there, and the step's client starts cold.
        """
        with socket.socket(socket.AF_UNIX) as listener, self._mutex:
            listener.bind(str(path))
            listener.listen(1)
            try:
                if server := self._ready(self._profile(environment)):
                    socket.send_fds(server.line, [b"."], [listener.fileno()])
            except OSError as error:
                log.warning("this step starts cold: %s", error)

    def close(self) -> None:
        """End the server. Steps that it has forked continue under their guards."""
        if self._server:
            self._server.line.close()
            self._server.process.kill()
            self._server.process.wait()
            self._server.folder.cleanup()
            self._server = None

    def _profile(self, environment: Mapping[str, str]) -> _Profile:
        own = {k: v for k, v in guard.without_settings(environment).items() if k not in forkserver.PER_STEP}
        files = [Path(environment["ANSIBLE_CONFIG"]), *self._playbooks.rglob("*.py")]
        return _Profile(environment=own, code=frozenset(_version(file) for file in files))

    def _ready(self, profile: _Profile) -> _Server | None:
        if self._server and (status := self._server.process.poll()) is not None:
            if status > 0:
                log.warning("the warm Ansible server ended with status %d; steps start cold for a while", status)
                self._resting_until = time.monotonic() + REST_SECONDS
            self.close()
        if time.monotonic() < self._resting_until:
            return None
        if self._server and self._server.profile != profile:
            self.close()
        self._server = self._server or _started(profile, quick=self._quick)
        return self._server


def _version(file: Path) -> tuple[Path, int, int]:
    status = file.stat()
    return file, status.st_mtime_ns, status.st_size


def _started(profile: _Profile, *, quick: bool) -> _Server:
    ours, theirs = socket.socketpair()
    folder = tempfile.TemporaryDirectory(prefix="orchestrator.warm-", dir=base_folder(), ignore_cleanup_errors=True)
    arguments = [sys.executable, "-m", forkserver.__name__, str(theirs.fileno()), folder.name]
    with theirs:
        process = subprocess.Popen(
            [*arguments, forkserver.QUICK] if quick else arguments,
            cwd=Path(orchestrator.__file__).parents[1],
            env={**profile.environment, "PATH": os.environ.get("PATH", os.defpath)},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    return _Server(profile=profile, process=process, line=ours, folder=folder)
