"""Discovering: what an existing Prometheus with blackbox_exporter may watch besides us."""

from collections.abc import Iterable
from typing import NamedTuple

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.probing.readings import ProbeTarget
from orchestrator.domain.selling.catalog import ProbeKind

MODULES = {
    ProbeKind.DNS: "dns",
    ProbeKind.HTTP: "http_2xx",
    ProbeKind.LDAP: "tcp_connect",
    ProbeKind.SSH: "ssh_banner",
    ProbeKind.TCP: "tcp_connect",
    ProbeKind.XMPP: "tcp_connect",
}
"""Which module of blackbox_exporter comes nearest to a kind. It logs in nowhere, and has none for SIP."""

PORTS = {ProbeKind.DNS: 53, ProbeKind.LDAP: 389, ProbeKind.SSH: 22, ProbeKind.XMPP: 5222}
LDAPS = 636


class Discovered(NamedTuple):
    """Something to watch: whose it is, and by which target and module."""

    agency: str
    component: str
    site: str
    target: str
    module: str


def discover(targets: Iterable[ProbeTarget], kind: str) -> list[Discovered]:
    """What can be watched by a kind of probe. Raises NOT_FOUND for kinds that blackbox_exporter does not know."""
    if kind not in MODULES:
        known = ", ".join(sorted(MODULES))
        raise OrchestratorError(Kind.NOT_FOUND, f"nothing is discovered by {kind!r}", hint=f"kinds: {known}")
    return [
        Discovered(t.key.agency, t.key.component, t.site, _place(t), MODULES[t.kind])
        for t in targets
        if t.kind.value == kind and not t.refusal
    ]


def _place(target: ProbeTarget) -> str:
    """A target as blackbox_exporter reads it: the page, or HOST:PORT."""
    if target.kind is ProbeKind.HTTP:
        return target.address
    scheme, _, rest = target.address.rpartition("://")
    place = rest.partition("/")[0]
    if ":" in place.rpartition("]")[2] or target.kind not in PORTS:
        return place
    return f"{place}:{LDAPS if scheme == 'ldaps' else PORTS[target.kind]}"
