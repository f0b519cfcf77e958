"""Portals, and the codes by which programs ask members for tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def _texts(*names: str, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=null) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "portals",
        sa.Column("organization_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("id", sa.Text, primary_key=True, nullable=False),
        *_texts("slug", "name", "description", "query", "allowed_networks"),
        *_numbers("user_invokable", "created_at"),
        *_texts("created_by", null=True),
        *_numbers("updated_at"),
        sqlite_with_rowid=False,
    )
    op.create_index("portals_slug", "portals", ["organization_id", "slug"], unique=True)
    op.create_table(
        "portal_codes",
        sa.Column("organization_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("portal_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("digest", sa.LargeBinary, primary_key=True, nullable=False),
        sa.Column("secret_digest", sa.LargeBinary, nullable=False),
        *_numbers("created_at", "expires_at"),
        *_texts("address", "client"),
        *_texts("decided_by", null=True),
        *_numbers("approved_at", "denied_at", "used_at"),
        sqlite_with_rowid=False,
    )
    op.create_index("portal_codes_expiry", "portal_codes", ["expires_at"])


def downgrade() -> None:
    op.drop_table("portal_codes")
    op.drop_table("portals")
