"""Rotates the key that signs evidence, and keeps the list of earlier keys: what they signed stays valid.

The list is JSON, `{"keys": [{"public_key": BASE64, "until": INSTANT}]}`, oldest first. The list that is handed over
also has the current key, without an end. An interrupted rotation is completed by the next call.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, ValidationError

from orchestrator.adapters.keys.evidence_signing import (
    EvidenceSigner,
    PublicKey,
    make_signing_key,
    public_key_of,
    read_public_key,
)
from orchestrator.adapters.keys.files import replace_private
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.recovery.evidence_seal import RetiredKey
from orchestrator.domain.value import Value
from orchestrator.files import read_file

MAX_BYTES = 1_000_000


class ListedKey(Value):
    """`until` is None for the current key."""

    public_key: Annotated[str, AfterValidator(lambda text: public_key_of(text).public_key)]
    until: AwareDatetime | None = None


class KeyList(Value):
    keys: tuple[ListedKey, ...] = ()

    @property
    def retired(self) -> tuple[RetiredKey, ...]:
        return tuple(RetiredKey(public_key_of(one.public_key), one.until) for one in self.keys if one.until)

    @property
    def text(self) -> str:
        return self.model_dump_json(indent=1) + "\n"


def rotate_signing_key(key_file: Path, list_file: Path, *, until: datetime) -> None:
    """Sign with a new key from now on; signatures of the old one are valid until `until`, in UTC."""
    ours, new = EvidenceSigner(key_file).public_key, key_file.with_suffix(".next")
    make_signing_key(new)
    before = [one for one in read_retired(list_file).keys if one.public_key != ours]
    listed = KeyList(keys=(*before, ListedKey(public_key=ours, until=until)))
    replace_private(list_file, listed.text.encode())
    new.replace(key_file)


def read_retired(list_file: Path) -> KeyList:
    """The earlier keys; none if there was never another."""
    return _read_list(list_file) if list_file.exists() else KeyList()


def all_keys(key_file: Path, list_file: Path) -> KeyList:
    """The list for those who verify evidence of any age."""
    current = ListedKey(public_key=EvidenceSigner(key_file).public_key)
    before = (one for one in read_retired(list_file).keys if one.public_key != current.public_key)
    return KeyList(keys=(*before, current))


def read_trusted(file: Path) -> tuple[PublicKey, tuple[RetiredKey, ...]]:
    """Read one public key, or a list whose last key is current."""
    if not read_file(file, at_most=MAX_BYTES).lstrip().startswith(b"{"):
        return read_public_key(file), ()
    listed = _read_list(file)
    if [one.until is None for one in listed.keys] != [False] * (len(listed.keys) - 1) + [True]:
        raise _no_list(file)
    return public_key_of(listed.keys[-1].public_key), listed.retired


def _read_list(file: Path) -> KeyList:
    try:
        return KeyList.model_validate_json(read_file(file, at_most=MAX_BYTES))
    except ValidationError:
        raise _no_list(file) from None


def _no_list(file: Path) -> OrchestratorError:
    return OrchestratorError(
        Kind.INVALID, f"{file} does not hold a list of public keys", hint="as orchestrator drill key --all prints it"
    )
