#!/usr/bin/python3
"""Uses a service desk as an agent of one agency does, over REST 2; see conversation.py for how it is talked to."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import urllib.parse
from typing import Any

from conversation import Document, UseError, is_older, talk

CANARY = "Recovery canary"
PAGE = 100
"""Entries the desk tells at once, which is the most it does."""
SECONDS_TO_CONNECT, SECONDS_TO_ANSWER = 2.0, 15.0
"""A desk that is up answers the door at once; what it is asked first it has to read its own programs for."""


class Agent:
    """One login on the desk, over one connection that is kept open."""

    def __init__(self, given: Document) -> None:
        agent = given["parameters"]["agents"][0]
        self._given = {
            **given,
            "port": 443,
            # The desk's certificate has its production address, wherever it runs.
            "name": given["hosts"]["desk"][0]["address"],
            "login": f"{given['agency']['id']}.{agent}",
            "password": given["secrets"]["agents_passwords"][agent],
        }
        self._trust = ssl.create_default_context(cadata=given["authority"])
        self._connection: http.client.HTTPSConnection | None = None
        self._ticket = 0

    def write(self, number: int, text: str) -> None:
        """Comment on the canary ticket. It is made resolved, so that no agent has to look at it."""
        del number
        if not self._ticket:
            self._ticket = self._find() or self._open(CANARY, Status="resolved")
        self._ask(201, "POST", f"ticket/{self._ticket}/comment", {"Content": text, "ContentType": "text/plain"})

    def read(self, first: int) -> list[str]:
        """Return the canary comments, asking for the newest first and for no page after the first old one."""
        if not (ticket := self._ticket or self._find()):
            return []
        found: list[tuple[int, str]] = []
        page, more = 1, True
        while more:
            asked = f"ticket/{ticket}/attachments?fields=Content,ContentType&per_page={PAGE}&page={page}"
            items = self._ask(200, "GET", f"{asked}&orderby=id&order=DESC")["items"]
            told = [(int(one["id"]), str(one["Content"])) for one in items if one["ContentType"] == "text/plain"]
            found += [(number, text) for number, text in told if not is_older(text, first)]
            page, more = page + 1, len(items) == PAGE and not any(is_older(text, first) for _, text in told)
        return [text for _, text in sorted(found) if text.startswith("canary ")]

    def probe(self) -> str:
        """Open a ticket, read it back, resolve it."""
        number = self._open("Recovery probe")
        if self._ask(200, "GET", f"ticket/{number}")["Subject"] != "Recovery probe":
            raise UseError(f"ticket {number} came back as another")
        self._ask(200, "PUT", f"ticket/{number}", {"Status": "resolved"})
        return f"ticket {number} opened, read and resolved"

    def _open(self, subject: str, **more: str) -> int:
        body = {"Queue": self._given["agency"]["id"], "Subject": subject, "Content": f"{subject}.", **more}
        return int(self._ask(201, "POST", "ticket", body)["id"])

    def _find(self) -> int:
        query = f"Queue = '{self._given['agency']['id']}' AND Subject = '{CANARY}'"
        told = self._ask(200, "GET", f"tickets?query={urllib.parse.quote(query)}&orderby=id")
        return int(told["items"][0]["id"]) if told["items"] else 0

    def _ask(self, status: int, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        """Send one request, insist on the status of its answer, and return its document."""
        credentials = base64.b64encode(f"{self._given['login']}:{self._given['password']}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
        kept = self._connection is not None
        try:
            connection = self._connection = self._connection or self._connect()
            connection.request(method, f"/REST/2.0/{path}", json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # The desk hangs up on connections that were idle; what only reads may simply be asked again.
            if kept and method == "GET" and isinstance(error, http.client.RemoteDisconnected):
                return self._ask(status, method, path, body)
            raise UseError(f"{self._given['name']} does not answer: {error}") from error
        if answer.status != status:
            raise UseError(f"{method} {path.partition('?')[0]} answered {answer.status}, not {status}")
        return json.loads(text)

    def _connect(self) -> http.client.HTTPSConnection:
        given = self._given
        connection = http.client.HTTPSConnection(given["name"], given["port"], context=self._trust)
        plain = socket.create_connection((given["address"], given["port"]), timeout=SECONDS_TO_CONNECT)
        plain.settimeout(SECONDS_TO_ANSWER)
        # Wherever it is, it has to prove that it is the desk that its users know.
        connection.sock = self._trust.wrap_socket(plain, server_hostname=given["name"])
        return connection

    def close(self) -> None:
        """Hang up."""
        if self._connection:
            self._connection.close()
        self._connection = None


if __name__ == "__main__":
    talk(Agent)
