"""Table of where credentials for repositories come from: a secret, or an App of a code host."""

from sqlalchemy import Index

from watchword.store.columns import bytes_column, number_column, owned_table, text_column

repository_credentials = owned_table(
    "repository_credentials",
    text_column("id", key=True),
    text_column("cluster_id"),
    text_column("pattern"),
    text_column("also"),
    text_column("source"),
    text_column("secret_key"),
    text_column("app_id"),
    text_column("installation_id"),
    text_column("api_url"),
    text_column("permissions"),
    text_column("policy"),
    text_column("description"),
    bytes_column("sealed"),
    number_column("created_at"),
    text_column("created_by", null=True),
    number_column("updated_at"),
    number_column("last_used_at"),
    Index("repository_credentials_pattern", "organization_id", "cluster_id", "pattern", unique=True),
)
