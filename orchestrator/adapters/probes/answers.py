"""What all probes share: their errors, and the format of targets."""

import errno
import ssl
from collections.abc import Awaitable, Callable

from orchestrator.ports.probing import Prepared

Ask = Callable[[Prepared, float], Awaitable[str]]
"""Tries a service once, within the given seconds. Returns what it found, in a line. Raises ProbeFailed, OSError or
TimeoutError when the service did not work, and CannotProbe when that cannot be determined."""

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
"""Errors of this machine, not of the service: too many open files, no route to its network."""


class ProbeFailed(Exception):  # noqa: N818 - the service's failure, not ours
    """The service did not do what its users need."""


class CannotProbe(Exception):  # noqa: N818
    """The probe could not run, so nothing is known about the service."""


def host_and_port(address: str, default: int | None = None) -> tuple[str, int]:
    """Parse HOST:PORT, HOST or [IPv6]:PORT. Raises CannotProbe for anything else."""
    host, separator, port = address.rpartition(":")
    if not separator or (address.startswith("[") and address.endswith("]")):
        host, port = address, str(default or "")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise CannotProbe(f"{address!r} is not HOST:PORT")
    return host, int(port)


def place_and_name(address: str, default: int, *, spelt: str) -> tuple[str, int, str]:
    """Parse HOST[:PORT]/NAME. Raises CannotProbe, with the format in `spelt`, when there is no name."""
    place, _, name = address.partition("/")
    host, port = host_and_port(place, default)
    if not name:
        raise CannotProbe(f"{address!r} is not {spelt}")
    return host, port, name


def tls_trusting(authority: str | None) -> ssl.SSLContext:
    """A TLS context that trusts an authority (PEM), or else those of this machine."""
    try:
        return ssl.create_default_context(cadata=authority)
    except ssl.SSLError as error:
        raise CannotProbe(f"the trusted authority is not a certificate: {error}") from error
