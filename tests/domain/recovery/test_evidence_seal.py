"""Any change to sealed evidence is detected and named."""

import base64
import copy
import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.recovery.evidence import Evidence
from orchestrator.domain.recovery.evidence_seal import read_sealed, seal, verify_evidence
from orchestrator.domain.value import digest_of
from tests.domain.recovery.drills import evidence, newer_evidence


class PlainKey:
    """A signature anybody could make; the real one is tested with its adapter."""

    def __init__(self, name: str = "ours") -> None:
        self.public_key = name

    def sign(self, message: bytes) -> bytes:
        return digest_of([self.public_key, message.decode()]).encode()

    def holds(self, signature: bytes, message: bytes) -> bool:
        return signature == self.sign(message)


def sealed(**changes: Any) -> dict[str, Any]:
    document = seal(evidence(**changes), PlainKey()).document()
    assert isinstance(document, dict)
    return document


def written(document: dict[str, Any]) -> Any:
    """Evidence exactly as stored, whatever this version would produce."""
    return SimpleNamespace(document=lambda: document)


def problems(*documents: Any) -> list[str]:
    return [str(mismatch) for mismatch in verify_evidence(documents, PlainKey())]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict) and value:
        return [leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))]
    if isinstance(value, list) and value:
        return [leaf for n, inner in enumerate(value) for leaf in leaves(inner, (*path, n))]
    return [path]


def changed(value: Any) -> Any:
    return not value if isinstance(value, bool) else value + 1 if isinstance(value, int | float) else f"{value}x"


PATHS = leaves(newer_evidence().document())


class TestSealedEvidence:
    def test_holds(self) -> None:
        assert problems(sealed()) == []

    def test_has_one_spelling_of_its_signature(self) -> None:
        """The last digit before the padding has unused bits."""
        document = sealed()
        told, digits = document["signature"], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        other = f"{told.rstrip('=')[:-1]}{digits[digits.index(told.rstrip('=')[-1]) + 1]}{'=' * told.count('=')}"
        assert base64.b64decode(other) == base64.b64decode(told)
        assert problems({**document, "signature": other})[0].startswith(
            "signature: is invalid: it is not canonical base64"
        )

    @pytest.mark.parametrize("where", ["evidence", "parts", "signature", "public_key"])
    def test_with_half_a_unicode_character_is_refused(self, where: str) -> None:
        document = sealed()
        text = json.dumps(document)
        broken = {**document, where: {**document[where], "x": "\ud800"} if where in ("evidence", "parts") else "\ud800"}
        assert problems(broken) == [
            "document: contains half a character (a lone surrogate), which nobody can have signed"
        ]
        with pytest.raises(ValueError, match="contains half a character"):
            read_sealed(text.replace('"agency": "', '"agency": "\\ud800'))

    def test_holds_after_it_was_written_to_a_file_and_read_again(self) -> None:
        assert problems(read_sealed(json.dumps(sealed(), indent=3, sort_keys=True))) == []

    def test_can_be_read_back_unchanged(self) -> None:
        assert Evidence.model_validate(sealed()["evidence"]) == evidence()

    def test_of_an_older_version_holds_beside_a_newer_one(self) -> None:
        """As it was written at the time, without later additions."""
        old = evidence().document()
        before = {
            key: value for key, value in old.items() if key not in ("version", "promised", "witnesses", "stopped")
        }
        before["clocks"] = {k: v for k, v in old["clocks"].items() if not k.startswith("set_")}
        attempts = [{k: v for k, v in one.items() if k != "control"} for one in old["isolation"]["attempts"]]
        before["isolation"] = {**old["isolation"], "attempts": attempts}
        snapshots = [{k: v for k, v in one.items() if k != "received"} for one in old["pin"]["snapshots"]]
        before["pin"] = {**old["pin"], "snapshots": snapshots}
        first = seal(written(before), PlainKey()).document()
        second = seal(newer_evidence(previous=first["digest"]), PlainKey()).document()
        assert problems(first, second) == []
        assert Evidence.model_validate(first["evidence"]) == evidence()

    def test_of_version_2_says_what_a_pass_rests_on(self) -> None:
        lacking = {**newer_evidence().document(), "promised": None}
        said = "`promised` is required since version 2, and not allowed before; this is version 2"
        assert said in problems(seal(written(lacking), PlainKey()).document())[0]

    @given(st.sampled_from(PATHS))
    def test_with_any_value_changed_is_detected_and_the_value_is_named(self, path: tuple[Any, ...]) -> None:
        document = copy.deepcopy(seal(newer_evidence(), PlainKey()).document())
        *parents, last = path
        at = document["evidence"]
        for part in parents:
            at = at[part]
        at[last] = changed(at[last])
        name = ".".join(map(str, path))
        assert problems(document) == [f"evidence.{name}: is not the value that was sealed"]

    def test_names_what_was_added_or_removed(self) -> None:
        more, less = copy.deepcopy(sealed()), copy.deepcopy(sealed())
        more["evidence"]["reasons"].append("because I say so")
        del less["evidence"]["findings"][0]["due"]
        assert problems(more) == ["evidence.reasons.1: was added after sealing"]
        assert problems(less) == ["evidence.findings.0.due: was removed after sealing"]

    def test_forged_with_matching_digests_fails_by_its_signature(self) -> None:
        """Sealed again by somebody else in our name."""
        forged = seal(evidence(verdict="pass"), PlainKey("theirs")).document() | {"public_key": "ours"}
        assert problems(forged) == ["signature: is invalid: the owner of the key did not sign this evidence"]

    def test_signed_by_somebody_else_is_not_ours(self) -> None:
        theirs = seal(evidence(), PlainKey("theirs")).document()
        assert problems(theirs) == ["public_key: is theirs, not the trusted ours"]

    @pytest.mark.parametrize("signature", ["", "no base64!", "AAAA"])
    def test_with_a_broken_signature_does_not_hold(self, signature: str) -> None:
        assert problems(sealed() | {"signature": signature})[0].startswith("signature: is invalid")

    def test_with_a_wrong_digest_is_detected(self) -> None:
        assert problems(sealed() | {"digest": "0" * 64})[0].startswith(f"digest: is {'0' * 64}, but the evidence has")

    @pytest.mark.parametrize(
        ("document", "problem"),
        [
            (None, "document: Input should be a valid dictionary"),
            ([], "document: Input should be"),
            ({}, "evidence: Field required"),
            ({"evidence": 1}, "evidence: Input should be a valid dictionary"),
        ],
    )
    def test_of_the_wrong_shape_is_refused(self, document: Any, problem: str) -> None:
        assert problems(document)[0].startswith(problem)

    def test_that_was_signed_but_is_not_evidence_is_refused(self) -> None:
        class Anything(Evidence):
            def document(self) -> dict[str, Any]:
                return super().document() | {"verdict": "splendid"}

        odd = seal(Anything.model_validate(evidence().document()), PlainKey()).document()
        assert problems(odd)[0].startswith("evidence.verdict: was signed, but is not evidence: Input should be 'pass'")


