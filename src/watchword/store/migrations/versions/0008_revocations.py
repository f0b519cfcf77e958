"""Revocations with their modes and deadlines; blocked registrations; which values were issued elsewhere."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_OPEN = sa.text("finished_at = 0 OR effective_at = 0")
_IMPORTED = sa.text("imported = 1")


def _texts(*names: str, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=null) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "revocations",
        sa.Column("organization_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("id", sa.Text, primary_key=True, nullable=False),
        *_texts("token_id", "change", "mode", "networks"),
        *_numbers("deadline", "committed_at", "effective_at", "finished_at"),
        *_texts("by", null=True),
        *_texts("reason"),
        *_numbers("agents", "agents_cut", "jobs_lost", "jobs_returned"),
        sqlite_with_rowid=False,
    )
    op.create_index("revocations_token", "revocations", ["organization_id", "token_id", "id"])
    op.create_index("revocations_open", "revocations", ["id"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_table(
        "blocked_registrations",
        sa.Column("organization_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("token_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("hour", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("address", sa.Text, primary_key=True, nullable=False),
        sqlite_with_rowid=False,
    )
    op.add_column("tokens", sa.Column("imported", sa.BigInteger, nullable=False, server_default="0"))
    op.create_index(
        "tokens_imported", "tokens", ["digest"], sqlite_where=_IMPORTED, postgresql_where=_IMPORTED
    )


def downgrade() -> None:
    op.drop_index("tokens_imported", table_name="tokens")
    op.drop_column("tokens", "imported")
    op.drop_table("blocked_registrations")
    op.drop_table("revocations")
