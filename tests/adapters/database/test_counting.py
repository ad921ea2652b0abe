"""Sums kept beside runs and steps: a migration sets them to what counting all rows gives.

That they stay so is shown by `test_stores_agree.py`.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from orchestrator.adapters.database import migrating
from orchestrator.adapters.database.connection import connect
from orchestrator.adapters.database.migrating import upgrade
from orchestrator.adapters.database.store import SqlStore
from orchestrator.adapters.database.tables import RunRow, StepRow
from tests.adapters.database.test_store_contract import NOW, agreement, catalog, order, plan, site, store

__all__ = ["agreement", "catalog", "order", "plan", "site", "store"]

AGENCIES = ("a1", "a2", "a3")
TOOK = (0, 0.5, 0.500001, 47.3, 3600, 7000)
"""Seconds."""

Rows = tuple[list[RunRow], list[StepRow]]
Durations = dict[tuple[str, ...], list[float | None]]


def told(store: SqlStore) -> tuple[Any, ...]:
    with store.read() as tx:
        durations = (tx.figures.run_durations(), tx.figures.step_durations())
        plain = ([(h.labels, h.at_most, h.count, h.total_seconds) for h in family] for family in durations)
        return tx.figures.runs(), *plain


def test_an_upgrade_counts_existing_and_forgotten_records(empty_url: str) -> None:
    """Two backups of ten seconds exist; one of a minute and a half was deleted."""
    engine, ten = connect(empty_url, create=True), NOW + timedelta(seconds=10)
    config = Config()
    config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0010")
        for statement in OLD:
            connection.execute(sa.text(statement), {"now": NOW, "later": ten})
    assert upgrade(engine) == ("0010", migrating.HEAD)
    store = SqlStore(engine)
    took = [(("backup", "succeeded"), (0, 0, 0, 0, 2, 2, 2, 3, 3, 3, 3, 3), 3, 110)]
    stepped = [(("network", "backup", "succeeded"), (0, 0, 0, 0, 2, 2, 2, 3, 3, 3, 3, 3), 3, 110)]
    assert told(store) == ([("backup", "queued", 1), ("backup", "succeeded", 3)], took, stepped)
    with store.read() as tx:
        assert tx.backups.last_of_all() == {("a1", "network"): NOW}
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:  # what refers to what is held again
        connection.execute(sa.text("delete from run where id = 1"))
    engine.dispose()


_RUN = (
    "insert into run (id, agency, site, purpose, plan, state, priority, due_at, on_failure, hosts, attempt, "
    "cancel_requested, created_at, started_at, finished_at, seconds) values "
)
_STEP = (
    "insert into step (run, id, position, component, verb, placement, needs, because, always, state, attempt, tries, "
    "started_at, finished_at, seconds, ok, changed, failed, unreachable) values "
)
_ENDED = "'a1', 'here', 'backup', 1, 'succeeded', 'change', :now, 'keep', '[]', 1, false, :now, :now, :later, 10.0"
_BACKUP = "'n.backup', 1, 'network', 'backup', '{}', '[]', '', false, 'succeeded', 1, 1, :now, :later, 10.0, 1, 0, 0, 0"
_AT_MOST = "'[0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]'"
_NONE = "'[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]'"
OLD = (
    "insert into agency (id, name, framework, site, call_off, committed_pence, created_at) "
    """values ('a1', 'a1', 'flex', 'here', '{"term": {"start": "2026-12-01", "months": 12}}', 0, :now)""",
    "insert into plan (id, agency, digest, body, created_at) values (1, 'a1', '', '{}', :now)",
    f"{_RUN} (1, {_ENDED})",
    f"{_RUN} (2, {_ENDED})",
    f"{_RUN} (3, 'a1', 'here', 'backup', 1, 'queued', 'change', :now, 'keep', '[]', 1, false, :now, null, null, null)",
    f"{_STEP} (1, {_BACKUP})",
    f"{_STEP} (2, {_BACKUP})",
    f"insert into forgotten values ('runs', 'backup/succeeded', {_NONE}, 1, 0)",
    f"insert into forgotten values ('run_durations', 'backup/succeeded', {_AT_MOST}, 1, 90)",
    f"insert into forgotten values ('step_durations', 'network/backup/succeeded', {_AT_MOST}, 1, 90)",
)
"""Rows as they were at schema 0010."""
