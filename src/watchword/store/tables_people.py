"""Tables of people: how they sign in, their sessions and links, mail, and values that may be revealed.

People belong to no organization: these tables are read by all and stay small.
"""

from sqlalchemy import Column, Index, LargeBinary, Table, Text

from watchword.store.columns import (
    bytes_column,
    later_number_column,
    later_text_column,
    metadata,
    number_column,
    owned_table,
    text_column,
)

user_sign_ins = Table(
    "user_sign_ins",
    metadata,
    text_column("user_id", key=True),
    number_column("password_changed_at"),
    bytes_column("totp_secret"),
    number_column("totp_confirmed_at"),
    number_column("totp_last_step"),
    number_column("email_verified_at"),
    number_column("disabled_at"),
    later_number_column("passkeys"),
)
recovery_codes = Table(
    "recovery_codes",
    metadata,
    text_column("user_id", key=True),
    bytes_column("digest", key=True),
    number_column("created_at"),
    number_column("used_at"),
)
web_sessions = Table(
    "web_sessions",
    metadata,
    text_column("id", key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    text_column("user_id"),
    number_column("complete"),
    number_column("created_at"),
    number_column("seen_at"),
    number_column("expires_at"),
    number_column("escalated_at"),
    text_column("address"),
    text_column("user_agent"),
    number_column("ended_at"),
    text_column("ended_reason"),
    later_text_column("method"),
    Index("web_sessions_user", "user_id", "created_at"),
    Index("web_sessions_expiry", "expires_at"),
)
one_time_links = Table(
    "one_time_links",
    metadata,
    bytes_column("digest", key=True),
    text_column("purpose"),
    text_column("user_id", null=True),
    text_column("email"),
    number_column("created_at"),
    number_column("expires_at"),
    number_column("used_at"),
    Index("one_time_links_expiry", "expires_at"),
)
sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    text_column("key", key=True),
    number_column("failures"),
    number_column("last_at"),
    number_column("blocked_until"),
    Index("sign_in_attempts_last", "last_at"),
)
mails = Table(
    "mails",
    metadata,
    text_column("id", key=True),
    text_column("recipient"),
    text_column("subject"),
    bytes_column("body"),
    Column("dedupe_key", Text, nullable=False, unique=True),
    number_column("created_at"),
    number_column("due_at"),
    number_column("attempts"),
    number_column("sent_at"),
    number_column("failed_at"),
    text_column("error"),
    Index("mails_due", "due_at"),
    Index("mails_age", "created_at"),
)
sealed_values = owned_table(
    "sealed_values",
    text_column("token_id", key=True),
    text_column("kind"),
    bytes_column("sealed"),
    number_column("created_at"),
    number_column("expires_at"),
    Index("sealed_values_expiry", "expires_at"),
)
reveals = Table(
    "reveals",
    metadata,
    text_column("person", key=True),
    number_column("at", key=True),
    text_column("token_id", key=True),
)
