"""Which service vouches for the passwords of another's people"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("service_instance", sa.Column("accounts_from", sa.String(), nullable=True))
