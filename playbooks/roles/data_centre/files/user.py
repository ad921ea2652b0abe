#!/usr/bin/python3
"""Uses an agency's collector of journals as its hosts do: writes a line. See conversation.py for how it is talked to.

A collector gives nothing back, so there is no canary.
"""

from __future__ import annotations

import base64
import datetime as dt
import http.client
import secrets
import ssl
import sys
import time

from conversation import Document, UseError, talk

sys.path.append("/usr/local/lib/recovery")
import agency_authority
import tls_identity
from cryptography.hazmat.primitives.serialization import Encoding

SECONDS = 2.0
HOUR = dt.timedelta(hours=1)
ENTRY = """__REALTIME_TIMESTAMP={microseconds}
__MONOTONIC_TIMESTAMP={microseconds}
_BOOT_ID={boot}
SYSLOG_IDENTIFIER=recovery
PRIORITY=6
MESSAGE=recovery {boot}

"""


class Host:
    """A host of the agency's, with a certificate for now."""

    def __init__(self, given: Document) -> None:
        self._given = given
        self._collector = given["hosts"]["collector"][0]["name"]
        self._secret = base64.b64decode(given["secrets"]["authority_key"])

    def probe(self) -> str:
        """Write a line, and have it accepted."""
        line = ENTRY.format(microseconds=time.time_ns() // 1000, boot=secrets.token_hex(16))
        connection = http.client.HTTPSConnection(
            self._given["address"], self._given["allocation"]["journal_port"], timeout=SECONDS, context=self._context()
        )
        try:
            connection.request("POST", "/upload", line.encode(), {"Content-Type": "application/vnd.fdo.journal"})
            status = connection.getresponse().status
        except (http.client.HTTPException, ssl.SSLError) as error:
            raise UseError(f"{self._collector} does not answer: {error}") from error
        finally:
            connection.close()
        if status != http.HTTPStatus.ACCEPTED:
            raise UseError(f"{self._collector} answered a line with status {status}")
        return f"{self._collector} accepted a line"

    def _context(self) -> ssl.SSLContext:
        """Trust the agency's authority, and present what it vouches for."""
        agency, now = self._given["agency"], dt.datetime.now(dt.UTC)
        issuer = agency_authority.authority(
            agency_authority.derive(self._secret, "authority"), agency["id"], agency["domain"]
        )
        valid = {"begins": (now - HOUR).isoformat(), "ends": (now + HOUR).isoformat()}
        facts = {"agency": agency["id"], "domain": agency["domain"], "host": "recovery", "address": "127.0.0.1"}
        own = agency_authority.host_certificate(self._secret, issuer, {**facts, "valid": valid}, purpose="client")
        context = ssl.create_default_context(cadata=issuer.public_bytes(Encoding.PEM).decode())
        context.check_hostname = False  # a restored copy has another address; no other host has the agency's key
        tls_identity.present(context, own["certificate"], own["private_key"])
        return context


if __name__ == "__main__":
    talk(Host)
