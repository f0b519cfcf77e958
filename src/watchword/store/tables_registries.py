"""Tables of package registries, of the packages in them and of their files."""

from sqlalchemy import Index, text

from watchword.store.columns import number_column, owned_table, text_column

KEPT = text("deleted_at = 0")
# Files whose bytes are still to go.
DOOMED = text("deleted_at > 0 AND purged_at = 0")

registries = owned_table(
    "registries",
    text_column("id", key=True),
    text_column("slug"),
    text_column("name"),
    text_column("ecosystem"),
    text_column("description"),
    text_column("emoji"),
    text_column("color"),
    number_column("public"),
    text_column("oidc_policy"),
    text_column("team_ids"),
    number_column("size"),
    number_column("created_at"),
    text_column("created_by", null=True),
    number_column("updated_at"),
    number_column("deleted_at"),
    Index(
        "registries_slug",
        "organization_id",
        "slug",
        unique=True,
        sqlite_where=KEPT,
        postgresql_where=KEPT,
    ),
)
packages = owned_table(
    "packages",
    text_column("id", key=True),
    text_column("registry_id"),
    text_column("name"),
    text_column("project"),
    text_column("version"),
    text_column("summary"),
    number_column("created_at"),
    text_column("created_by", null=True),
    number_column("deleted_at"),
    Index(
        "packages_version",
        "organization_id",
        "registry_id",
        "project",
        "version",
        unique=True,
        sqlite_where=KEPT,
        postgresql_where=KEPT,
    ),
    Index(
        "packages_listed",
        "organization_id",
        "registry_id",
        "id",
        sqlite_where=KEPT,
        postgresql_where=KEPT,
    ),
)
package_files = owned_table(
    "package_files",
    text_column("id", key=True),
    text_column("registry_id"),
    text_column("package_id"),
    text_column("project"),
    text_column("filename"),
    number_column("size"),
    text_column("sha256"),
    text_column("requires_python"),
    number_column("created_at"),
    text_column("token_id"),
    number_column("deleted_at"),
    number_column("purged_at"),
    # Deleted ones too: a name is never given to other bytes.
    Index("package_files_name", "organization_id", "registry_id", "filename", unique=True),
    Index(
        "package_files_project",
        "organization_id",
        "registry_id",
        "project",
        "filename",
        sqlite_where=KEPT,
        postgresql_where=KEPT,
    ),
    Index("package_files_package", "organization_id", "package_id"),
    Index("package_files_doomed", "deleted_at", sqlite_where=DOOMED, postgresql_where=DOOMED),
)
