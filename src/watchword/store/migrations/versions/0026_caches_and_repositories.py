"""The index of caches, and where credentials for repositories come from."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def _text(name: str, *, key: bool = False, null: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, primary_key=key, nullable=null)


def _number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=False)


def upgrade() -> None:
    op.create_table(
        "cache_registries",
        _text("organization_id", key=True),
        _text("id", key=True),
        _text("cluster_id"),
        _text("slug"),
        _text("name"),
        _text("sharing"),
        _number("keep_days"),
        _number("created_at"),
        _text("created_by", null=True),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "cache_registries_slug", "cache_registries", ["organization_id", "cluster_id", "slug"], unique=True
    )
    op.create_table(
        "cache_entries",
        _text("organization_id", key=True),
        _text("id", key=True),
        _text("cluster_id"),
        _text("registry_id"),
        _text("scope"),
        _text("state"),
        _text("address"),
        _text("family"),
        _text("target_paths"),
        _text("cache_key"),
        _text("blobs"),
        _number("size"),
        _text("platform"),
        _text("pipeline_id"),
        _text("branch"),
        _text("job_id"),
        _number("created_at"),
        _number("used_at"),
        _number("expires_at"),
        sqlite_with_rowid=False,
    )
    for name, columns in (
        ("address", ["organization_id", "registry_id", "address", "scope", "id"]),
        ("family", ["organization_id", "registry_id", "family", "scope", "id"]),
        ("cluster", ["organization_id", "cluster_id", "size"]),
        ("expiry", ["expires_at"]),
    ):
        op.create_index(f"cache_entries_{name}", "cache_entries", columns)
    op.create_table(
        "repository_credentials",
        _text("organization_id", key=True),
        _text("id", key=True),
        _text("cluster_id"),
        _text("pattern"),
        _text("also"),
        _text("source"),
        _text("secret_key"),
        _text("app_id"),
        _text("installation_id"),
        _text("api_url"),
        _text("permissions"),
        _text("policy"),
        _text("description"),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        _number("created_at"),
        _text("created_by", null=True),
        _number("updated_at"),
        _number("last_used_at"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "repository_credentials_pattern",
        "repository_credentials",
        ["organization_id", "cluster_id", "pattern"],
        unique=True,
    )
    op.add_column(
        "clusters", sa.Column("repository_credentials", sa.BigInteger, nullable=False, server_default="0")
    )


def downgrade() -> None:
    op.drop_column("clusters", "repository_credentials")
    op.drop_table("repository_credentials")
    op.drop_table("cache_entries")
    op.drop_table("cache_registries")
