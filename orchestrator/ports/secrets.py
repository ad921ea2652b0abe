"""Secrets and keys: their records, what makes and opens them, and who puts keys on hosts, as protocols."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import NamedTuple, Protocol

from orchestrator.domain.selling.catalog import SecretKind

SecretPlace = tuple[str, str, str]
"""Agency, component and name of a secret."""


class MadeSecret(NamedTuple):
    """That there is a secret, since when, and whether another is to take its place."""

    agency: str
    component: str
    name: str
    made_at: datetime
    replaced: bool


class SecretRows(Protocol):
    """Encrypted secrets. What is stored is ciphertext; this port never sees more."""

    def of(self, agency: str, component: str) -> dict[str, bytes]: ...
    def add(self, agency: str, component: str, name: str, token: bytes, *, at: datetime) -> None: ...
    def forget(self, agency: str, component: str, *, apart_from: Sequence[str] = ()) -> None: ...
    def propose(self, place: SecretPlace, token: bytes) -> None:
        """Keep a secret that is to take the place of one there is, beside it."""
        ...

    def proposed(self, agency: str) -> dict[str, dict[str, bytes]]:
        """Component -> name -> the secret that is to take that one's place."""
        ...

    def accept(self, agency: str, component: str, *, at: datetime) -> None:
        """What was proposed takes the places of what was there."""
        ...

    def made(self, agency: str | None = None) -> list[MadeSecret]:
        """Which there are, of an agency or all, and since when. Never what they are."""
        ...

    def after(self, place: SecretPlace | None, *, limit: int) -> list[tuple[SecretPlace, bytes, bytes | None]]:
        """All there are, with those that are to take their places, in the order of their places, behind one of them."""
        ...

    def replace(self, place: SecretPlace, token: bytes, proposed: bytes | None) -> None: ...


class Secrets(Protocol):
    """Makes secrets and keeps them unreadable at rest."""

    def generate(self, kind: SecretKind) -> str: ...
    def seal(self, clear: str) -> bytes: ...
    def open(self, token: bytes) -> str: ...


class KeyPair(NamedTuple):
    """Public keys, `TYPE BASE64`: the one that is to go and the one that is to stay."""

    known: str
    another: str


class SiteKeys(Protocol):
    """The key files of sites."""

    def turn(self, site: str) -> AbstractContextManager[None]:
        """Only one at a time changes a site's keys. Raises CONFLICT where another is at it."""
        ...

    def leaving(self, site: str) -> KeyPair | None:
        """The old key that is still to be removed from hosts, and the one in its place."""
        ...

    def begin(self, site: str) -> KeyPair:
        """The key in force and the next one, which is made if need be."""
        ...

    def change(self, site: str) -> KeyPair:
        """The next key takes the place of the one in force."""
        ...

    def end(self, site: str) -> None:
        """The old key is on no host any more."""
        ...


class RotatedKeys(Protocol):
    """The file of keys."""

    def begin_rotation(self) -> bool: ...
    def reseal(self, token: bytes) -> bytes | None: ...
    def end_rotation(self) -> None: ...
