"""Rekeying: another key by which the hosts of a site let us in.

The new key is put beside the old one on every host, and tried there. When all of them let us in by it, it takes the old
one's place here, and only then is the old one removed from the hosts. Each part may be interrupted: the files say how
far it has come, and the next call goes on from there.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.site import Site
from orchestrator.usecases.ports import CatalogSource

AT_ONCE = 16


class KeyPair(NamedTuple):
    """Public keys, `TYPE BASE64`: the one that is to go and the one that is to stay."""

    known: str
    another: str


class Door(Protocol):
    """A connected host."""

    def as_root(self, program: str, arguments: Sequence[str]) -> str:
        """What a Python program prints that is run as root. Raises FAILED with what it said when it ends with another
        status than 0."""
        ...


class Doors(Protocol):
    def connect(self, site: Site, host: str) -> AbstractContextManager[Door]:
        """One connection to a host of the site. Raises UNAVAILABLE, also when the host does not know our key."""
        ...


class SiteKeys(Protocol):
    """The key files of sites."""

    def turn(self, site: str) -> AbstractContextManager[None]:
        """Only one at a time changes a site's keys. Raises CONFLICT where another is at it."""
        ...

    def leaving(self, site: str) -> KeyPair | None:
        """The old key that is still to be removed from hosts, and the one in its place."""
        ...

    def begin(self, site: str) -> KeyPair:
        """The key in force and the next one, which is made if need be."""
        ...

    def change(self, site: str) -> KeyPair:
        """The next key takes the place of the one in force."""
        ...

    def end(self, site: str) -> None:
        """The old key is on no host any more."""
        ...


@dataclass(frozen=True)
class Rekeying:
    """`by_key` reaches hosts by the key in force, `by_next` by the one that is to take its place. `program` changes the
    keys that a host knows: `add|remove KNOWN ANOTHER`."""

    source: CatalogSource
    keys: SiteKeys
    by_key: Doors
    by_next: Doors
    program: str

    def rotate(self, name: str, *, many: bool = False, copied: bool = False) -> bool:
        """Whether all is done. Where `many` machines have the key, both stay on the hosts until it was `copied`.

        Raises UNAVAILABLE with the hosts that are not as they should be; nothing was taken from any host then.
        """
        site = self.source.site(name)
        with self.keys.turn(name):
            pair = self.keys.leaving(name)
            leaving = pair or self._begin(site)
            if many and (pair is None or not copied):
                return False
            _everywhere(site, lambda host: self._change(site, host, "remove", leaving))
            self.keys.end(name)
            return True

    def _begin(self, site: Site) -> KeyPair:
        pair = self.keys.begin(site.name)
        _everywhere(site, lambda host: self._add(site, host, pair))
        return self.keys.change(site.name)

    def _add(self, site: Site, host: str, pair: KeyPair) -> None:
        try:
            self._try(site, host)
        except OrchestratorError:  # it does not know the new key yet
            self._change(site, host, "add", pair)
            self._try(site, host)

    def _try(self, site: Site, host: str) -> None:
        with self.by_next.connect(site, host) as door:
            door.as_root("", ())

    def _change(self, site: Site, host: str, act: str, pair: KeyPair) -> None:
        with self.by_key.connect(site, host) as door:
            door.as_root(self.program, (act, *pair))


def _everywhere(site: Site, act: Callable[[str], None]) -> None:
    """On every host, whatever becomes of the others."""

    def tried(host: str) -> str | None:
        try:
            act(host)
        except OrchestratorError as error:
            return error.message
        return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        failed = [why for why in pool.map(tried, sorted(site.hosts)) if why]
    if failed:
        raise OrchestratorError(
            Kind.UNAVAILABLE,
            f"{len(failed)} of {len(site.hosts)} hosts of site {site.name} do not go on to the new key",
            details=tuple(failed),
            hint="bring them back, or take those that are no more out of the inventory, and call this again",
        )
