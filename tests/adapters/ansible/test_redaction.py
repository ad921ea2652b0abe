"""No encoding of a secret gets past the redactor."""

import base64
import json
import re
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.adapters.ansible.redaction import REDACTED, Redactor

SPELLINGS = {
    "raw": lambda s: s,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "hexadecimal": lambda s: s.encode().hex(),
    "hexadecimal in capitals": lambda s: s.encode().hex().upper(),
    "wrapped": lambda s: "\n  ".join(s),
    "wrapped in JSON": lambda s: json.dumps({"password": s[:3] + "\r\n" + s[3:]}),
    "url": lambda s: quote(s, safe=""),
    "json": lambda s: json.dumps({"password": s}),
    "shell": lambda s: "'" + s.replace("'", "'\"'\"'") + "'",
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
@given(secret=st.text(min_size=6, max_size=40).filter(lambda s: len(re.sub(r"\s|\\[rn]", "", s)) >= 6))
@example(secret="00000\\n0")
def test_a_secret_is_redacted_in_every_spelling(spelling: object, secret: str) -> None:
    shown = Redactor([secret])(f"before {spelling(secret)} after")  # type: ignore[operator]
    assert REDACTED in shown
    if secret not in REDACTED and secret not in "before  after":
        assert secret not in shown.replace(REDACTED, "")


def test_the_longest_of_overlapping_secrets_is_redacted_whole() -> None:
    assert Redactor(["secret-one", "secret-one-and-more"])("x secret-one-and-more y") == f"x {REDACTED} y"


def test_short_values_do_not_blank_out_ordinary_words() -> None:
    assert Redactor(["at", "", "at\n\n\n\n"])("at once") == "at once"


def test_a_secret_is_found_in_upper_and_lower_case() -> None:
    shown = Redactor(["Secret-One"])("SECRET-ONE secret-one")
    assert shown == f"{REDACTED} {REDACTED}"


def test_base64_over_several_lines_is_found() -> None:
    secret = "a-long-secret-" * 10
    assert Redactor([secret])(base64.encodebytes(secret.encode()).decode()) == f"{REDACTED}\n"


def test_secrets_that_nearly_match_do_not_slow_down_a_long_text() -> None:
    secrets = ["a" * 40 + str(n) for n in range(20)]
    assert REDACTED not in Redactor(secrets)("a \n" * 20_000)
