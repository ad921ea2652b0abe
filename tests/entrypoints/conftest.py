"""Command lines for tests of the command line and of the HTTP server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.entrypoints.cli.conftest import CommandLine, InProcess


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory that `init` has made."""
    command = CommandLine(tmp_path_factory.mktemp("installed"))
    command("init")
    return command.home


@pytest.fixture
def swift(tmp_path: Path, installed: Path, capsys: pytest.CaptureFixture[str]) -> InProcess:
    """A command line in this process with a fresh state directory."""
    command = InProcess(tmp_path, capture=capsys)
    command.begin(installed)
    return command


@pytest.fixture
def orchestrator(tmp_path: Path, installed: Path) -> Iterator[CommandLine]:
    """A command line with a fresh state directory; what it started is killed afterwards."""
    command = CommandLine(tmp_path)
    command.begin(installed)
    yield command
    command.end()
