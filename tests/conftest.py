"""What all tests share."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WORLD = Path(__file__).parent / "world"


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's top folder."""
    return ROOT
