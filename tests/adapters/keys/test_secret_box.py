"""Secrets are random, sealed, and useless without the key file."""

import base64
import errno
import os
from pathlib import Path

import pytest

from orchestrator.adapters.keys.secret_box import SecretBox, make_key
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.selling.catalog import SecretKind


@pytest.fixture
def box(tmp_path: Path) -> SecretBox:
    make_key(tmp_path / "key")
    return SecretBox(tmp_path / "key")


class TestASecret:
    def test_is_different_every_time(self, box: SecretBox) -> None:
        assert len({box.generate(SecretKind.PASSWORD) for _ in range(100)}) == 100

    def test_has_the_form_of_its_kind(self, box: SecretBox) -> None:
        assert len(box.generate(SecretKind.PASSWORD)) == 24
        assert len(base64.b64decode(box.generate(SecretKind.KEY))) == 32

    def test_is_recovered_unchanged_and_not_readable_in_the_token(self, box: SecretBox) -> None:
        token = box.seal("hunter2hunter2")
        assert box.open(token) == "hunter2hunter2"
        assert b"hunter2" not in token

    def test_cannot_be_opened_with_another_key(self, box: SecretBox, tmp_path: Path) -> None:
        make_key(tmp_path / "other")
        with pytest.raises(OrchestratorError) as refused:
            SecretBox(tmp_path / "other").open(box.seal("hunter2hunter2"))
        assert refused.value.kind is Kind.CONFLICT


class TestTheKeyFile:
    def test_is_created_once_and_readable_by_its_owner_only(self, tmp_path: Path) -> None:
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


class TestRotation:
    @pytest.fixture
    def old(self, box: SecretBox) -> bytes:
        return box.seal("hunter2hunter2")

    def test_opens_secrets_with_both_keys_until_it_ends_and_then_with_the_new_one_only(
        self, box: SecretBox, old: bytes, tmp_path: Path
    ) -> None:
        assert box.begin_rotation()
        assert not box.begin_rotation(), "it goes on with the one that was begun"
        assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
        assert box.open(old) == "hunter2hunter2"
        fresh = box.reseal(old)
        assert fresh
        assert box.reseal(fresh) is None
        box.end_rotation()
        assert box.open(fresh) == "hunter2hunter2"
        with pytest.raises(OrchestratorError):
            box.open(old)

    def test_is_picked_up_by_other_users_of_the_key_file(self, box: SecretBox, tmp_path: Path) -> None:
        other = SecretBox(tmp_path / "key")
        assert other.begin_rotation()
        fresh = box.seal("sealed meanwhile")
        assert other.reseal(fresh) is None
        other.end_rotation()
        assert box.open(fresh) == "sealed meanwhile"

    def test_keeps_the_old_key_when_nothing_can_be_written(
        self, box: SecretBox, old: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            box.begin_rotation()
        monkeypatch.undo()
        assert SecretBox(tmp_path / "key").open(old) == "hunter2hunter2"
