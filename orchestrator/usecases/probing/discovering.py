"""Discovering: targets for an existing Prometheus with blackbox_exporter."""

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
"""The module of blackbox_exporter that is closest to a kind. It never logs in, and has no module for SIP."""

PORTS = {ProbeKind.DNS: 53, ProbeKind.LDAP: 389, ProbeKind.SSH: 22, ProbeKind.XMPP: 5222}
LDAPS = 636


class Discovered(NamedTuple):
    """Something to watch: its owner, and the target and module that watch it."""

    agency: str
    component: str
    site: str
    target: str
    module: str


def discover(targets: Iterable[ProbeTarget], kind: str) -> list[Discovered]:
    """What a kind of probe can watch. Raises NOT_FOUND for kinds that blackbox_exporter does not know."""
    if kind not in MODULES:
        known = ", ".join(sorted(MODULES))
        raise OrchestratorError(Kind.NOT_FOUND, f"discovery has no kind {kind!r}", hint=f"kinds: {known}")
    return [
        Discovered(t.key.agency, t.key.component, t.site, _place(t), MODULES[t.kind])
        for t in targets
        if t.kind.value == kind and not t.refusal
    ]


def _place(target: ProbeTarget) -> str:
    """A target in the form that blackbox_exporter reads: the URL, or HOST:PORT."""
    if target.kind is ProbeKind.HTTP:
        return target.address
    scheme, _, rest = target.address.rpartition("://")
    place = rest.partition("/")[0]
    if ":" in place.rpartition("]")[2] or target.kind not in PORTS:
        return place
    return f"{place}:{LDAPS if scheme == 'ldaps' else PORTS[target.kind]}"
