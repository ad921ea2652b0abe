"""Evidence: signing with the key in force, verifying with that key and earlier ones, and drawing pages."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.bootstrap.base import Base

if TYPE_CHECKING:
    from orchestrator.domain.recovery.evidence import Evidence

TO_COPY = timedelta(days=1)
"""How long other machines may still sign with the previous key."""


@dataclass(frozen=True)
class EvidenceParts:
    base: Base

    def seal(self, evidence: "Evidence") -> tuple[str, str]:
        """The signed document, as it is stored and delivered, and its digest."""
        from orchestrator.adapters.keys.evidence_signing import EvidenceSigner
        from orchestrator.domain.recovery.evidence_seal import seal

        sealed = seal(evidence, EvidenceSigner(self.base.settings.signing_key_file))
        return json.dumps(sealed.document(), indent=1, ensure_ascii=False), sealed.digest

    def head(self) -> str:
        """The number of documents and the digest of the last one, signed, as JSON."""
        from orchestrator.adapters.keys.evidence_signing import EvidenceSigner
        from orchestrator.domain.recovery.evidence_head import Head, seal_head

        with self.base.store.read() as tx:
            head = Head(count=tx.drills.count_evidence(), last=tx.drills.last_evidence(), at=self.base.clock.now())
        return seal_head(head, EvidenceSigner(self.base.settings.signing_key_file)).model_dump_json(indent=1) + "\n"

    def keep_head(self) -> None:
        """Write the head to a file, for copying elsewhere."""
        from orchestrator.adapters.keys.files import replace_private

        replace_private(self.base.settings.evidence_head_file, self.head().encode())

    def verify(self, files: Sequence[Path], key: Path | None = None, head: Path | None = None) -> list[str]:
        """The problems of documents in files, oldest first. `key` contains the public key to trust, or a list of them,
        if not ours; `head` says how many documents there must be."""
        from orchestrator.adapters.evidence_files import read_evidence
        from orchestrator.adapters.keys.evidence_keys import read_retired, read_trusted
        from orchestrator.adapters.keys.evidence_signing import EvidenceSigner
        from orchestrator.domain.recovery.evidence_head import verify_head
        from orchestrator.domain.recovery.evidence_seal import verify_evidence

        if key:
            trusted, retired = read_trusted(key)
        else:
            trusted = EvidenceSigner(self.base.settings.signing_key_file).public
            retired = read_retired(self.base.settings.signing_keys_file).retired
        documents = [read_evidence(file) for file in files]
        found = verify_evidence(documents, trusted, retired)
        if found or head is None:
            return [f"{files[mismatch.document]}: {mismatch}" for mismatch in found]
        return [f"{head}: {problem}" for problem in verify_head(read_evidence(head), documents, trusted, retired)]

    def public_key(self) -> str:
        """The key that evidence is verified with, PEM."""
        from orchestrator.adapters.keys.evidence_signing import EvidenceSigner

        return EvidenceSigner(self.base.settings.signing_key_file).public.pem

    def public_keys(self) -> str:
        """The key in force and earlier ones, with the instants until which they signed, JSON."""
        from orchestrator.adapters.keys.evidence_keys import all_keys

        return all_keys(self.base.settings.signing_key_file, self.base.settings.signing_keys_file).text

    def rotate(self) -> None:
        """Sign with a new key from now on."""
        from orchestrator.adapters.keys.evidence_keys import rotate_signing_key

        self.base.require_installation()
        until = self.base.clock.now() + (TO_COPY if self.base.many_machines else timedelta(0))
        rotate_signing_key(self.base.settings.signing_key_file, self.base.settings.signing_keys_file, until=until)

    def draw(self, document: str) -> str:
        """The page of a signed document, for people."""
        from orchestrator.adapters.pages.evidence.page import draw
        from orchestrator.domain.recovery.evidence_seal import SealedEvidence, read_sealed

        return draw(SealedEvidence.model_validate(read_sealed(document)))
