"""Tables of security policies and of the organizations that API access tokens reach."""

from sqlalchemy import Index, Table

from watchword.store.columns import (
    metadata,
    number_column,
    owned_table,
    text_column,
)

security_policies = Table(
    "security_policies",
    metadata,
    text_column("organization_id", key=True),
    text_column("allowed_networks"),
    number_column("revoke_inactive_after_days"),
    number_column("restrict_api_token_creation"),
    number_column("require_two_factor"),
    text_column("revealable"),
    text_column("reuse_response"),
    number_column("maximum_api_token_days"),
    number_column("updated_at"),
    text_column("updated_by", null=True),
)
token_grants = owned_table(
    "token_grants",
    text_column("token_id", key=True),
    text_column("home_id"),
    number_column("granted_at"),
    text_column("granted_by", null=True),
    number_column("ended_at"),
    text_column("ended_by", null=True),
    Index("token_grants_token", "token_id"),
)
