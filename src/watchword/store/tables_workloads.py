"""Tables of trusted issuers, of the identity tokens that were used, and of agents' identities."""

from sqlalchemy import Index, Table

from watchword.store.columns import metadata, number_column, owned_table, text_column

trusted_issuers = owned_table(
    "trusted_issuers",
    text_column("id", key=True),
    text_column("cluster_id"),
    text_column("token_id"),
    text_column("name"),
    text_column("issuer"),
    text_column("preset"),
    text_column("terms"),
    number_column("created_at"),
    text_column("created_by", null=True),
    number_column("updated_at"),
    Index("trusted_issuers_issuer", "issuer", "id"),
)
# Which organization an issuer's tokens of an audience are for: the first that asked, for good.
issuer_audiences = Table(
    "issuer_audiences",
    metadata,
    text_column("issuer", key=True),
    text_column("audience", key=True),
    text_column("organization_id"),
    number_column("taken_at"),
    sqlite_with_rowid=False,
)
identity_uses = owned_table(
    "identity_uses",
    text_column("digest", key=True),
    text_column("holder"),
    number_column("uses"),
    number_column("first_at"),
    number_column("expires_at"),
    Index("identity_uses_expiry", "expires_at"),
)
agent_identities = owned_table(
    "agent_identities",
    text_column("agent_id", key=True),
    text_column("issuer_id"),
    text_column("issuer"),
    text_column("subject"),
    text_column("digest"),
    text_column("claims"),
    number_column("created_at"),
)
