"""A service desk as its agents use it: over REST 2 and on its pages."""

import base64
import http.client
import json
import ssl
import urllib.parse
from dataclasses import dataclass, field
from email.message import Message
from typing import Any


@dataclass
class Seat:
    """One agent's way to the desk."""

    address: str
    login: str
    password: str
    _cookie: str = field(default="", repr=False)

    def send(
        self, method: str, path: str, headers: dict[str, str], body: str | None = None
    ) -> tuple[int, Message, str]:
        trust = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(self.address, timeout=60, context=trust)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def rest(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """The status and the text that REST 2 answers to who has logged in."""
        return self._ask(method, path, self._session(), body)

    def write(self, queue: str, subject: str) -> None:
        """Open a ticket."""
        status, text = self.rest("POST", "ticket", {"Queue": queue, "Subject": subject})
        assert status == 201, text

    def finds(self, subject: str) -> bool:
        """Whether there is one ticket of this subject."""
        status, text = self.rest("GET", f"tickets?query=Subject%3D%27{subject}%27")
        assert status == 200, text
        return bool(json.loads(text)["total"] == 1)

    def ticket(self, number: str) -> Any:
        """A ticket as it is now."""
        return json.loads(self.rest("GET", f"ticket/{number}")[1])

    def set_status(self, number: str, status: str, comment: str | None = None) -> None:
        """Leave a ticket in another state, after a comment."""
        if comment:
            said = {"Content": comment, "ContentType": "text/plain"}
            assert self.rest("POST", f"ticket/{number}/comment", said)[0] == 201
        assert self.rest("PUT", f"ticket/{number}", {"Status": status})[0] == 200

    def prove(self, path: str) -> int:
        """The status that REST 2 answers to the password itself, which costs the desk a tenth of a second."""
        proof = base64.b64encode(f"{self.login}:{self.password}".encode()).decode()
        return self._ask("GET", path, {"Authorization": f"Basic {proof}"}, None)[0]

    def _ask(self, method: str, path: str, who: dict[str, str], body: Any) -> tuple[int, str]:
        headers = {**who, "Content-Type": "application/json"}
        status, _, text = self.send(method, f"/REST/2.0/{path}", headers, None if body is None else json.dumps(body))
        return status, text

    def submit(self) -> tuple[int, Message, str]:
        """What answers the page on which people log in. 302 lets them in."""
        form = urllib.parse.urlencode({"user": self.login, "pass": self.password, "next": "start"})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Referer": f"https://{self.address}/"}
        return self.send("POST", "/NoAuth/Login.html", headers, form)

    def log_in(self) -> str:
        """The cookie as the desk sends it to who logs in."""
        status, told, text = self.submit()
        assert status == 302, text
        assert len(told.get_all("Set-Cookie")) == 1
        return told["Set-Cookie"]

    def page(self, path: str) -> tuple[int, str]:
        """The status and the text of a page."""
        status, _, text = self.send("GET", path, self._session())
        return status, text

    def _session(self) -> dict[str, str]:
        self._cookie = self._cookie or self.log_in().partition(";")[0]
        return {"Cookie": self._cookie, "Referer": f"https://{self.address}/"}
