"""Stores for tests: in memory, and over each kind of database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.database.connection import connect
from orchestrator.adapters.database.store import SqlStore
from orchestrator.ports.store import Store
from tests.databases import Databases
from tests.memory.store import MemoryStore

MEMORY = "memory"
REAL = ("sqlite", "postgresql")
KINDS = (MEMORY, *REAL)

HandOver = Callable[[Any, int, int], None]
"""The engine's queue: given a session, or None in memory, a run and its attempt."""


@contextmanager
def open_store(
    kind: str, request: pytest.FixtureRequest, folder: Path, *, hand_over: HandOver = lambda *_: None
) -> Iterator[Store]:
    """An empty store of a kind. A database may keep files in `folder`."""
    if kind == MEMORY:
        yield MemoryStore(partial(hand_over, None))
        return
    databases: Databases = request.getfixturevalue("sqlite_databases" if kind == "sqlite" else "postgres_databases")
    engine = connect(databases.current(folder))
    yield SqlStore(engine, hand_over)
    engine.dispose()
