"""A host's disk and its snapshots, without a host."""

from pathlib import Path

import pytest

from orchestrator.adapters.practice.disk import Disk
from orchestrator.domain.errors import Kind, OrchestratorError


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    found = Disk(tmp_path / "host", "edge")
    found.begin((tmp_path / "base",))
    return found


def _write(disk: Disk, name: str) -> None:
    (disk.home / "disk").mkdir(exist_ok=True)
    (disk.home / "disk" / name).touch()


def _lower(disk: Disk) -> list[str]:
    return (disk.home / "base").read_text().splitlines()


def test_each_snapshot_lies_over_the_layers_it_was_taken_on(disk: Disk, tmp_path: Path) -> None:
    _write(disk, "one")
    disk.snapshot("first")
    _write(disk, "two")
    disk.snapshot("second")
    first, second = (disk.home / "snapshots" / name / "disk" for name in ("first", "second"))
    assert disk.snapshots() == ("first", "second")
    assert _lower(disk) == [str(second), str(first), str(tmp_path / "base")]
    assert (first / "one").exists()
    assert (second / "two").exists()
    _write(disk, "three")
    disk.restore("first")
    assert _lower(disk) == [str(first), str(tmp_path / "base")]
    assert not (disk.home / "disk").exists()
    disk.restore("second")
    assert _lower(disk) == [str(second), str(first), str(tmp_path / "base")]


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", "-a", "a" * 32, "a\n"])
def test_a_name_that_could_be_a_path_is_refused(disk: Disk, name: str) -> None:
    with pytest.raises(OrchestratorError, match="cannot name a snapshot") as caught:
        disk.snapshot(name)
    assert caught.value.kind is Kind.INVALID


def test_a_snapshot_is_taken_once_and_restored_only_if_it_exists(disk: Disk) -> None:
    disk.snapshot("one")
    with pytest.raises(OrchestratorError, match="already has a snapshot one") as caught:
        disk.snapshot("one")
    assert caught.value.kind is Kind.CONFLICT
    with pytest.raises(OrchestratorError, match="has no snapshot two") as caught:
        disk.restore("two")
    assert caught.value.kind is Kind.NOT_FOUND
    assert caught.value.hint == "It has: one."


def test_an_interrupted_snapshot_is_finished_and_nothing_written_is_lost(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(disk, "one")

    def crash(self: Path, target: Path) -> Path:
        if self.name == "disk":
            raise KeyboardInterrupt
        return self.replace(target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", crash)
        with pytest.raises(KeyboardInterrupt):
            disk.snapshot("first")
    disk.snapshot("second")
    assert (disk.home / "snapshots" / "first" / "disk" / "one").exists()
    assert _lower(disk)[0].endswith("second/disk")


def test_a_disk_whose_base_is_gone_says_how_to_get_a_new_one(disk: Disk, tmp_path: Path) -> None:
    with pytest.raises(OrchestratorError, match=f"is based on {tmp_path / 'base'}, which is gone") as caught:
        disk.mount("edge")
    assert caught.value.kind is Kind.CONFLICT
    assert caught.value.hint is not None
    assert "practice down --erase" in caught.value.hint


def test_a_hosts_own_files_are_looked_for_in_its_snapshots_too(disk: Disk, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "shared").touch()
    assert disk.lacks("own")
    _write(disk, "own")
    assert not disk.lacks("own")
    disk.snapshot("first")
    assert not disk.lacks("own")
    assert disk.lacks("shared"), "what all hosts share is nobody's own"
