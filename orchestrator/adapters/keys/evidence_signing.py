"""Signs evidence with Ed25519 and one key file, and verifies signatures with a public key."""

import base64
import binascii
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from orchestrator.adapters.keys.files import make_private, refuse_readable_by_others
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.files import read_file

MAX_BYTES = 10_000
"""A key is a few lines of text."""


class PublicKey:
    """A key that verifies signatures. As text it is the base64 of its 32 bytes; as a file, PEM."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key

    @property
    def public_key(self) -> str:
        return base64.b64encode(self._key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    @property
    def pem(self) -> str:
        """The key as PEM, to hand over, and for `openssl`."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def holds(self, signature: bytes, message: bytes) -> bool:
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class EvidenceSigner:
    """Signs with the key in a file that only its owner may read."""

    def __init__(self, key_file: Path) -> None:
        self._key = _read_private(key_file)

    @property
    def public(self) -> PublicKey:
        return PublicKey(self._key.public_key())

    @property
    def public_key(self) -> str:
        return self.public.public_key

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def make_signing_key(key_file: Path) -> bool:
    """Create the key file, mode 0600. Returns False if it exists."""

    def generate() -> bytes:
        return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    return make_private(key_file, generate)


def read_public_key(file: Path) -> PublicKey:
    """Read a public key, as PEM or as the base64 in the evidence."""
    content = _bytes_of(file, missing="the public key is missing")
    try:
        if b"BEGIN" in content:
            key = load_pem_public_key(content)
        else:
            return public_key_of(content.strip())
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise OrchestratorError(
            Kind.INVALID, f"{file} does not hold an Ed25519 public key", hint="PEM, or the base64 of its 32 bytes"
        )
    return PublicKey(key)


def public_key_of(text: str | bytes) -> PublicKey:
    """The public key in the evidence. Raises ValueError."""
    return PublicKey(Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True)))


def _read_private(file: Path) -> Ed25519PrivateKey:
    content = _bytes_of(file, missing="the key that signs evidence is missing", hint="restore it from its backup")
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise OrchestratorError(Kind.INVALID, f"{file} does not hold an Ed25519 private key")
    refuse_readable_by_others(file, consider="whether others may have signed with it")
    return key


def _bytes_of(file: Path, *, missing: str, hint: str | None = None) -> bytes:
    try:
        return read_file(file, at_most=MAX_BYTES)
    except OrchestratorError as error:
        if error.kind is not Kind.NOT_FOUND:
            raise
        raise OrchestratorError(Kind.NOT_FOUND, f"{file}: {missing}", hint=hint) from None
