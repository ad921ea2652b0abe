"""SSH: whether a person can log in, over kept connections, each pinned to the host's key."""

import asyncio
import base64
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

import paramiko

from orchestrator.adapters.probes.answers import CannotProbe, ProbeFailed, host_and_port
from orchestrator.domain.probing.readings import ProbeKey
from orchestrator.ports.probing import Prepared

PORT = 22
KEPT = 200
"""Maximum number of kept connections, each with its own thread; beyond it, the least recently used is closed."""
NOTHING = "true"
"""A command that does nothing, successfully."""

KINDS: dict[str, Callable[..., paramiko.PKey]] = {
    "ssh-ed25519": paramiko.Ed25519Key,
    "ssh-rsa": paramiko.RSAKey,
    "ecdsa-sha2-nistp256": paramiko.ECDSAKey,
}
BROKEN = (OSError, EOFError, paramiko.SSHException)


class SecureShell:
    def __init__(self) -> None:
        self._kept: OrderedDict[ProbeKey, tuple[Prepared, paramiko.SSHClient]] = OrderedDict()
        self._turn = threading.Lock()

    async def ask(self, prepared: Prepared, seconds: float) -> str:
        """Log in and run a command, or run it over a kept login."""
        return await asyncio.to_thread(self._ask, prepared, seconds)

    def close(self) -> None:
        for _, client in self._kept.values():
            client.close()
        self._kept.clear()

    def _ask(self, prepared: Prepared, seconds: float) -> str:
        if prepared.person is None or not prepared.trust:
            raise CannotProbe("nobody to log in as" if prepared.person is None else "no host key to expect")
        client = self._taken(prepared)
        try:
            client = client or _connected(prepared, seconds)
            _, output, _ = client.exec_command(NOTHING, timeout=seconds)
            output.channel.settimeout(seconds)
            output.read()  # to the end, or TimeoutError
            if not output.channel.status_event.wait(seconds):
                raise TimeoutError
            code = output.channel.recv_exit_status()
        except BROKEN as error:
            if client:
                client.close()
            if isinstance(error, OSError) and not isinstance(error, paramiko.SSHException):
                raise
            raise ProbeFailed(f"{prepared.target.address}: {error or type(error).__name__}") from error
        self._keep(prepared, client)
        if code != 0:
            raise ProbeFailed(f"{prepared.target.address}: a command that does nothing ended with {code}")
        return f"{prepared.person.name} logged in"

    def _taken(self, prepared: Prepared) -> paramiko.SSHClient | None:
        """The kept login, unless its target or person has changed."""
        with self._turn:
            of, client = self._kept.pop(prepared.target.each, (None, None))
        transport = client and client.get_transport()
        if client and of == prepared and transport and transport.is_active():
            return client
        if client:
            client.close()
        return None

    def _keep(self, prepared: Prepared, client: paramiko.SSHClient) -> None:
        with self._turn:
            self._kept[prepared.target.each] = prepared, client
            oldest = self._kept.popitem(last=False)[1][1] if len(self._kept) > KEPT else None
        if oldest:
            with suppress(*BROKEN):
                oldest.close()


def _connected(prepared: Prepared, seconds: float) -> paramiko.SSHClient:
    """Log in by password to a host that proves that it has the expected key."""
    assert prepared.person and prepared.trust
    host, port = host_and_port(prepared.target.address, PORT)
    client = paramiko.SSHClient()  # by default, unknown keys are refused
    client.get_host_keys().add(host if port == PORT else f"[{host}]:{port}", *_key(prepared.trust))
    try:
        client.connect(
            host,
            port,
            prepared.person.name,
            prepared.person.password,
            timeout=seconds,
            banner_timeout=seconds,
            auth_timeout=seconds,
            channel_timeout=seconds,
            look_for_keys=False,
            allow_agent=False,
        )
    except paramiko.ssh_exception.NoValidConnectionsError as error:
        client.close()
        raise next(iter(error.errors.values())) from error
    except BROKEN:
        client.close()
        raise
    return client


def _key(trust: str) -> tuple[str, paramiko.PKey]:
    """A public key as in `ssh_host_ed25519_key.pub`."""
    try:
        kind, key = trust.split()[:2]
        return kind, KINDS[kind](data=base64.b64decode(key))
    except (ValueError, KeyError, paramiko.SSHException) as error:
        raise CannotProbe(f"the trusted host key is not valid: {type(error).__name__}") from error
