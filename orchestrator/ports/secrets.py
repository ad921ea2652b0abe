"""Protocols for secrets and keys: their records, their creation and sealing, and the keys of sites."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import NamedTuple, Protocol

from orchestrator.domain.selling.catalog import SecretKind

SecretPlace = tuple[str, str, str]
"""The agency, component and name of a secret."""


class MadeSecret(NamedTuple):
    """A secret without its value: since when it exists, and whether it is being replaced."""

    agency: str
    component: str
    name: str
    made_at: datetime
    replaced: bool


class SecretRows(Protocol):
    """Encrypted secrets. This port only sees ciphertext."""

    def of(self, agency: str, component: str) -> dict[str, bytes]: ...
    def add(self, agency: str, component: str, name: str, token: bytes, *, at: datetime) -> None: ...
    def forget(self, agency: str, component: str, *, apart_from: Sequence[str] = ()) -> None: ...
    def propose(self, place: SecretPlace, token: bytes) -> None:
        """Store the replacement of a secret beside it."""
        ...

    def proposed(self, agency: str) -> dict[str, dict[str, bytes]]:
        """Component -> name -> the replacement of that secret."""
        ...

    def accept(self, agency: str, component: str, *, at: datetime) -> None:
        """Replace secrets with their proposed replacements."""
        ...

    def made(self, agency: str | None = None) -> list[MadeSecret]:
        """The secrets of an agency, or all, and their age. Never their values."""
        ...

    def after(self, place: SecretPlace | None, *, limit: int) -> list[tuple[SecretPlace, bytes, bytes | None]]:
        """All secrets with their replacements, ordered by place, after a given one."""
        ...

    def replace(self, place: SecretPlace, token: bytes, proposed: bytes | None) -> None: ...


class Secrets(Protocol):
    """Generates secrets and encrypts them at rest."""

    def generate(self, kind: SecretKind) -> str: ...
    def seal(self, clear: str) -> bytes: ...
    def open(self, token: bytes) -> str: ...


class KeyPair(NamedTuple):
    """Public keys, `TYPE BASE64`: the old one and the new one."""

    known: str
    another: str


class SiteKeys(Protocol):
    """The key files of sites."""

    def turn(self, site: str) -> AbstractContextManager[None]:
        """Hold the lock on a site's keys. Raises CONFLICT if another process holds it."""
        ...

    def leaving(self, site: str) -> KeyPair | None:
        """The old key that must still be removed from hosts, and its replacement."""
        ...

    def begin(self, site: str) -> KeyPair:
        """The current key and the next one, which is created if necessary."""
        ...

    def change(self, site: str) -> KeyPair:
        """Replace the current key with the next one."""
        ...

    def end(self, site: str) -> None:
        """Record that no host has the old key any more."""
        ...


class RotatedKeys(Protocol):
    """The key file."""

    def begin_rotation(self) -> bool: ...
    def reseal(self, token: bytes) -> bytes | None: ...
    def end_rotation(self) -> None: ...
