"""All protocols with a probe."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from orchestrator.adapters.probes import messaging, name_service, tcp, telephony
from orchestrator.adapters.probes.answers import Ask
from orchestrator.adapters.probes.directory import Directory
from orchestrator.adapters.probes.secure_shell import SecureShell
from orchestrator.adapters.probes.web import Web
from orchestrator.domain.selling.catalog import ProbeKind


@asynccontextmanager
async def probes() -> AsyncIterator[Mapping[ProbeKind, Ask]]:
    """The probe of each kind, with its kept connections, while the context lasts."""
    web, shell, directory = Web(), SecureShell(), Directory()
    try:
        yield {
            ProbeKind.DNS: name_service.ask,
            ProbeKind.TCP: tcp.ask,
            ProbeKind.HTTP: web.page,
            ProbeKind.SSH: shell.ask,
            ProbeKind.SIP: telephony.ask,
            ProbeKind.XMPP: messaging.ask,
            ProbeKind.LDAP: directory.ask,
            ProbeKind.RT: web.ticket,
        }
    finally:
        await web.close()
        shell.close()
        directory.close()
