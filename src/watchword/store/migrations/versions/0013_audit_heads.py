"""Sealed heads of the audit trail; with which client and API access token an event came about."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_COLUMNS = ("user_agent", "token_id")


def upgrade() -> None:
    op.create_table(
        "audit_heads",
        sa.Column("organization_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False, nullable=False),
        sa.Column("link", sa.LargeBinary, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("through", "sealed_at", "key")),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    for name in _COLUMNS:
        op.add_column("audit_events", sa.Column(name, sa.Text, server_default="", nullable=False))


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("audit_events", name)
    op.drop_table("audit_heads")
