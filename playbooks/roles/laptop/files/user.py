#!/usr/bin/python3
"""Uses a register of laptops as they do, with the papers of a laptop that nobody has; see conversation.py.

It enrols by its key, which is computed from the agency's secret, reports, and reads its own reports. A canary is the
note of a report. `authority` is the agency's certificate authority as PEM text.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import sys
import time
from contextlib import suppress
from typing import Any

from conversation import Document, UseError, is_older, talk

sys.path.append("/usr/local/lib/recovery")
import agency_authority
import tls_identity
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

SECONDS = 5.0
NAME = "0-canary"
FACTS = {"encrypted": True, "updated_ago": 0, "lock_minutes": 1, "system": "recovery"}


class Laptop:
    """A laptop of the agency's, over one connection that is kept open."""

    def __init__(self, given: Document) -> None:
        self._given, self._open = given, None
        secret = base64.b64decode(given["secrets"]["authority_key"])
        self._key = agency_authority.derive(secret, f"device {NAME}")

    def write(self, _number: int, text: str) -> None:
        """Report, with a line as the note. Its number is in it."""
        self._ask("POST", "/report", {**FACTS, "note": text})

    def read(self, first: int) -> list[str]:
        """Return the notes of the reports."""
        notes = dict.fromkeys(one["note"] for one in self._ask("GET", "/reports")["reports"] if one["note"])
        return [note for note in notes if not is_older(note, first)]

    def probe(self) -> str:
        """Report, and be answered with the policy."""
        answer = self._ask("POST", "/report", FACTS)
        return (
            f"{answer['device']} reported, and its screen is to lock after {answer['policy']['lock_minutes']} minutes"
        )

    def _ask(self, method: str, path: str, document: Document | None = None) -> Any:
        try:
            return self._asked(self._connected(), method, path, document)
        except (http.client.HTTPException, ssl.SSLError) as error:
            self.close()
            raise UseError(f"the register does not answer: {error}") from error
        except OSError:
            self.close()
            raise

    def _asked(self, connection: Any, method: str, path: str, document: Document | None) -> Any:
        connection.request(method, path, json.dumps(document) if document else None)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != http.HTTPStatus.OK:
            self.close()
            raise UseError(f"the register answers {answer.status} to {path}")
        return json.loads(text)

    def _connected(self) -> Any:
        if self._open is None:
            at = int(time.time())
            signature = self._key.sign(f"enrol {NAME} {at}\n".encode(), ec.ECDSA(hashes.SHA256()))
            signed = {"device": NAME, "at": at, "signature": base64.b64encode(signature).decode()}
            first = self._connection(self._context())
            papers = self._asked(first, "POST", "/enrol", signed)
            first.close()
            context = self._context()
            tls_identity.present(context, papers["certificate"], agency_authority.private_text(self._key))
            self._open = self._connection(context)
        return self._open

    def _connection(self, context: ssl.SSLContext) -> http.client.HTTPSConnection:
        port = int(self._given["allocation"]["device_port"])
        return http.client.HTTPSConnection(self._given["address"], port, timeout=SECONDS, context=context)

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self._given["authority"])
        context.check_hostname = False  # a restored copy has another address; no other server has the agency's key
        return context

    def close(self) -> None:
        """Hang up. The next request begins anew."""
        if self._open is not None:
            with suppress(OSError):
                self._open.close()
        self._open = None


if __name__ == "__main__":
    talk(Laptop)
