"""Rekeying: replacing the key that the hosts of a site accept.

The new key is added beside the old one on every host and tried there. When all hosts accept it, it replaces the old key
here, and only then is the old key removed from the hosts. Any part may be interrupted: the files record the progress,
and the next call continues from there.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.site import Site
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.outside import Hosts
from orchestrator.ports.secrets import KeyPair, SiteKeys

AT_ONCE = 16


@dataclass(frozen=True)
class Rekeying:
    """`by_key` reaches hosts with the key in force, `by_next` with its replacement. `program` changes the keys that a
    host accepts: `add|remove KNOWN ANOTHER`."""

    source: CatalogSource
    keys: SiteKeys
    by_key: Hosts
    by_next: Hosts
    program: str

    def rotate(self, name: str, *, many: bool = False, copied: bool = False) -> bool:
        """Whether the rotation is complete. If `many` machines have the key, the hosts keep both until it was `copied`.

        Raises UNAVAILABLE with the hosts that failed; no key was removed from any host then.
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
    """Act on every host, even if others fail. Raises UNAVAILABLE with those that failed."""

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
            f"{len(failed)} of {len(site.hosts)} hosts of site {site.name} failed to change to the new key",
            details=tuple(failed),
            hint="bring them back, or remove those that no longer exist from the inventory, and run this again",
        )
