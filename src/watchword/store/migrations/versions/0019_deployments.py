"""Deployments of Dagster+, what agent tokens and people may do in them, and numbers that clients know."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_KEPT = sa.text("deleted_at = 0")


def _texts(*names: str, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=null) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True, nullable=False)


def upgrade() -> None:
    op.create_table(
        "dagster_organizations",
        _key("organization_id"),
        *_texts("settings"),
        *_numbers("began_at", "updated_at"),
    )
    op.create_table(
        "deployments",
        _key("organization_id"),
        _key("id"),
        *_numbers("number"),
        *_texts("name", "kind"),
        *_texts("base_id", null=True),
        *_texts("settings", "branch"),
        *_numbers("created_at"),
        *_texts("created_by", null=True),
        *_numbers("updated_at", "deleted_at"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "deployments_name",
        "deployments",
        ["organization_id", "name"],
        unique=True,
        sqlite_where=_KEPT,
        postgresql_where=_KEPT,
    )
    op.create_index("deployments_number", "deployments", ["organization_id", "number"], unique=True)
    op.create_table(
        "deployment_grants",
        *(_key(name) for name in ("organization_id", "token_id", "scope", "deployment_id")),
        *_numbers("granted_at"),
        *_texts("granted_by", null=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "deployment_roles",
        *(_key(name) for name in ("organization_id", "user_id", "deployment_id")),
        *_texts("role"),
        *_numbers("granted_at"),
        *_texts("granted_by", null=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "client_numbers",
        _key("organization_id"),
        _key("noun"),
        sa.Column("number", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False),
        *_texts("id"),
        sqlite_with_rowid=False,
    )
    op.create_index("client_numbers_id", "client_numbers", ["organization_id", "noun", "id"], unique=True)


def downgrade() -> None:
    for table in (
        "client_numbers",
        "deployment_roles",
        "deployment_grants",
        "deployments",
        "dagster_organizations",
    ):
        op.drop_table(table)
