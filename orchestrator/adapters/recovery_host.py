"""A recovery host over one SSH connection: its drill program, and simulated users of a service on it."""

import json
import logging
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import paramiko

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.site import Site
from orchestrator.ports.drilling import DrillGoneError, TooSlowError
from orchestrator.ports.outside import SiteAccess

CONNECT_SECONDS = 10.0
KEEPALIVE_SECONDS = 5
SILENCE_SECONDS = 20
"""After this time without an acknowledgement the connection counts as broken. It is far below what a phase may take, so
that a host that was cut off is not taken for a service that is slow."""
DRILL = "/usr/local/lib/recovery/drill"
USERS = "/usr/local/lib/recovery/users"
READ_WITHIN = timedelta(seconds=15)
CHUNK = 65_536
LOOK_SECONDS = 0.05

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # what matters is raised as our own error


class SshRecoveryHosts:
    """The recovery hosts of all sites. `access_of` returns the access to a site."""

    def __init__(self, access_of: Callable[[str], SiteAccess]) -> None:
        self._access_of = access_of

    @contextmanager
    def connect(self, site: Site, host: str) -> Iterator["SshRecoveryHost"]:
        """One connection while the context lasts. Raises UNAVAILABLE when we cannot log in to the host."""
        access, target = self._access_of(site.name), site.hosts[host]
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            client.load_host_keys(str(access.known_hosts))
            client.connect(
                target.address,
                username=str(target.variables.get("ansible_user") or site.facts.get("ansible_user")),
                key_filename=str(access.key),
                timeout=CONNECT_SECONDS,
                banner_timeout=CONNECT_SECONDS,
                auth_timeout=CONNECT_SECONDS,
                look_for_keys=False,
                allow_agent=False,
            )
        except (OSError, EOFError, paramiko.SSHException) as error:
            client.close()
            raise _unavailable(host, error) from error
        try:
            transport = client.get_transport()
            assert transport is not None
            assert isinstance(transport.sock, socket.socket)
            transport.set_keepalive(KEEPALIVE_SECONDS)
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_SECONDS * 1000)
            yield SshRecoveryHost(host, transport)
        finally:
            client.close()


class SshRecoveryHost:
    def __init__(self, name: str, transport: paramiko.Transport) -> None:
        self._name, self._transport = name, transport

    def operate(
        self,
        operation: str,
        document: Mapping[str, Any],
        *,
        within: timedelta,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:
        """Run one operation of the drill program: a document in, a document out.

        Raises FAILED with the program's message, DrillGoneError when it has no such drill, UNAVAILABLE when the
        connection broke, TooSlowError on a timeout, CONFLICT when cancelled.
        """
        with self._channel(f"sudo -n {shlex.join([DRILL, operation])}") as channel:
            channel.sendall(json.dumps(document).encode() + b"\n")
            channel.shutdown_write()
            said, errors = _read_all(channel, self._name, f"drill {operation}", within, cancelled)
            status = channel.recv_exit_status()
        try:
            answer: dict[str, Any] = json.loads(said)
        except ValueError:
            detail = (errors or said).decode(errors="replace").strip() or f"it ended with {status}"
            raise OrchestratorError(Kind.FAILED, f"{self._name}: drill {operation}: {detail[-500:]}") from None
        if answer.get("gone"):
            raise DrillGoneError(f"{self._name}: drill {operation}: {answer.get('error')}")
        if status != 0 or "error" in answer:
            raise OrchestratorError(Kind.FAILED, f"{self._name}: drill {operation}: {answer.get('error', status)}")
        return answer

    def read(self, file: str) -> str:
        """Read a text file on the host."""
        with self._channel(f"sudo -n cat {shlex.quote(file)}") as channel:
            said, errors = _read_all(channel, self._name, f"reading {file}", READ_WITHIN, lambda: False)
            if channel.recv_exit_status() != 0:
                raise OrchestratorError(Kind.FAILED, f"{self._name}: {errors.decode(errors='replace').strip()}")
        return said.decode()

    def as_root(self, program: str, arguments: Sequence[str]) -> str:
        """Run a Python program as root and return its output. Raises FAILED with its message if its status is not 0."""
        with self._channel(f"sudo -n {shlex.join(['python3', '-', *arguments])}") as channel:
            channel.sendall(program.encode())
            channel.shutdown_write()
            said, errors = _read_all(channel, self._name, "a program", READ_WITHIN, lambda: False)
            if channel.recv_exit_status() != 0:
                why = (errors or said).decode(errors="replace").strip()
                raise OrchestratorError(Kind.FAILED, f"{self._name}: {why[-500:]}")
        return said.decode(errors="replace")

    @contextmanager
    def user(self, component: str, introduction: Mapping[str, Any]) -> Iterator["SshUser"]:
        """A user of the component who works from this host."""
        with self._channel(f"python3 {USERS}/{shlex.quote(component)}.py") as channel:
            user = SshUser(self._name, channel)
            user.ask(introduction, within=timedelta(seconds=CONNECT_SECONDS))
            yield user

    @contextmanager
    def _channel(self, command: str) -> Iterator[paramiko.Channel]:
        try:
            channel = self._transport.open_session(timeout=CONNECT_SECONDS)
            channel.exec_command(command)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise _unavailable(self._name, error) from error
        try:
            yield channel
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise _unavailable(self._name, error) from error
        finally:
            with suppress(OSError, EOFError, paramiko.SSHException):
                channel.close()


class SshUser:
    """Sends one request after another; the other end keeps the connection to the service."""

    def __init__(self, host: str, channel: paramiko.Channel) -> None:
        self._host, self._channel, self._rest = host, channel, b""
        self._turn = threading.Lock()

    def ask(self, request: Mapping[str, Any], *, within: timedelta) -> dict[str, Any]:
        """Return the answer. Raises UNAVAILABLE if there is none in time."""
        with self._turn:
            self._channel.sendall(json.dumps(request).encode() + b"\n")
            deadline = time.monotonic() + within.total_seconds()
            while b"\n" not in self._rest:
                self._channel.settimeout(max(deadline - time.monotonic(), 0.001))
                try:
                    more = self._channel.recv(CHUNK)
                except TimeoutError as error:
                    raise _unavailable(self._host, "the user program does not answer") from error
                if not more:
                    said = self._channel.recv_stderr(CHUNK).decode(errors="replace").strip()
                    raise _unavailable(self._host, f"the user program ended: {said[-500:]}")
                self._rest += more
            line, _, self._rest = self._rest.partition(b"\n")
            answer: dict[str, Any] = json.loads(line)
            return answer


def _read_all(
    channel: paramiko.Channel, host: str, operation: str, within: timedelta, cancelled: Callable[[], bool]
) -> tuple[bytes, bytes]:
    """Read both streams to their end."""
    deadline, said, errors = time.monotonic() + within.total_seconds(), b"", b""
    while True:
        ended = channel.exit_status_ready()
        while channel.recv_ready():
            said += channel.recv(CHUNK)
        while channel.recv_stderr_ready():
            errors += channel.recv_stderr(CHUNK)
        if ended and channel.eof_received and not channel.recv_ready():
            return said, errors
        if channel.closed:
            raise _unavailable(host, "the connection broke")
        if cancelled():
            raise OrchestratorError(Kind.CONFLICT, "cancelled on request")
        if time.monotonic() > deadline:
            raise TooSlowError(f"recovery host {host}: {operation} took longer than {within}")
        time.sleep(LOOK_SECONDS)


def _unavailable(host: str, why: object) -> OrchestratorError:
    return OrchestratorError(Kind.UNAVAILABLE, f"recovery host {host}: {why or type(why).__name__}")
