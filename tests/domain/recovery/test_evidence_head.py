"""Documents missing at either end of a chain of evidence are detected."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.recovery.evidence_head import Head, seal_head, verify_head
from orchestrator.domain.recovery.evidence_seal import RetiredKey, verify_evidence
from tests.domain.recovery.test_evidence_seal import PlainKey, sealed

NOW = datetime(2026, 12, 6, tzinfo=UTC)


def chain(length: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in range(length):
        found.append(sealed(drill=number + 1, previous=found[-1]["digest"] if found else None))
    return found


def head_of(documents: list[dict[str, Any]], key: str = "ours") -> dict[str, Any]:
    last = documents[-1]["digest"] if documents else None
    return seal_head(Head(count=len(documents), last=last, at=NOW), PlainKey(key)).document()


def problems(head: Any, documents: list[dict[str, Any]], *retired: RetiredKey) -> list[str]:
    return list(verify_head(head, documents, PlainKey(), retired))


WHOLE = chain(6)


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6))
def test_every_document_up_to_the_head_must_be_present(count: int, first: int, until: int) -> None:
    """Documents after the head are newer; any other missing document is detected."""
    shown = WHOLE[first:until]
    assert (problems(head_of(WHOLE[:count]), shown) == []) is (
        until >= count and (first == 0 or (not shown and not count))
    )


def test_a_cut_is_reported_with_its_place() -> None:
    assert verify_evidence(WHOLE[1:], PlainKey()) == [], "each of them is as it was signed"
    assert "the beginning of the chain is missing" in problems(head_of(WHOLE), WHOLE[1:])[0]
    assert problems(head_of(WHOLE), WHOLE[:-1]) == [
        "there were 6 documents on 2026-12-06T00:00:00+00:00, but 5 are given"
    ]
    assert "there were 6" in problems(head_of(WHOLE), WHOLE[:1])[0]


def test_another_chain_is_detected() -> None:
    other = [sealed(drill=9, previous=None)]
    assert problems(head_of(WHOLE[:1]), other)[0].startswith("document 1 is ")


@pytest.mark.parametrize(
    "change",
    [{"signature": "AAAA"}, {"head": {"count": 5}}, {"public_key": "theirs"}, {"head": {"count": -1}}, {"x": 1}],
)
def test_a_changed_head_does_not_hold(change: dict[str, Any]) -> None:
    head = head_of(WHOLE)
    inner = {**head["head"], **change.get("head", {})}
    assert len(problems({**head, **change, "head": inner}, WHOLE)) == 1


def test_a_head_signed_with_a_retired_key_holds_until_its_retirement() -> None:
    old = head_of(WHOLE, "before")
    assert problems(old, WHOLE, RetiredKey(PlainKey("before"), NOW)) == []
    assert "signed until" in problems(old, WHOLE, RetiredKey(PlainKey("before"), NOW - timedelta(seconds=1)))[0]
