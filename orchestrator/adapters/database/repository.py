"""The base class of repositories."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session


class Repository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def _run(self, statement: Any) -> int:
        """Execute an update, insert or delete. Returns the number of rows affected."""
        result: Any = self._session.execute(statement)
        return int(result.rowcount)

    def _insert_new(self, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
        """Insert rows, skipping those whose key exists."""
        if rows:
            self._session.execute(self._insert(table).on_conflict_do_nothing(), rows)

    def _upsert(self, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
        """Insert rows, or replace those whose key exists. All rows have the same columns."""
        if rows:
            statement, key = self._insert(table), {column.name for column in table.primary_key}
            others = {name: statement.excluded[name] for name in rows[0] if name not in key}
            self._session.execute(statement.on_conflict_do_update(index_elements=list(key), set_=others), rows)

    def _insert(self, table: sa.Table) -> Any:
        """An insert that supports ON CONFLICT."""
        return import_module(f"sqlalchemy.dialects.{self._session.get_bind().dialect.name}").insert(table)

    def _clock(self) -> float:
        """Seconds since 1970 by the database's clock, so that the machines' clocks need not agree."""
        postgres = self._session.get_bind().dialect.name == "postgresql"
        now = "extract(epoch from clock_timestamp())" if postgres else "(julianday('now') - 2440587.5) * 86400.0"
        return float(self._session.execute(sa.text(f"select {now}")).scalar_one())
