"""Table of cluster secrets: the value sealed, everything else readable."""

from sqlalchemy import Index

from watchword.store.columns import bytes_column, number_column, owned_table, text_column

secrets = owned_table(
    "secrets",
    text_column("id", key=True),
    text_column("cluster_id"),
    text_column("key"),
    text_column("description"),
    text_column("policy"),
    bytes_column("sealed"),
    number_column("created_at"),
    text_column("created_by", null=True),
    number_column("updated_at"),
    text_column("updated_by", null=True),
    number_column("last_read_at"),
    Index("secrets_key", "organization_id", "cluster_id", "key", unique=True),
)
