"""Alembic's entry: migrations run on the connection they are given, and see only our own tables."""

from typing import Any

from alembic import context

from orchestrator.adapters.database.tables import metadata


def ours(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:  # noqa: ARG001, FBT001
    """The durable engine keeps tables of its own in the same database."""
    return kind != "table" or name in metadata.tables


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_object=ours,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
