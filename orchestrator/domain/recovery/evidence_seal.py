"""Seals evidence and verifies sealed documents, without clock, network or database.

The document is `{"evidence", "digest", "parts", "signature", "public_key"}`. The signature covers the canonical JSON of
the evidence; `digest` is its SHA-256, which the next evidence names as `previous`. `parts` has a short digest of each
value by its path. They prove nothing, but show which value was changed.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from pydantic import ValidationError

from orchestrator.domain.recovery.evidence import Evidence, Sha256
from orchestrator.domain.value import Value, canonical_json, digest_of

PART_DIGITS = 16
HALF = "contains half a character (a lone surrogate), which nobody can have signed"


class Signer(Protocol):
    """`public_key` is the base64 of its 32 bytes."""

    @property
    def public_key(self) -> str: ...
    def sign(self, message: bytes) -> bytes: ...


class TrustedKey(Protocol):
    """A public key from a trusted source."""

    @property
    def public_key(self) -> str: ...
    def holds(self, signature: bytes, message: bytes) -> bool:
        """Whether the owner of the key signed this message."""
        ...


class RetiredKey(NamedTuple):
    """A key that signed until an instant. Later signatures by it are not ours."""

    key: TrustedKey
    until: datetime


class SealedEvidence(Value):
    """The file that is stored and handed over. `signature` is base64."""

    evidence: Mapping[str, Any]
    digest: Sha256
    parts: Mapping[str, str]
    signature: str
    public_key: str

    def document(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


class Mismatch(NamedTuple):
    """The first error in a document: the document's number, the path of the value, and what is wrong."""

    document: int
    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


def seal(evidence: Evidence, signer: Signer) -> SealedEvidence:
    document = evidence.document()
    return SealedEvidence(
        evidence=document,
        digest=digest_of(document),
        parts=dict(_parts(document)),
        signature=base64.b64encode(signer.sign(canonical_json(document).encode())).decode(),
        public_key=signer.public_key,
    )


def read_sealed(text: str) -> Any:
    """Parse the JSON of a file strictly, as it is signed: no duplicate keys, no NaN or infinity.

    Raises ValueError with what is wrong.
    """
    try:
        document = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
        if _has_half_characters(document):
            raise ValueError(HALF)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    return document


def verify_evidence(
    documents: Sequence[Any], trusted: TrustedKey, retired: Sequence[RetiredKey] = ()
) -> list[Mismatch]:
    """The first mismatch of each document, verified with the current key and earlier ones. Documents are given in
    order; each but the first must name the digest of the previous one. Empty means that all are as signed and none is
    missing in between."""
    found = []
    before: Any = None
    for number, document in enumerate(documents):
        problem = next(_mismatches(document, trusted, retired), None) or (
            _wrong_link(document, before) if number else None
        )
        if problem:
            found.append(Mismatch(number, *problem))
        before = document
    return found


def _mismatches(document: Any, trusted: TrustedKey, retired: Sequence[RetiredKey]) -> Iterator[tuple[str, str]]:
    """(path, what is wrong). Each is meaningful only if there was none before it."""
    if _has_half_characters(document):
        yield "document", HALF
        return
    try:
        sealed = SealedEvidence.model_validate(document)
    except ValidationError as error:
        yield _first_error(error)
        return
    others = (one for one in retired if one.key.public_key != trusted.public_key)
    before = next((one for one in others if one.key.public_key == sealed.public_key), None)
    key = before.key if before else trusted
    if sealed.public_key != key.public_key:
        yield "public_key", f"is {sealed.public_key}, not the trusted {trusted.public_key}"
    yield from _changed(sealed)
    signature = signature_of(sealed.signature)
    if signature is None:
        yield "signature", "is invalid: it is not canonical base64"
    elif not key.holds(signature, canonical_json(sealed.evidence).encode()):
        yield "signature", "is invalid: the owner of the key did not sign this evidence"
    try:
        evidence = Evidence.model_validate(sealed.evidence)
        if before and evidence.finished_at > before.until:
            yield (
                "public_key",
                f"signed until {before.until.isoformat()}, but this is from {evidence.finished_at.isoformat()}",
            )
    except ValidationError as error:
        path, what = _first_error(error)
        yield f"evidence.{path}", f"was signed, but is not evidence: {what}"


def _changed(sealed: SealedEvidence) -> Iterator[tuple[str, str]]:
    parts = dict(_parts(sealed.evidence))
    for path in (*parts, *(p for p in sealed.parts if p not in parts)):
        if path not in sealed.parts:
            yield f"evidence.{path}", "was added after sealing"
        elif path not in parts:
            yield f"evidence.{path}", "was removed after sealing"
        elif parts[path] != sealed.parts[path]:
            yield f"evidence.{path}", "is not the value that was sealed"
    if digest_of(sealed.evidence) != sealed.digest:
        yield "digest", f"is {sealed.digest}, but the evidence has {digest_of(sealed.evidence)}"


def signature_of(signature: str) -> bytes | None:
    """The decoded signature; None unless it is canonical base64. Base64 has unused bits, which decoders ignore."""
    try:
        found = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if base64.b64encode(found).decode() == signature else None


def _has_half_characters(document: Any) -> bool:
    """JSON can contain a lone surrogate, which is not a character and has no UTF-8 form."""
    try:
        canonical_json(document).encode()
    except UnicodeEncodeError:
        return True
    return False


def _wrong_link(document: Any, before: Any) -> tuple[str, str] | None:
    previous, digest = document["evidence"].get("previous"), before.get("digest") if isinstance(before, dict) else None
    if previous == digest:
        return None
    return "evidence.previous", f"names {previous}, but the previous document has {digest}: one is missing or misplaced"


def _parts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf value by its path. Empty lists and mappings are leaves too."""
    if isinstance(value, Mapping) and value:
        for key, inner in sorted(value.items()):
            yield from _parts(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple) and value:
        for number, inner in enumerate(value):
            yield from _parts(inner, f"{path}.{number}")
    else:
        yield path, digest_of(value)[:PART_DIGITS]


def _first_error(error: ValidationError) -> tuple[str, str]:
    first = error.errors()[0]
    return ".".join(map(str, first["loc"])) or "document", first["msg"].removeprefix("Value error, ")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for n, (key, _) in enumerate(pairs) if key in dict(pairs[:n]))
        raise ValueError(f"key {twice!r} is given twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not a number")
