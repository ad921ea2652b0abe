"""SSH keys for sites: `id_ed25519` is current, `id_ed25519.next` will replace it, and `id_ed25519.before` is the
previous public key, kept while a host may still accept it."""

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
    """`key_of` returns the path of a site's key."""

    key_of: Callable[[str], Path]

    @contextmanager
    def turn(self, site: str) -> Iterator[None]:
        folder = self.key_of(site).parent
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            raise OrchestratorError(Kind.NOT_FOUND, f"{folder}: site {site} has no key") from None
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
        key.with_suffix(".pub").unlink(missing_ok=True)  # ssh would trust it
        next_key(key).replace(key)
        return pair

    def end(self, site: str) -> None:
        _before(self.key_of(site)).unlink()


def next_key(key: Path) -> Path:
    """The path of the key that will replace another."""
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
        raise OrchestratorError(Kind.INVALID, f"{key} does not hold an SSH private key without a passphrase") from None
    refuse_readable_by_others(key, consider="whether others may have used it to log in")
    return private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
