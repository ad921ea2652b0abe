"""The module that writes and removes small files, used by two steps at once."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def text_files() -> ModuleType:
    spec = importlib.util.spec_from_file_location("text_files", ROOT / "playbooks/library/text_files.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_file_that_two_steps_remove_at_once_is_removed_and_neither_fails(
    text_files: ModuleType, tmp_path: Path
) -> None:
    files = [tmp_path / str(number) for number in range(2_000)]
    for file in files:
        file.write_text("default")
    step = SimpleNamespace(check_mode=False)

    def remove_all(_: int) -> list[str]:
        return [file.name for file in files if text_files.remove(step, file)]

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(remove_all, range(4)))
    assert set().union(*told) == {file.name for file in files}
    assert list(tmp_path.iterdir()) == []
