"""No spelling of a secret gets past the redactor."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.ansible.redaction import REDACTED, Redactor

SPELLINGS = {
    "raw": lambda s: s,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "url": lambda s: quote(s, safe=""),
    "json": lambda s: json.dumps({"password": s}),
    "shell": lambda s: "'" + s.replace("'", "'\"'\"'") + "'",
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
@given(secret=st.text(min_size=6, max_size=40).filter(str.strip))
def test_a_secret_is_not_in_what_is_let_through(spelling: object, secret: str) -> None:
    shown = Redactor([secret])(f"before {spelling(secret)} after")  # type: ignore[operator]
    assert REDACTED in shown
    if secret not in REDACTED and secret not in "before  after":
        assert secret not in shown.replace(REDACTED, "")


def test_the_longest_secret_is_taken_whole() -> None:
    assert Redactor(["secret-one", "secret-one-and-more"])("x secret-one-and-more y") == f"x {REDACTED} y"


def test_short_values_do_not_blank_out_ordinary_words() -> None:
    assert Redactor(["at", ""])("at once") == "at once"
