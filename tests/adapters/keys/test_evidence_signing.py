"""The key that signs evidence: created once, private to its owner, and verified with a public key."""

import base64
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from orchestrator.adapters.evidence_files import read_evidence
from orchestrator.adapters.keys.evidence_signing import EvidenceSigner, make_signing_key, read_public_key
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.recovery.evidence_seal import seal, verify_evidence
from orchestrator.domain.value import canonical_json
from tests.domain.recovery.drills import evidence


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "state" / "evidence.key"
    assert make_signing_key(file)
    return file


class TestTheKey:
    def test_is_created_once_and_readable_by_its_owner_only(self, key_file: Path) -> None:
        before = key_file.read_bytes()
        assert not make_signing_key(key_file)
        assert key_file.read_bytes() == before
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600

    def test_that_others_can_read_is_refused(self, key_file: Path) -> None:
        key_file.chmod(0o640)
        with pytest.raises(OrchestratorError, match=r"can be read by others \(mode 0640\)") as caught:
            EvidenceSigner(key_file)
        assert caught.value.hint and caught.value.hint.startswith("chmod 600")

    @pytest.mark.parametrize(
        "content", [b"", b"hello", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]
    )
    def test_with_invalid_content_is_refused(self, key_file: Path, content: bytes) -> None:
        key_file.write_bytes(content)
        with pytest.raises(OrchestratorError, match="does not hold an Ed25519 private key"):
            EvidenceSigner(key_file)

    def test_that_is_missing_is_reported_with_a_hint(self, tmp_path: Path) -> None:
        with pytest.raises(OrchestratorError, match="is missing") as caught:
            EvidenceSigner(tmp_path / "none")
        assert (caught.value.kind, caught.value.hint) == (Kind.NOT_FOUND, "restore it from its backup")


class TestAPublicKey:
    def test_is_read_as_pem_and_as_written_in_evidence(self, key_file: Path, tmp_path: Path) -> None:
        ours = EvidenceSigner(key_file).public
        for content in (ours.pem, ours.public_key, f"{ours.public_key}\n"):
            (tmp_path / "public").write_text(content)
            assert read_public_key(tmp_path / "public").public_key == ours.public_key

    @pytest.mark.parametrize("content", ["", "AAAA", "not base64!", "-----BEGIN PUBLIC KEY-----\nAA\n"])
    def test_with_invalid_content_is_refused(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "public").write_text(content)
        with pytest.raises(OrchestratorError, match="does not hold an Ed25519 public key"):
            read_public_key(tmp_path / "public")


class TestSignedEvidence:
    def test_holds_with_its_own_key_and_no_other(self, key_file: Path, tmp_path: Path) -> None:
        signer = EvidenceSigner(key_file)
        document = seal(evidence(), signer).document()
        assert verify_evidence([document], signer.public) == []
        make_signing_key(tmp_path / "other")
        other = EvidenceSigner(tmp_path / "other").public
        assert [m.path for m in verify_evidence([document], other)] == ["public_key"]
        assert [m.path for m in verify_evidence([document | {"public_key": other.public_key}], other)] == ["signature"]

    @pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
    def test_can_be_checked_without_us(self, key_file: Path, tmp_path: Path) -> None:
        """With openssl, as the page tells an auditor to do."""
        signer = EvidenceSigner(key_file)
        sealed = seal(evidence(), signer)
        (tmp_path / "public.pem").write_text(signer.public.pem)
        (tmp_path / "signature").write_bytes(base64.b64decode(sealed.signature))
        (tmp_path / "message").write_text(canonical_json(sealed.evidence), encoding="utf-8")
        command = "openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in message -sigfile signature"
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
        (tmp_path / "message").write_text(canonical_json(sealed.evidence | {"drill": 8}), encoding="utf-8")
        assert subprocess.run(command.split(), cwd=tmp_path, check=False, capture_output=True).returncode != 0


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"\xff", "is not UTF-8 text"), (b"{}{}", "Extra data"), (b'{"a":1,"a":2}', "key 'a' is given twice")],
)
def test_a_file_that_is_not_evidence_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "e.json").write_bytes(content)
    with pytest.raises(OrchestratorError, match=problem):
        read_evidence(tmp_path / "e.json")
    with pytest.raises(OrchestratorError, match="no such file"):
        read_evidence(tmp_path / "none.json")
