"""Secrets are random, sealed, and useless without the key file."""

import base64
from pathlib import Path

import pytest

from orchestrator.adapters.keys.secret_box import SecretBox, make_key
from orchestrator.domain.catalog import SecretKind
from orchestrator.domain.errors import Kind, OrchestratorError


@pytest.fixture
def box(tmp_path: Path) -> SecretBox:
    make_key(tmp_path / "key")
    return SecretBox(tmp_path / "key")


class TestASecret:
    def test_is_another_every_time(self, box: SecretBox) -> None:
        assert len({box.generate(SecretKind.PASSWORD) for _ in range(100)}) == 100

    def test_has_the_form_of_its_kind(self, box: SecretBox) -> None:
        assert len(box.generate(SecretKind.PASSWORD)) == 24
        assert len(base64.b64decode(box.generate(SecretKind.KEY))) == 32

    def test_comes_back_as_it_was_and_is_not_in_the_token(self, box: SecretBox) -> None:
        token = box.seal("hunter2hunter2")
        assert box.open(token) == "hunter2hunter2"
        assert b"hunter2" not in token

    def test_cannot_be_opened_with_another_key(self, box: SecretBox, tmp_path: Path) -> None:
        make_key(tmp_path / "other")
        with pytest.raises(OrchestratorError) as refused:
            SecretBox(tmp_path / "other").open(box.seal("hunter2hunter2"))
        assert refused.value.kind is Kind.CONFLICT


class TestTheKeyFile:
    def test_is_for_its_owner_only_and_made_once(self, tmp_path: Path) -> None:
        assert make_key(tmp_path / "key")
        made = (tmp_path / "key").read_bytes()
        assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
        assert not make_key(tmp_path / "key")
        assert (tmp_path / "key").read_bytes() == made

    def test_that_holds_no_key_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text("nonsense")
        with pytest.raises(OrchestratorError) as refused:
            SecretBox(tmp_path / "key")
        assert refused.value.kind is Kind.INVALID
