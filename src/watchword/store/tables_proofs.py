"""Tables of passkeys, of identities at single sign-on, and of tickets that were used.

People belong to no organization: these tables are read by all and stay small.
"""

from sqlalchemy import Column, Index, LargeBinary, Table

from watchword.store.columns import bytes_column, metadata, number_column, text_column

passkeys = Table(
    "passkeys",
    metadata,
    text_column("user_id", key=True),
    text_column("id", key=True),
    Column("credential_id", LargeBinary, nullable=False, unique=True),
    bytes_column("public_key"),
    number_column("sign_count"),
    text_column("name"),
    text_column("transports"),
    number_column("backed_up"),
    number_column("created_at"),
    number_column("last_used_at"),
)
identities = Table(
    "identities",
    metadata,
    text_column("issuer", key=True),
    text_column("subject", key=True),
    text_column("user_id"),
    text_column("email"),
    number_column("created_at"),
    number_column("last_used_at"),
    Index("identities_user", "user_id"),
)
used_tickets = Table(
    "used_tickets",
    metadata,
    bytes_column("digest", key=True),
    number_column("expires_at"),
    Index("used_tickets_expiry", "expires_at"),
)
