"""Rotating the key that seals secrets: a new one, every secret sealed anew, and the old one forgotten.

Each part may be interrupted and is gone on with by the next call. Whoever seals does so within a transaction that
writes, and reads the key file when it changed; so no secret that is committed after the new key is in the file is
sealed by the old one, and one pass finds all that are.
"""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.ports.secrets import RotatedKeys
from orchestrator.ports.store import Store

AT_ONCE = 500


@dataclass(frozen=True)
class Rotating:
    """`mark` has what else is sealed in the database sealed anew, by the function it is given."""

    store: Store
    keys: RotatedKeys
    mark: Callable[[Callable[[bytes], bytes | None]], None]

    def begin(self) -> bool:
        """Have a new key beside the old one. False when they are there already."""
        return self.keys.begin_rotation()

    def finish(self) -> int:
        """Seal anew what the old key has sealed, forget that key, and return how many secrets that were."""
        resealed, place = 0, None
        while True:
            with self.store.begin() as tx:
                found = tx.secrets.after(place, limit=AT_ONCE)
                for place, *tokens in found:
                    fresh = [token and self.keys.reseal(token) for token in tokens]
                    if any(fresh):
                        token, proposed = (new or old for new, old in zip(fresh, tokens, strict=True))
                        assert token is not None
                        tx.secrets.replace(place, token, proposed)
                        resealed += 1
            if len(found) < AT_ONCE:
                break
        self.mark(self.keys.reseal)
        self.keys.end_rotation()
        return resealed
