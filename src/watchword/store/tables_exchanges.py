"""Table of the applications that exchange assertions for tokens of people."""

from sqlalchemy import Index

from watchword.store.columns import number_column, owned_table, text_column

exchange_applications = owned_table(
    "exchange_applications",
    text_column("id", key=True),
    text_column("client_id"),
    text_column("name"),
    text_column("description"),
    text_column("jwks_url"),
    text_column("jwks"),
    text_column("grantable"),
    text_column("defaults"),
    text_column("exchange_networks"),
    text_column("use_networks"),
    number_column("max_ttl"),
    number_column("require_jti"),
    number_column("enabled"),
    number_column("created_at"),
    text_column("created_by", null=True),
    number_column("updated_at"),
    number_column("ended_at"),
    Index("exchange_applications_client", "client_id", unique=True),
)
