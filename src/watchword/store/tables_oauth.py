"""Tables of OAuth: applications, codes that are under way, and connected applications.

Codes are looked up before it is known whose they are, so that they are keyed by their digests.
"""

from sqlalchemy import Index, Table

from watchword.store.columns import bytes_column, metadata, number_column, owned_table, text_column

oauth_applications = owned_table(
    "oauth_applications",
    text_column("id", key=True),
    text_column("client_id"),
    text_column("name"),
    text_column("redirect_uris"),
    number_column("confidential"),
    bytes_column("secret_digest"),
    text_column("flows"),
    text_column("scopes"),
    number_column("token_seconds"),
    number_column("refresh"),
    number_column("created_at"),
    text_column("created_by", null=True),
    number_column("updated_at"),
    number_column("ended_at"),
    Index("oauth_applications_client", "client_id", unique=True),
)
oauth_codes = Table(
    "oauth_codes",
    metadata,
    bytes_column("digest", key=True),
    text_column("organization_id"),
    text_column("user_id"),
    text_column("client_id"),
    text_column("redirect_uri"),
    text_column("challenge"),
    text_column("scopes"),
    text_column("grant_id"),
    text_column("address"),
    text_column("user_agent"),
    number_column("created_at"),
    number_column("expires_at"),
    number_column("used_at"),
    Index("oauth_codes_expiry", "expires_at"),
)
oauth_device_codes = Table(
    "oauth_device_codes",
    metadata,
    bytes_column("digest", key=True),
    bytes_column("user_digest"),
    text_column("client_id"),
    text_column("scopes"),
    text_column("address"),
    text_column("user_agent"),
    number_column("wait_seconds"),
    number_column("polled_at"),
    number_column("created_at"),
    number_column("expires_at"),
    text_column("organization_id", null=True),
    text_column("user_id", null=True),
    text_column("grant_id", null=True),
    number_column("approved_at"),
    number_column("denied_at"),
    number_column("used_at"),
    Index("oauth_device_codes_user", "user_digest", unique=True),
    Index("oauth_device_codes_expiry", "expires_at"),
)
oauth_grants = owned_table(
    "oauth_grants",
    text_column("id", key=True),
    text_column("client_id"),
    text_column("name"),
    text_column("user_id"),
    text_column("scopes"),
    text_column("flow"),
    text_column("address"),
    text_column("user_agent"),
    number_column("granted_at"),
    number_column("refreshed_at"),
    text_column("access_id", null=True),
    text_column("refresh_id", null=True),
    number_column("ended_at"),
    text_column("ended_by", null=True),
    text_column("ended_reason"),
    Index("oauth_grants_user", "user_id", "ended_at", "id"),
    Index("oauth_grants_client", "organization_id", "client_id", "ended_at", "id"),
)
