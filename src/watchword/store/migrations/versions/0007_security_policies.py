"""Security policies, and the organizations that API access tokens reach: each one's own, to begin with."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _texts(*names: str, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=null) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "security_policies",
        sa.Column("organization_id", sa.Text, primary_key=True, nullable=False),
        *_texts("allowed_networks"),
        *_numbers("revoke_inactive_after_days", "restrict_api_token_creation", "require_two_factor"),
        *_texts("revealable", "reuse_response"),
        *_numbers("maximum_api_token_days", "updated_at"),
        *_texts("updated_by", null=True),
    )
    op.create_table(
        "token_grants",
        sa.Column("organization_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("token_id", sa.Text, primary_key=True, nullable=False),
        *_texts("home_id"),
        *_numbers("granted_at"),
        *_texts("granted_by", null=True),
        *_numbers("ended_at"),
        *_texts("ended_by", null=True),
        sqlite_with_rowid=False,
    )
    op.create_index("token_grants_token", "token_grants", ["token_id"])
    op.execute(
        "INSERT INTO token_grants (organization_id, token_id, home_id, granted_at, granted_by, ended_at)"
        " SELECT organization_id, id, organization_id, created_at, created_by, 0 FROM tokens"
        " WHERE kind = 'api_access'"
    )


def downgrade() -> None:
    op.drop_table("token_grants")
    op.drop_table("security_policies")
