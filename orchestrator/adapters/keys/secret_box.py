"""Secrets of agencies: random, and sealed with Fernet (AES-128-CBC and HMAC-SHA-256) by the keys in one file."""

import base64
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from orchestrator.adapters.keys.files import make_private, refuse_readable_by_others, replace_private
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.selling.catalog import SecretKind

PASSWORD_BYTES = 18
"""24 characters of base64, 144 bits."""


class SecretBox:
    """Opens and seals with the keys in a file that only its owner may read: one per line, newest first.

    There are two keys while secrets are being resealed. The newest seals, and each opens what it sealed. A changed file
    is read again, so that running processes seal with the new key at once.
    """

    def __init__(self, key_file: Path) -> None:
        self._file = key_file
        self._keys = (_identity(key_file), _read_keys(key_file))

    def generate(self, kind: SecretKind) -> str:
        if kind is SecretKind.PASSWORD:
            return secrets.token_urlsafe(PASSWORD_BYTES)
        return base64.b64encode(secrets.token_bytes(32)).decode()

    def seal(self, clear: str) -> bytes:
        return self._current()[0].encrypt(clear.encode())

    def open(self, token: bytes) -> str:
        try:
            return MultiFernet(self._current()).decrypt(token).decode()
        except InvalidToken:
            raise OrchestratorError(
                Kind.CONFLICT,
                "a stored secret cannot be opened with this encryption key",
                hint="restore the key file that belongs to this database",
            ) from None

    def reseal(self, token: bytes) -> bytes | None:
        """The secret sealed by the newest key; None if it already is."""
        try:
            self._current()[0].decrypt(token)
        except InvalidToken:
            return self.seal(self.open(token))
        return None

    def begin_rotation(self) -> bool:
        """Put a new key before the old one. Returns False if an earlier rotation is unfinished."""
        keys = _lines(self._file)
        if len(keys) > 1:
            return False
        replace_private(self._file, b"\n".join([Fernet.generate_key(), *keys, b""]))
        return True

    def end_rotation(self) -> None:
        """Delete the old key, which opens nothing any more."""
        replace_private(self._file, _lines(self._file)[0] + b"\n")

    def _current(self) -> list[Fernet]:
        identity, keys = self._keys
        if (now := _identity(self._file)) != identity:
            keys = _read_keys(self._file)
            self._keys = now, keys
        return keys


def make_key(key_file: Path) -> bool:
    """Create the key file, mode 0600. Returns False if it exists."""
    return make_private(key_file, Fernet.generate_key)


def opens(key_file: Path, token: bytes) -> bool:
    """Whether a key in the file sealed this."""
    try:
        MultiFernet(_read_keys(key_file)).decrypt(token)
    except InvalidToken:
        return False
    return True


def _identity(key_file: Path) -> tuple[int, int]:
    try:
        found = key_file.stat()
    except FileNotFoundError:
        raise _missing(key_file) from None
    return found.st_ino, found.st_mtime_ns


def _read_keys(key_file: Path) -> list[Fernet]:
    try:
        keys = [Fernet(line) for line in _lines(key_file)]
    except ValueError:
        keys = []
    if not keys:
        raise OrchestratorError(Kind.INVALID, f"{key_file} does not hold an encryption key")
    refuse_readable_by_others(key_file, consider="the secrets known")
    return keys


def _lines(key_file: Path) -> list[bytes]:
    try:
        return key_file.read_bytes().split()
    except FileNotFoundError:
        raise _missing(key_file) from None


def _missing(key_file: Path) -> OrchestratorError:
    return OrchestratorError(
        Kind.NOT_FOUND, f"{key_file}: the encryption key is missing", hint="restore it from its backup"
    )
