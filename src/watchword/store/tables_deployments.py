"""Tables of deployments, of what agent tokens and people may do in them, and of numbers that clients know."""

from sqlalchemy import Index, Table, text

from watchword.store.columns import metadata, number_column, owned_table, text_column

_KEPT = text("deleted_at = 0")

dagster_organizations = Table(
    "dagster_organizations",
    metadata,
    text_column("organization_id", key=True),
    text_column("settings"),
    number_column("began_at"),
    number_column("updated_at"),
)
deployments = owned_table(
    "deployments",
    text_column("id", key=True),
    number_column("number"),
    text_column("name"),
    text_column("kind"),
    text_column("base_id", null=True),
    text_column("settings"),
    text_column("branch"),
    number_column("created_at"),
    text_column("created_by", null=True),
    number_column("updated_at"),
    number_column("deleted_at"),
    Index(
        "deployments_name",
        "organization_id",
        "name",
        unique=True,
        sqlite_where=_KEPT,
        postgresql_where=_KEPT,
    ),
    Index("deployments_number", "organization_id", "number", unique=True),
)
deployment_grants = owned_table(
    "deployment_grants",
    text_column("token_id", key=True),
    text_column("scope", key=True),
    text_column("deployment_id", key=True),
    number_column("granted_at"),
    text_column("granted_by", null=True),
)
deployment_roles = owned_table(
    "deployment_roles",
    text_column("user_id", key=True),
    text_column("deployment_id", key=True),
    text_column("role"),
    number_column("granted_at"),
    text_column("granted_by", null=True),
)
# Clients name tokens and people by whole numbers (contract dagster-agents-api §10).
client_numbers = owned_table(
    "client_numbers",
    text_column("noun", key=True),
    number_column("number", key=True),
    text_column("id"),
    Index("client_numbers_id", "organization_id", "noun", "id", unique=True),
)
