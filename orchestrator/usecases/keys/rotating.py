"""Rotating the key that seals secrets: make a new one, seal every secret with it, and delete the old one.

Any part may be interrupted, and the next call continues with it. Whoever seals a secret does so inside a writing
transaction, and rereads the key file if it has changed. So no secret committed after the new key is in the file is
sealed with the old one, and one pass finds all that are.
"""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.ports.secrets import RotatedKeys
from orchestrator.ports.store import Store

AT_ONCE = 500


@dataclass(frozen=True)
class Rotating:
    """`mark` reseals whatever else is sealed in the database, with the function it is given."""

    store: Store
    keys: RotatedKeys
    mark: Callable[[Callable[[bytes], bytes | None]], None]

    def begin(self) -> bool:
        """Put a new key beside the old one. False if both are there already."""
        return self.keys.begin_rotation()

    def finish(self) -> int:
        """Reseal what the old key sealed, delete that key, and return the number of secrets."""
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
