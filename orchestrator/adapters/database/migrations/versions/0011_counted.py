"""Durations, ends of runs and newest backups as sums beside rows; what was forgotten is part of them"""

from collections import Counter
from itertools import pairwise
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BOUNDS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
MICROSECONDS = 1_000_000

RUN = sa.table("run", *map(sa.column, ("id", "agency", "purpose", "state", "seconds")))
STEP = sa.table("step", *map(sa.column, ("run", "component", "verb", "state", "seconds", "started_at")))
FORGOTTEN = sa.table(
    "forgotten",
    *map(sa.column, ("family", "labels", "count", "total_seconds")),
    sa.column("at_most", sa.JSON()),
)

Sums = tuple[Counter[tuple[str, str, int]], Counter[tuple[str, str, int]]]
"""By family, labels and bucket: how many, and their microseconds."""


def upgrade() -> None:
    counted = op.create_table(
        "counted",
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("labels", sa.String(), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("microseconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("family", "labels", "bucket", name=op.f("pk_counted")),
    )
    newest = op.create_table(
        "newest_backup",
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("component", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("agency", "component", name=op.f("pk_newest_backup")),
    )
    op.execute(sa.insert(newest).from_select([column.name for column in newest.c], _newest_backups()))
    counts, took = _sums()
    rows = [
        {"family": family, "labels": labels, "bucket": bucket, "count": n, "microseconds": took[family, labels, bucket]}
        for (family, labels, bucket), n in counts.items()
    ]
    if rows:
        op.bulk_insert(counted, rows)
    op.drop_table("forgotten")


def _newest_backups() -> Any:
    whose = (RUN.c.agency, STEP.c.component)
    query = sa.select(*whose, sa.func.max(STEP.c.started_at)).join_from(STEP, RUN, RUN.c.id == STEP.c.run)
    succeeded = (STEP.c.verb == "backup", STEP.c.state == "succeeded", STEP.c.started_at.is_not(None))
    return query.where(*succeeded).group_by(*whose)


def _sums() -> Sums:
    sums: Sums = (Counter(), Counter())
    counts, took = sums
    _count(sums, "runs", (RUN.c.purpose, RUN.c.state), sa.literal(0.0))
    _count(sums, "run_durations", (RUN.c.purpose, RUN.c.state), RUN.c.seconds)
    _count(sums, "step_durations", (STEP.c.component, STEP.c.verb, STEP.c.state), STEP.c.seconds)
    forgotten: Any = op.get_bind().execute(sa.select(FORGOTTEN))
    for family, labels, count, total, at_most in forgotten:
        edges = [0, *at_most, count] if family != "runs" else [0, count]
        for bucket, (before, after) in enumerate(pairwise(edges)):
            counts[family, labels, bucket] += after - before
        took[family, labels, 0] += round(total * MICROSECONDS)
    return sums


def _count(sums: Sums, family: str, labels: tuple[Any, ...], seconds: Any) -> None:
    counts, took = sums
    bucket = sa.case(*((seconds <= bound, n) for n, bound in enumerate(BOUNDS)), else_=len(BOUNDS)).label("bucket")
    query = sa.select(*labels, bucket, sa.func.count(), sa.func.sum(seconds)).where(seconds.is_not(None))
    rows: Any = op.get_bind().execute(query.select_from(labels[0].table).group_by(*labels, bucket))
    for *values, n, count, total in rows:
        counts[family, "/".join(values), n] += count
        took[family, "/".join(values), n] += round(total * MICROSECONDS)
