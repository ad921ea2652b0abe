"""Dialling in to a WireGuard interface of this host from a network namespace, with a key that is good for no longer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ansible.module_utils.basic import AnsibleModule

LONGEST_INTERFACE_NAME = 15


class DialError(Exception):
    """The interface cannot be dialled; the message says why."""


@dataclass(frozen=True)
class Dial:
    """An attempt to dial in. The peer knows the public key that belongs to `private_key`, so that it gets through only
    if the interface has that private key."""

    module: AnsibleModule
    interface: str
    private_key: str
    endpoint: str
    namespace: str
    address: str
    timeout: int

    @property
    def link(self) -> str:
        """The peer's interface. All namespaces share the folder of wireguard-go's control sockets, so it is named after
        its own."""
        return f"dial-{self.namespace}"[:LONGEST_INTERFACE_NAME]

    @contextmanager
    def made(self) -> Iterator[str]:
        """Have a connection, of the peer whose public key this yields. Raises DialError without one."""
        _, own_key, _ = self.module.run_command(["wg", "genkey"], check_rc=True)
        peer = self._public_key(own_key)
        admit = ["wg", "set", self.interface, "peer", peer, "allowed-ips", self.address]
        status, _, errors = self.module.run_command(admit)
        if status != 0:
            raise DialError(f"{self.interface} cannot be dialled: {errors.strip()}")
        try:
            with self._dialler(own_key):
                if not self._shaken():
                    raise DialError(f"{self.interface} does not answer at {self.endpoint} with its published key")
                yield peer
        finally:
            self.forget(peer)

    def forget(self, peer: str) -> None:
        """Have the interface answer the peer no more."""
        self.module.run_command(["wg", "set", self.interface, "peer", peer, "remove"])

    def within(self, *command: str, data: str | None = None, check: bool = True) -> tuple[int, str]:
        """Run a command in the namespace; return its status and what it printed."""
        status, output, _ = self.module.run_command(
            ["ip", "netns", "exec", self.namespace, *command], data=data, check_rc=check
        )
        return status, str(output)

    def _public_key(self, private_key: str) -> str:
        """Return the public key of a private one, which is passed over standard input."""
        _, output, _ = self.module.run_command(["wg", "pubkey"], data=private_key, check_rc=True)
        return str(output.strip())

    @contextmanager
    def _dialler(self, own_key: str) -> Iterator[None]:
        """Have the peer's interface, in the kernel if possible, else in user space."""
        status, _ = self.within("ip", "link", "add", self.link, "type", "wireguard", check=False)
        if status != 0:
            self.within("wireguard-go", self.link)
        try:
            self.within("wg", "set", self.link, "private-key", "/dev/stdin", data=own_key)
            self.within("ip", "link", "set", self.link, "up")
            # A keepalive makes the peer dial at once, although it has nothing to send.
            known = ["peer", self._public_key(self.private_key), "endpoint", self.endpoint]
            self.within("wg", "set", self.link, *known, "allowed-ips", "0.0.0.0/0", "persistent-keepalive", "1")
            yield
        finally:
            # This also ends wireguard-go.
            self.within("ip", "link", "delete", self.link, check=False)

    def _shaken(self) -> bool:
        """Wait for the first handshake."""
        deadline = time.monotonic() + self.timeout
        while time.monotonic() < deadline:
            _, output = self.within("wg", "show", self.link, "latest-handshakes", check=False)
            if output.split()[-1:] not in ([], ["0"]):
                return True
            time.sleep(0.1)
        return False
