"""Numbers of plans, runs and events that are given once

SQLite gives the number of a table's newest row again when that row was deleted, unless the table says AUTOINCREMENT
(sqlite.org/autoinc.html). PostgreSQL never does.
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        for table in ("plan", "run", "event"):
            with op.batch_alter_table(table, recreate="always", table_kwargs={"sqlite_autoincrement": True}):
                pass
