#!/usr/bin/python3
"""The register of an agency's laptops: hands out their papers, and keeps what they report.

Usage: register.py FOLDER STORE SOCKET. FOLDER has answers.json, which says what is known of each laptop; STORE is where
reports are kept, a file of JSON lines for each laptop. The door in front of the socket has checked who is connected,
and says so in X-Client-Verify and X-Client-Serial. What a laptop says is data, and kept only in the form below.
    GET /           whether the register answers
    POST /enrol     a laptop's papers, for a signature of its key over "enrol NAME SECONDS\\n"
    POST /report    keeps a report, and answers with the laptop's papers; for a certificate of a laptop
    GET /reports    a laptop's own reports, for a certificate of it
"""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

Document = dict[str, Any]
MOST_BYTES = 4096
DAY = 86_400
KEPT, CANARIES_KEPT = 500, 4_000
"""How many of the newest reports of a laptop, and of the one whose reports are canaries, stay: up to twice as many."""
CANARY = "0-canary"
FORM = {
    "encrypted": lambda said: isinstance(said, bool),
    "updated_ago": lambda said: said is None or is_number(said, 10**10),
    "lock_minutes": lambda said: said is None or is_number(said, 10**5),
    "system": lambda said: is_line(said, 100),
    "note": lambda said: is_line(said, 200),
}
"""What a report may say. The note may be missing."""


class RefusedError(Exception):
    """A request that is not granted, with its status."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


def is_number(said: object, most: int) -> bool:
    """Tell whether it is a whole number up to some limit."""
    return isinstance(said, int) and not isinstance(said, bool) and 0 <= said <= most


def is_line(said: object, longest: int) -> bool:
    """Tell whether it is a line of printable text."""
    return isinstance(said, str) and len(said) <= longest and said.isprintable()


def checked(document: object) -> Document:
    """Return a report that has the form of one."""
    told = {"note": "", **document} if isinstance(document, dict) else {}
    if told.keys() != FORM.keys() or not all(is_right(told[name]) for name, is_right in FORM.items()):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "this is no report")
    return told


class Laptops:
    """What is known of the agency's laptops."""

    def __init__(self, folder: Path) -> None:
        self._known: dict[str, Document] = json.loads((folder / "answers.json").read_text())
        self._names = {serial: name for name, known in self._known.items() for serial in known["serials"]}

    def name_of(self, verified: str, serial: str) -> str:
        """Return the name of the laptop whose certificate somebody has shown."""
        if verified != "SUCCESS" or serial not in self._names:
            raise RefusedError(HTTPStatus.FORBIDDEN, "this is not for you")
        return self._names[serial]

    def answer_to(self, name: str) -> Document:
        """Return a laptop's papers."""
        answer: Document = self._known[name]["answer"]
        return answer

    def signer_of(self, document: object) -> str:
        """Return the name of the laptop that has signed a request to enrol."""
        said = document if isinstance(document, dict) else {}
        name, at, signature = (said.get(part) for part in ("device", "at", "signature"))
        known = self._known.get(name) if isinstance(name, str) else None
        if not known or not is_number(at, 10**11) or abs(time.time() - at) > DAY:
            raise RefusedError(HTTPStatus.FORBIDDEN, "this is not for you")
        if not is_signed(known["tls_key"], f"enrol {name} {at}\n", signature):
            raise RefusedError(HTTPStatus.FORBIDDEN, "this is not for you")
        return str(name)


def is_signed(key: str, text: str, signature: object) -> bool:
    """Tell whether a signature over a text is of the private key that belongs to a public one."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    public = serialization.load_der_public_key(base64.b64decode(key))
    assert isinstance(public, ec.EllipticCurvePublicKey)
    try:
        public.verify(base64.b64decode(str(signature)), text.encode(), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


class Reports:
    """The reports of each laptop, the newest of them."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._turn = folder, threading.Lock()
        self._counts: dict[str, int] = {}

    def add(self, name: str, report: Document) -> None:
        """Keep a report. Returns when it is on the disk."""
        file, kept = self._folder / f"{name}.jsonl", CANARIES_KEPT if name == CANARY else KEPT
        with self._turn:
            if self._counts.setdefault(name, len(self.of(name))) >= 2 * kept:
                new = file.with_suffix(".new")
                new.write_text("".join(f"{line}\n" for line in self.of(name)[-kept:]))
                new.replace(file)
                self._counts[name] = kept
            with file.open("a") as stream:
                stream.write(json.dumps({"at": int(time.time()), **report}) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            self._counts[name] += 1

    def of(self, name: str) -> list[str]:
        """Return the reports of a laptop, as lines, without one that was not written to its end."""
        file = self._folder / f"{name}.jsonl"
        text = file.read_text() if file.exists() else ""
        return text[: text.rfind("\n") + 1].splitlines()


class Register(ThreadingMixIn, UnixStreamServer):
    """The server behind the door."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, socket: str, laptops: Laptops, reports: Reports) -> None:
        super().__init__(socket, Request)
        self.laptops, self.reports = laptops, reports


class Request(BaseHTTPRequestHandler):
    """One request, which the door has read to its end."""

    server: Register
    timeout = 30

    def do_GET(self) -> None:
        """Answer about the register, or with a laptop's own reports."""
        self._answer({"/": self._alive, "/reports": self._reports})

    def do_POST(self) -> None:
        """Enrol a laptop, or keep its report."""
        self._answer({"/enrol": self._enrol, "/report": self._report})

    def _answer(self, ways: Document) -> None:
        try:
            status, document = HTTPStatus.OK, ways.get(self.path, self._nothing)()
        except RefusedError as refused:
            status, document = refused.status, {"error": str(refused)}
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _nothing(self) -> Document:
        raise RefusedError(HTTPStatus.NOT_FOUND, "there is nothing here")

    def _alive(self) -> Document:
        return {"answers": True}

    def _reports(self) -> Document:
        return {"reports": [json.loads(line) for line in self.server.reports.of(self._name())]}

    def _enrol(self) -> Document:
        return self.server.laptops.answer_to(self.server.laptops.signer_of(self._said()))

    def _report(self) -> Document:
        name = self._name()
        self.server.reports.add(name, checked(self._said()))
        return self.server.laptops.answer_to(name)

    def _name(self) -> str:
        told = (self.headers.get(header, "") for header in ("X-Client-Verify", "X-Client-Serial"))
        return self.server.laptops.name_of(*told)

    def _said(self) -> object:
        try:
            length = int(self.headers.get("Content-Length", "0"))
            if not 0 <= length <= MOST_BYTES:
                raise RefusedError(HTTPStatus.BAD_REQUEST, "this is too long")
            said: object = json.loads(self.rfile.read(length))
        except (ValueError, RecursionError) as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "this is no document") from error
        return said

    def address_string(self) -> str:
        """Return who asks: the door, which has no address."""
        return "door"

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing about requests: the door has no log either."""


if __name__ == "__main__":
    place, store, address = sys.argv[1:]
    Register(address, Laptops(Path(place)), Reports(Path(store))).serve_forever()
