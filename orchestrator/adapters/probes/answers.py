"""What all probes share: how they fail, and how a target is spelt."""

import errno
import ssl
from collections.abc import Awaitable, Callable

from orchestrator.ports.probing import Prepared

Ask = Callable[[Prepared, float], Awaitable[str]]
"""Asks a service once, within so many seconds. Returns what it found, in a line; raises ProbeFailed, OSError or
TimeoutError when the service did not work, CannotProbe when that could not be found out."""

OURS = {
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOBUFS,
    errno.ENOMEM,
    errno.EADDRNOTAVAIL,
    errno.ENETUNREACH,
    errno.EACCES,
    errno.EPERM,
}
"""Errors that say something of this machine and nothing of the service: too many files, no way to its network."""


class ProbeFailed(Exception):  # noqa: N818 - the service's failure, not ours
    """The service did not do what its users need."""


class CannotProbe(Exception):  # noqa: N818
    """Nothing is known of the service: the probe could not run."""


def host_and_port(address: str, default: int | None = None) -> tuple[str, int]:
    """HOST:PORT, HOST or [IPv6]:PORT. Raises CannotProbe when it is none of them."""
    host, separator, port = address.rpartition(":")
    if not separator or (address.startswith("[") and address.endswith("]")):
        host, port = address, str(default or "")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise CannotProbe(f"{address!r} is no HOST:PORT")
    return host, int(port)


def place_and_name(address: str, default: int, *, spelt: str) -> tuple[str, int, str]:
    """HOST[:PORT]/NAME. Raises CannotProbe, saying how it is `spelt`, when there is no name."""
    place, _, name = address.partition("/")
    host, port = host_and_port(place, default)
    if not name:
        raise CannotProbe(f"{address!r} is no {spelt}")
    return host, port, name


def tls_trusting(authority: str | None) -> ssl.SSLContext:
    """TLS that trusts an authority (PEM), or those of this machine."""
    try:
        return ssl.create_default_context(cadata=authority)
    except ssl.SSLError as error:
        raise CannotProbe(f"what is to be trusted is no certificate: {error}") from error
