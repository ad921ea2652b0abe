"""The keys by which sites let us in: `id_ed25519` is in force, `id_ed25519.next` is to take its place, and
`id_ed25519.before` is the public key of the one before, as long as it may be on a host."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from orchestrator.adapters.keys.files import make_private, refuse_readable_by_others, replace_private
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.files import read_file
from orchestrator.ports.secrets import KeyPair

MAX_BYTES = 20_000


@dataclass(frozen=True)
class SiteKeyFiles:
    """`key_of` tells where the key of a site is."""

    key_of: Callable[[str], Path]

    @contextmanager
    def turn(self, site: str) -> Iterator[None]:
        folder = self.key_of(site).parent
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            raise OrchestratorError(Kind.NOT_FOUND, f"{folder}: there is no key of site {site}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise OrchestratorError(
                Kind.CONFLICT, f"the key of site {site} is being rotated by somebody else", hint="wait for that to end"
            ) from None
        finally:
            os.close(descriptor)

    def leaving(self, site: str) -> KeyPair | None:
        key, before = self.key_of(site), _before(self.key_of(site))
        if not before.exists() or next_key(key).exists():
            return None
        return KeyPair(read_file(before, at_most=MAX_BYTES).decode().strip(), _public(key))

    def begin(self, site: str) -> KeyPair:
        key = self.key_of(site)
        known = _public(key)
        make_private(next_key(key), _generate)
        return KeyPair(known, _public(next_key(key)))

    def change(self, site: str) -> KeyPair:
        key = self.key_of(site)
        pair = KeyPair(_public(key), _public(next_key(key)))
        replace_private(_before(key), f"{pair.known}\n".encode())
        key.with_suffix(".pub").unlink(missing_ok=True)  # ssh would believe it
        next_key(key).replace(key)
        return pair

    def end(self, site: str) -> None:
        _before(self.key_of(site)).unlink()


def next_key(key: Path) -> Path:
    """Where the key is that is to take the place of another."""
    return key.with_suffix(".next")


def _before(key: Path) -> Path:
    return key.with_suffix(".before")


def _generate() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def _public(key: Path) -> str:
    """`TYPE BASE64` of a private key."""
    try:
        private = load_ssh_private_key(read_file(key, at_most=MAX_BYTES), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise OrchestratorError(
            Kind.INVALID, f"{key} does not hold a private key of ssh without a passphrase"
        ) from None
    refuse_readable_by_others(key, consider="whether others may have come in by it")
    return private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
