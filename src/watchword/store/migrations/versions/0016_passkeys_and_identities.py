"""Passkeys, identities at single sign-on, used tickets, and how a session came to be."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def _texts(*names: str, key: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, primary_key=key, nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "passkeys",
        *_texts("user_id", "id", key=True),
        sa.Column("credential_id", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        *_numbers("sign_count"),
        *_texts("name", "transports"),
        *_numbers("backed_up", "created_at", "last_used_at"),
    )
    op.create_table(
        "identities",
        *_texts("issuer", "subject", key=True),
        *_texts("user_id", "email"),
        *_numbers("created_at", "last_used_at"),
    )
    op.create_index("identities_user", "identities", ["user_id"])
    op.create_table(
        "used_tickets",
        sa.Column("digest", sa.LargeBinary, primary_key=True, nullable=False),
        *_numbers("expires_at"),
    )
    op.create_index("used_tickets_expiry", "used_tickets", ["expires_at"])
    op.add_column("user_sign_ins", sa.Column("passkeys", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("web_sessions", sa.Column("method", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("web_sessions", "method")
    op.drop_column("user_sign_ins", "passkeys")
    op.drop_table("used_tickets")
    op.drop_table("identities")
    op.drop_table("passkeys")
