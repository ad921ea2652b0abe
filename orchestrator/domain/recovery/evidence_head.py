"""The signed head of the chain of evidence: how many documents there are and which is the last. A head that is kept
elsewhere reveals documents missing at either end of the chain, and an old document shown alone.

The document is `{"head", "signature", "public_key"}`. The signature covers the canonical JSON of the head.
"""

import base64
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from orchestrator.domain.recovery.evidence import Instant, Sha256
from orchestrator.domain.recovery.evidence_seal import RetiredKey, Signer, TrustedKey, signature_of
from orchestrator.domain.value import Value, canonical_json


class Head(Value):
    """The head at an instant. `last` is the digest of the newest document, or None if there is none."""

    what: Literal["head of evidence"] = "head of evidence"
    count: Annotated[int, Field(ge=0)]
    last: Sha256 | None
    at: Instant

    @model_validator(mode="after")
    def _has_a_last(self) -> Self:
        if (self.last is None) != (self.count == 0):
            raise ValueError("must name the last document if, and only if, there are documents")
        return self


class SealedHead(Value):
    """`signature` is base64."""

    head: Head
    signature: str
    public_key: str

    def document(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


def seal_head(head: Head, signer: Signer) -> SealedHead:
    return SealedHead(
        head=head, signature=base64.b64encode(signer.sign(_message(head))).decode(), public_key=signer.public_key
    )


def verify_head(
    head: Any, documents: Sequence[Any], trusted: TrustedKey, retired: Sequence[RetiredKey] = ()
) -> Iterator[str]:
    """What is wrong with a head, or with documents that are valid by themselves: all those that existed at the head's
    instant must be given, oldest first. Later ones may follow."""
    try:
        sealed = SealedHead.model_validate(head)
    except ValidationError as error:
        yield f"is not a head of evidence: {error.errors()[0]['msg'].removeprefix('Value error, ')}"
        return
    if problem := _unsigned(sealed, trusted, retired):
        yield problem
    else:
        yield from _cut(sealed.head, documents)


def _cut(head: Head, documents: Sequence[Any]) -> Iterator[str]:
    if documents and (previous := documents[0]["evidence"].get("previous")) is not None:
        yield f"the beginning of the chain is missing: its first document names {previous}, which is not given"
    elif len(documents) < head.count:
        yield f"there were {head.count} documents on {head.at.isoformat()}, but {len(documents)} are given"
    elif head.count and documents[head.count - 1]["digest"] != head.last:
        yield f"document {head.count} is {documents[head.count - 1]['digest']}, but was {head.last}"


def _unsigned(sealed: SealedHead, trusted: TrustedKey, retired: Sequence[RetiredKey]) -> str | None:
    before = next((one for one in retired if one.key.public_key == sealed.public_key), None)
    if sealed.public_key == trusted.public_key:
        before = None
    elif before is None:
        return f"is signed by {sealed.public_key}, not by the trusted {trusted.public_key}"
    signature = signature_of(sealed.signature)
    if signature is None or not (before.key if before else trusted).holds(signature, _message(sealed.head)):
        return "the signature is invalid: the owner of the key did not sign this head"
    if before and sealed.head.at > before.until:
        return f"the key signed until {before.until.isoformat()}, but this is from {sealed.head.at.isoformat()}"
    return None


def _message(head: Head) -> bytes:
    return canonical_json(head.model_dump(mode="json")).encode()
