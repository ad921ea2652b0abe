"""Alembic's entry: migrations run on the connection they are given, and see only our own tables."""

from typing import Any

from alembic import context
from sqlalchemy import text

from orchestrator.adapters.database.columns import WHERE
from orchestrator.adapters.database.tables import metadata


def ours(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:  # noqa: ARG001, FBT001
    """The durable engine keeps tables of its own in the same database."""
    return kind != "table" or name in metadata.tables


connection = context.config.attributes["connection"]
for table in metadata.tables.values():
    for index in table.indexes:
        if where := index.info.get(WHERE):
            index.dialect_options[connection.dialect.name]["where"] = text(where)

context.configure(
    connection=connection,
    target_metadata=metadata,
    include_object=ours,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
