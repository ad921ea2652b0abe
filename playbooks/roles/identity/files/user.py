#!/usr/bin/python3
"""Uses a directory as its clients do, over TLS; see conversation.py for how it is talked to.

`authority` is the agency's certificate authority as PEM text.
"""

from __future__ import annotations

import ssl
from typing import Any

import ldap3
from conversation import Document, UseError, is_older, talk
from ldap3.core.exceptions import LDAPException

SECONDS = 5
KEPT = 4_000
"""How many of the newest canaries stay in the directory; nobody asks for more than the newest 3,000."""


class Client:
    """Somebody with an account in the directory, over one connection for each that is kept open."""

    def __init__(self, given: Document) -> None:
        person = given["parameters"]["people"][0]["name"]
        base = f"o={given['agency']['id']}"
        secrets = given["secrets"]
        self._given, self._place = given, f"ou=canaries,{base}"
        self._person = f"uid={person},ou=people,{base}", secrets["people_passwords"][person]
        self._canary = f"cn=canary,ou=services,{base}", secrets["canary_password"]
        self._open: dict[str, Any] = {}

    def write(self, number: int, text: str) -> None:
        """Add an entry for a line, and remove an old one. A line that was not acknowledged is written again."""
        canary, name = self._logged_in(*self._canary), f"cn={number},{self._place}"
        self._ask(canary, "delete", name, instead="noSuchObject")
        self._ask(canary, "add", name, "applicationProcess", {"cn": str(number), "description": text})
        self._ask(canary, "delete", f"cn={number - KEPT},{self._place}", instead="noSuchObject")

    def read(self, first: int) -> list[str]:
        """Return the lines in the order of their numbers."""
        canary = self._logged_in(*self._canary)
        self._ask(canary, "search", self._place, "(objectClass=applicationProcess)", attributes=["cn", "description"])
        lines = {int(one["attributes"]["cn"][0]): one["attributes"]["description"][0] for one in canary.response}
        return [lines[number] for number in sorted(lines) if not is_older(lines[number], first)]

    def probe(self) -> str:
        """Log in as one of the people and read their own entry."""
        name, password = self._person
        person = self._logged_in(name, password)
        self._ask(person, "rebind", user=name, password=password)
        self._ask(person, "search", name, "(objectClass=*)", search_scope="BASE", attributes=["cn", "mail"])
        [own] = person.response
        return f"{own['attributes']['cn'][0]} logged in, and is {own['attributes']['mail'][0]}"

    def _ask(self, connection: Any, operation: str, *what: Any, instead: str = "success", **more: Any) -> None:
        """Carry out one operation, which must succeed or end `instead`."""
        try:
            getattr(connection, operation)(*what, **more)
        except LDAPException as error:
            self.close()
            raise UseError(f"the directory does not answer: {error}") from error
        if (said := connection.result["description"]) not in ("success", instead):
            raise UseError(f"{operation} by {connection.user} got {said}")

    def _logged_in(self, name: str, password: str) -> Any:
        if name not in self._open:
            given = self._given
            # Wherever it is, it has to prove that it is the directory that its users know.
            known = given["hosts"]["directory"][0]["address"]
            tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_data=given["authority"], valid_names=[known])
            port = int(given["allocation"]["directory_port"])
            server = ldap3.Server(
                given["address"], port, use_ssl=True, tls=tls, connect_timeout=SECONDS, get_info=ldap3.NONE
            )
            connection = ldap3.Connection(server, user=name, password=password, receive_timeout=SECONDS)
            self._ask(connection, "bind")
            self._open[name] = connection
        return self._open[name]

    def close(self) -> None:
        """Hang up."""
        for connection in self._open.values():
            connection.strategy.close()
        self._open.clear()


if __name__ == "__main__":
    talk(Client)
