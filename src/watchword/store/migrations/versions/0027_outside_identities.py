"""Trusted issuers, used identity tokens, agents' identities; applications that exchange assertions."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _maybe(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=True)


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _keys(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "trusted_issuers",
        *_keys("organization_id", "id"),
        *_texts("cluster_id", "token_id", "name", "issuer", "preset", "terms"),
        *_numbers("created_at"),
        _maybe("created_by"),
        *_numbers("updated_at"),
        sqlite_with_rowid=False,
    )
    op.create_index("trusted_issuers_issuer", "trusted_issuers", ["issuer", "id"])
    op.create_table(
        "issuer_audiences",
        *_keys("issuer", "audience"),
        *_texts("organization_id"),
        *_numbers("taken_at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "identity_uses",
        *_keys("organization_id", "digest"),
        *_texts("holder"),
        *_numbers("uses", "first_at", "expires_at"),
        sqlite_with_rowid=False,
    )
    op.create_index("identity_uses_expiry", "identity_uses", ["expires_at"])
    op.create_table(
        "agent_identities",
        *_keys("organization_id", "agent_id"),
        *_texts("issuer_id", "issuer", "subject", "digest", "claims"),
        *_numbers("created_at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "exchange_applications",
        *_keys("organization_id", "id"),
        *_texts("client_id", "name", "description", "jwks_url", "jwks", "grantable", "defaults"),
        *_texts("exchange_networks", "use_networks"),
        *_numbers("max_ttl", "require_jti", "enabled", "created_at"),
        _maybe("created_by"),
        *_numbers("updated_at", "ended_at"),
        sqlite_with_rowid=False,
    )
    op.create_index("exchange_applications_client", "exchange_applications", ["client_id"], unique=True)


def downgrade() -> None:
    for table in (
        "exchange_applications",
        "agent_identities",
        "identity_uses",
        "issuer_audiences",
        "trusted_issuers",
    ):
        op.drop_table(table)
