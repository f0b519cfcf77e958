"""Reminders about tokens that expire, and the index that finds them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_EXPIRES = sa.text("expires_at > 0")


def upgrade() -> None:
    op.create_table(
        "token_reminders",
        sa.Column("organization_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("token_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("days", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "tokens_expiry",
        "tokens",
        ["expires_at", "id"],
        sqlite_where=_EXPIRES,
        postgresql_where=_EXPIRES,
    )


def downgrade() -> None:
    op.drop_index("tokens_expiry", "tokens")
    op.drop_table("token_reminders")
