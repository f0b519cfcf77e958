"""Package registries, the packages in them and their files."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_KEPT = sa.text("deleted_at = 0")
_DOOMED = sa.text("deleted_at > 0 AND purged_at = 0")


def _texts(*names: str, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=null) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _keys(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in names]


def _kept_index(name: str, table: str, columns: list[str], *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=_KEPT, postgresql_where=_KEPT)


def upgrade() -> None:
    op.create_table(
        "registries",
        *_keys("organization_id", "id"),
        *_texts("slug", "name", "ecosystem", "description", "emoji", "color"),
        *_numbers("public"),
        *_texts("oidc_policy", "team_ids"),
        *_numbers("size", "created_at"),
        *_texts("created_by", null=True),
        *_numbers("updated_at", "deleted_at"),
        sqlite_with_rowid=False,
    )
    _kept_index("registries_slug", "registries", ["organization_id", "slug"], unique=True)
    op.create_table(
        "packages",
        *_keys("organization_id", "id"),
        *_texts("registry_id", "name", "project", "version", "summary"),
        *_numbers("created_at"),
        *_texts("created_by", null=True),
        *_numbers("deleted_at"),
        sqlite_with_rowid=False,
    )
    inside = ["organization_id", "registry_id"]
    _kept_index("packages_version", "packages", [*inside, "project", "version"], unique=True)
    _kept_index("packages_listed", "packages", [*inside, "id"])
    op.create_table(
        "package_files",
        *_keys("organization_id", "id"),
        *_texts("registry_id", "package_id", "project", "filename"),
        *_numbers("size"),
        *_texts("sha256", "requires_python"),
        *_numbers("created_at"),
        *_texts("token_id"),
        *_numbers("deleted_at", "purged_at"),
        sqlite_with_rowid=False,
    )
    op.create_index("package_files_name", "package_files", [*inside, "filename"], unique=True)
    _kept_index("package_files_project", "package_files", [*inside, "project", "filename"])
    op.create_index("package_files_package", "package_files", ["organization_id", "package_id"])
    op.create_index(
        "package_files_doomed",
        "package_files",
        ["deleted_at"],
        sqlite_where=_DOOMED,
        postgresql_where=_DOOMED,
    )


def downgrade() -> None:
    for table in ("package_files", "packages", "registries"):
        op.drop_table(table)
