"""LDAP: whether somebody can bind, over kept connections."""

import asyncio
import math
import ssl
import threading
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPException

from orchestrator.adapters.probes.answers import CannotProbe, ProbeFailed
from orchestrator.domain.probing.readings import ProbeKey
from orchestrator.ports.probing import Prepared


class Directory:
    def __init__(self) -> None:
        self._kept: dict[ProbeKey, tuple[Prepared, Any]] = {}
        self._turn = threading.Lock()

    async def ask(self, prepared: Prepared, seconds: float) -> str:
        """Bind as the person, or anonymously."""
        return await asyncio.to_thread(self._ask, prepared, seconds)

    def close(self) -> None:
        for _, connection in self._kept.values():
            _hang_up(connection)
        self._kept.clear()

    def _ask(self, prepared: Prepared, seconds: float) -> str:
        with self._turn:
            of, connection = self._kept.pop(prepared.target.each, (None, None))
        if connection and of != prepared:
            _hang_up(connection)
            connection = None
        connection = connection or _connection(prepared, seconds)
        try:
            bound = connection.rebind() if connection.bound else connection.bind()
        except LDAPException as error:
            _hang_up(connection)
            raise ProbeFailed(f"{prepared.target.address}: {error}") from error
        if not bound:
            _hang_up(connection)
            raise ProbeFailed(f"{prepared.target.address} refuses the bind: {connection.result.get('description')}")
        with self._turn:
            self._kept[prepared.target.each] = prepared, connection
        return f"{prepared.target.address} lets {prepared.person.name if prepared.person else 'everybody'} in"


def _connection(prepared: Prepared, seconds: float) -> Any:
    address, person = prepared.target.address, prepared.person
    if not address.startswith(("ldap://", "ldaps://")):
        raise CannotProbe(f"{address!r} is not the address of a directory")
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_data=prepared.trust) if address.startswith("ldaps") else None
    server = ldap3.Server(address, connect_timeout=seconds, get_info=ldap3.NONE, tls=tls)
    login = {"user": person.name, "password": person.password} if person else {}
    return ldap3.Connection(server, **login, receive_timeout=math.ceil(seconds), read_only=True)


def _hang_up(connection: Any) -> None:
    try:
        connection.unbind()
    except LDAPException:
        return
