"""Files that people name may be anything."""

import os
import threading
from pathlib import Path

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.files import read_file, read_text, write_file


def refused(act: object, *arguments: object, **options: object) -> OrchestratorError:
    with pytest.raises(OrchestratorError) as caught:
        act(*arguments, **options)  # type: ignore[operator]
    return caught.value


class TestReading:
    def test_stops_at_the_limit_whatever_size_the_file_claims(self, tmp_path: Path) -> None:
        (tmp_path / "right").write_bytes(b"x" * 100)
        assert read_file(tmp_path / "right", at_most=100) == b"x" * 100
        assert "is larger than 99 bytes" in refused(read_file, tmp_path / "right", at_most=99).message
        assert "is larger than 10 bytes" in refused(read_file, Path("/proc/self/environ"), at_most=10).message

    def test_neither_waits_for_a_pipe_nor_reads_a_device_or_folder(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path / "pipe", Path("/dev/zero"), Path("/dev/tty"), tmp_path):
            assert refused(read_file, path, at_most=100).kind is Kind.INVALID

    def test_does_not_wait_even_for_a_pipe_that_somebody_writes_to(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        writer = threading.Thread(target=lambda: (tmp_path / "pipe").open("w").close(), daemon=True)
        writer.start()
        assert "is not a file" in refused(read_file, tmp_path / "pipe", at_most=100).message

    def test_follows_a_link_only_to_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("text")
        (tmp_path / "link").symlink_to(tmp_path / "file")
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        assert read_text(tmp_path / "link", at_most=10) == "text"
        assert refused(read_text, tmp_path / "loop", at_most=10).kind is Kind.INVALID

    @pytest.mark.parametrize("name", ["null\0byte", "x" * 5000])
    def test_refuses_names_that_no_file_can_have(self, name: str) -> None:
        assert refused(read_file, Path(name), at_most=10).kind is Kind.INVALID

    def test_reports_a_missing_file_and_one_that_is_not_text(self, tmp_path: Path) -> None:
        assert refused(read_text, tmp_path / "none", at_most=10).kind is Kind.NOT_FOUND
        (tmp_path / "bytes").write_bytes(b"ab\xff")
        assert "is not UTF-8 text (byte 2)" in refused(read_text, tmp_path / "bytes", at_most=10).message


class TestWriting:
    def test_replaces_what_was_there(self, tmp_path: Path) -> None:
        write_file(tmp_path / "page", "old and longer")
        write_file(tmp_path / "page", "new")
        assert (tmp_path / "page").read_text() == "new"

    @pytest.mark.parametrize("name", ["", "none/page", "null\0byte"])
    def test_says_what_cannot_be_written(self, tmp_path: Path, name: str) -> None:
        assert "cannot be written" in refused(write_file, tmp_path / name, "text").message
