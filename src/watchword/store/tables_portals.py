"""Tables of portals, and of the codes by which programs ask members for tokens."""

from sqlalchemy import Index

from watchword.store.columns import bytes_column, number_column, owned_table, text_column

portals = owned_table(
    "portals",
    text_column("id", key=True),
    text_column("slug"),
    text_column("name"),
    text_column("description"),
    text_column("query"),
    text_column("allowed_networks"),
    number_column("user_invokable"),
    number_column("created_at"),
    text_column("created_by", null=True),
    number_column("updated_at"),
    Index("portals_slug", "organization_id", "slug", unique=True),
)
portal_codes = owned_table(
    "portal_codes",
    text_column("portal_id", key=True),
    bytes_column("digest", key=True),
    bytes_column("secret_digest"),
    number_column("created_at"),
    number_column("expires_at"),
    text_column("address"),
    text_column("client"),
    text_column("decided_by", null=True),
    number_column("approved_at"),
    number_column("denied_at"),
    number_column("used_at"),
    Index("portal_codes_expiry", "expires_at"),
)
