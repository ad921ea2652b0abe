"""Kinds of text allow what they are for, and nothing that could be more than text where it is used."""

import unicodedata
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from orchestrator.adapters.catalog_files.documents import violations
from orchestrator.domain import text_types
from orchestrator.domain.text_types import TextType

KINDS = {name: kind for name, kind in vars(text_types).items() if isinstance(kind, TextType)}

P_256 = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"
"""How every public key of this group begins, in base64 (RFC 5480)."""

RIGHT = {
    "LINE": ["Cabinet Office", "King's & Queen's (100 %) £ “quoted” naïve 東京 \\ {{ x }}", "x" * 120],
    "AGENCY_ID": ["cabinet-office", "a1", "x" * 20],
    "EMAIL_ADDRESS": ["ada@cabinet-office.example", "o'brien+it@a-b.co.uk", "a@b"],
    "ACCOUNT_NAME": ["ada", "user1", "x" * 20],
    "GROUP_NAME": ["finance", "it-support-2", "x" * 31],
    "DEVICE_NAME": ["ada", "ada-laptop-2"],
    "WIREGUARD_KEY": ["a" * 42 + "A="],
    "TLS_KEY": [f"{P_256}{'a' * 85}g=="],
    "WEB_ADDRESS": ["", "https://images.example", "http://10.0.0.1:8080/thin/v1.2_x~%20+-/"],
}
WRONG = {
    "LINE": ["", "x" * 121],
    "AGENCY_ID": ["a", "-ab", "ab-", "a--b", "Ab", "1a", "x" * 21, "а1"],  # noqa: RUF001 - the last is Cyrillic
    "EMAIL_ADDRESS": ["nobody", "@b", "a@", "a b@c", "-a@b", "a@b..c", "a@-b", "a@b/../c", 'a"@b', "$(id)@b", "a@b;c"],
    "ACCOUNT_NAME": ["root", "postgres", "sudo", "provision", "Ada", "a-b", "1a", "", "x" * 21],
    "GROUP_NAME": ["sudo", "root", "a-", "-a", "a--b", "A", "a_b", "1a", "", "x" * 32],
    "DEVICE_NAME": ["a-", "-a", "a--b", "A", "a_b", "x" * 32],
    "WIREGUARD_KEY": ["a" * 43 + "=", "a" * 42 + "A", "a" * 41 + "A=", "a" * 42 + "A=="],
    "TLS_KEY": [f"{P_256}{'a' * 85}a==", f"{P_256}{'a' * 84}g==", f"{P_256}{'a' * 86}g==", "a" * 124],
    "WEB_ADDRESS": [
        "ftp://a", "https://", "https://a b", "https://a/${net0/mac}", "https://a/x&&chain", "https://a/?q", "https://a/#f",
        "https://u:p@a/", "https://a//b", "javascript:x", "https://a/\\x", "https://a/;x", "/x",
    ],
}  # fmt: skip


def lets_through(kind: TextType, text: str) -> bool:
    """Whether editors and the plan, and our models, allow it. They must agree except on reserved words."""
    by_schema = not list(violations(kind.schema, text))
    try:
        TypeAdapter[Any](Annotated[str, kind.field]).validate_python(text)
    except ValidationError:
        assert not by_schema, text
    else:
        assert by_schema or text in kind.reserved, text
    return by_schema


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_accepts_what_it_is_for_and_nothing_else(name: str) -> None:
    for text in RIGHT[name]:
        assert lets_through(KINDS[name], text), text
    for text in WRONG[name]:
        assert not lets_through(KINDS[name], text), text


@pytest.mark.parametrize("name", KINDS)
def test_no_kind_accepts_an_invisible_character(name: str) -> None:
    """Neither at the end, where a pattern is easily too weak, nor inside."""
    kind, text = KINDS[name], RIGHT[name][-1][:10]
    for code in range(0x10000):
        if (unseen := chr(code)) != " " and unicodedata.category(unseen) in ("Cc", "Cf", "Zl", "Zp", "Zs"):
            assert list(violations(kind.schema, text + unseen)), f"U+{code:04X} at the end"
            assert list(violations(kind.schema, text[:3] + unseen + text[3:])), f"U+{code:04X} inside"


@pytest.mark.parametrize("name", KINDS)
def test_a_long_text_is_refused_at_once(name: str) -> None:
    """No pattern backtracks heavily."""
    for text in ("a" * 100_000, "a-" * 50_000, "a@" + "a." * 50_000 + "!", "https://" + "a/" * 50_000 + "!"):
        assert list(violations(KINDS[name].schema, text))
