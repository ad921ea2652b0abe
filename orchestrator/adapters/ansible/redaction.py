"""Keeps a step's secrets out of everything that is stored, streamed or printed."""

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote

REDACTED = "[redacted]"
SHORTEST = 6
"""Redacting shorter values would blank out ordinary words; generated secrets are never that short."""

_BREAK = re.compile(r"\s|\\[rn]")
"""What may be inside a secret that a program has wrapped: line breaks and indentation, also escaped as in JSON."""

_SPACE = re.compile(r"\s")
"""The same, if a secret has characters of its own that look like an escaped break, and was wrapped between them."""


class Redactor:
    """Replaces secrets, plain or encoded: base64, hexadecimal, URL, JSON and shell quoting; in upper or lower case, and
    wrapped over several lines."""

    def __init__(self, secrets: Iterable[str]) -> None:
        long = [secret for secret in secrets if len(_BREAK.sub("", secret)) >= SHORTEST]
        breaks = (_BREAK, _SPACE)
        spelt = {one.sub("", spelling) for one in breaks for secret in long for spelling in _spellings(secret)}
        ordered = sorted(spelt, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered)), re.IGNORECASE) if ordered else None

    def __call__(self, text: str) -> str:
        if not self._pattern or not self._pattern.search(unbroken := _BREAK.sub("", text)):
            return text
        places = _places(text)
        shown: list[str] = []
        upto = 0
        for found in self._pattern.finditer(unbroken):
            shown += [text[upto : places[found.start()]], REDACTED]
            upto = places[found.end() - 1] + 1
        return "".join(shown) + text[upto:]


def _places(text: str) -> list[int]:
    """The positions of a text's characters that belong to no break."""
    places: list[int] = []
    upto = 0
    for found in _BREAK.finditer(text):
        places += range(upto, found.start())
        upto = found.end()
    return [*places, *range(upto, len(text))]


def _spellings(secret: str) -> set[str]:
    encoded = base64.b64encode(secret.encode()).decode()
    return {
        secret,
        encoded,
        encoded.rstrip("="),
        base64.urlsafe_b64encode(secret.encode()).decode(),
        secret.encode().hex(),
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        secret.replace("'", "'\"'\"'"),
    }
