"""Per-agency secrets: made at random, sealed with Fernet (AES-128-CBC and HMAC-SHA-256) under one key file."""

import base64
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from orchestrator.adapters.keys.files import make_private, refuse_readable_by_others
from orchestrator.domain.catalog import SecretKind
from orchestrator.domain.errors import Kind, OrchestratorError

PASSWORD_BYTES = 18
"""24 characters of base64, 144 bits."""


class SecretBox:
    """Opens and seals with the key in a file that only its owner may read."""

    def __init__(self, key_file: Path) -> None:
        self._fernet = Fernet(_read_key(key_file))

    def generate(self, kind: SecretKind) -> str:
        if kind is SecretKind.KEY:
            return base64.b64encode(secrets.token_bytes(32)).decode()
        return secrets.token_urlsafe(PASSWORD_BYTES)

    def seal(self, clear: str) -> bytes:
        return self._fernet.encrypt(clear.encode())

    def open(self, token: bytes) -> str:
        try:
            return self._fernet.decrypt(token).decode()
        except InvalidToken:
            raise OrchestratorError(
                Kind.CONFLICT,
                "a stored secret cannot be opened with this encryption key",
                hint="restore the key file that belongs to this database",
            ) from None


def make_key(key_file: Path) -> bool:
    """Create the key file, mode 0600. False when there is one already."""
    return make_private(key_file, Fernet.generate_key)


def opens(key_file: Path, token: bytes) -> bool:
    """Whether the key in the file is the one that sealed this."""
    try:
        Fernet(_read_key(key_file)).decrypt(token)
    except InvalidToken:
        return False
    return True


def _read_key(key_file: Path) -> bytes:
    try:
        key = key_file.read_bytes().strip()
        Fernet(key)
    except FileNotFoundError:
        raise OrchestratorError(
            Kind.NOT_FOUND, f"{key_file}: the encryption key is missing", hint="restore it from its backup"
        ) from None
    except ValueError:
        raise OrchestratorError(Kind.INVALID, f"{key_file} does not hold an encryption key") from None
    refuse_readable_by_others(key_file, consider="the secrets known")
    return key
