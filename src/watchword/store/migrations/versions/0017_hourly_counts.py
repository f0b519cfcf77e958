"""What happened in each organization, counted hour by hour."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hourly_counts",
        sa.Column("organization_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("hour", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("name", sa.Text, primary_key=True, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("hourly_counts")