class TestAChain:
    def chain(self, length: int = 4) -> list[dict[str, Any]]:
        documents: list[dict[str, Any]] = []
        for number in range(length):
            documents.append(sealed(drill=number, previous=documents[-1]["digest"] if documents else None))
        return documents

    def test_holds_from_any_document_onwards(self) -> None:
        assert problems(*self.chain()) == []
        assert problems(*self.chain()[2:]) == []

    @given(st.integers(1, 2))
    def test_with_a_missing_link_names_the_document_after_it(self, missing: int) -> None:
        documents = self.chain()
        del documents[missing]
        found = verify_evidence(documents, PlainKey())
        assert [(m.document, m.path) for m in found] == [(missing, "evidence.previous")]
        assert "one is missing or misplaced" in found[0].what

    def test_in_another_order_does_not_hold(self) -> None:
        one, two, three, four = self.chain()
        assert {m.document for m in verify_evidence([one, three, two, four], PlainKey())} == {1, 2, 3}

    def test_names_each_broken_document_once(self) -> None:
        documents = self.chain()
        documents[1]["evidence"]["rto"]["seconds"] = 1.0
        found = verify_evidence(documents, PlainKey())
        assert [(m.document, m.path) for m in found] == [(1, "evidence.rto.seconds")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "Expecting property name"),
        ('{"a": 1, "b": 2, "a": 3}', "key 'a' is given twice"),
        ('{"a": NaN}', "NaN is not a number"),
        ("[" * 100_000, "is nested too deep"),
    ],
)
def test_a_file_that_can_be_read_in_two_ways_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_sealed(text)
