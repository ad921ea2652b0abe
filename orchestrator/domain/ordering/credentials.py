"""What a person of an agency logs in to a service with."""

import base64
from urllib.parse import quote

from orchestrator.domain.value import Value


class Credentials(Value):
    """A person's password and, if the service also wants one-time codes, the address of their key, from which apps that
    show codes are set up. In the clear: never stored."""

    person: str
    password: str
    authenticator: str | None = None

    @property
    def text(self) -> str:
        """The same for the person to read."""
        told = f"person: {self.person}\npassword: {self.password}\n"
        return told + (f"one-time codes: {self.authenticator}\n" if self.authenticator else "")


def authenticator(person: str, key: str, *, issuer: str) -> str:
    """The `otpauth:` address of a key in hexadecimal, which apps read as text or as a QR code."""
    secret, name = base64.b32encode(bytes.fromhex(key)).decode(), quote(issuer, safe="")
    return f"otpauth://totp/{name}:{person}?secret={secret}&issuer={name}"
