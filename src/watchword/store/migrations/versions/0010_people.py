"""Sign-in of people: sessions, second factors, one-time links, mail; values that may be revealed."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def _text(name: str, *, null: bool = False, unique: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null, unique=unique)


def _bytes(name: str, *, unique: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False, unique=unique)


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _key(name: str, kind: Any = sa.Text) -> sa.Column[Any]:  # noqa: ANN401 - a type, or its class
    return sa.Column(name, kind, primary_key=True, nullable=False, autoincrement=False)


def _people() -> None:
    op.create_table(
        "user_sign_ins",
        _key("user_id"),
        *_numbers("password_changed_at"),
        _bytes("totp_secret"),
        *_numbers("totp_confirmed_at", "totp_last_step", "email_verified_at", "disabled_at"),
    )
    op.create_table(
        "recovery_codes", _key("user_id"), _key("digest", sa.LargeBinary), *_numbers("created_at", "used_at")
    )
    op.create_table(
        "web_sessions",
        _key("id"),
        _bytes("digest", unique=True),
        _text("user_id"),
        *_numbers("complete", "created_at", "seen_at", "expires_at", "escalated_at"),
        _text("address"),
        _text("user_agent"),
        *_numbers("ended_at"),
        _text("ended_reason"),
    )
    op.create_index("web_sessions_user", "web_sessions", ["user_id", "created_at"])
    op.create_index("web_sessions_expiry", "web_sessions", ["expires_at"])
    op.create_table(
        "one_time_links",
        _key("digest", sa.LargeBinary),
        _text("purpose"),
        _text("user_id", null=True),
        _text("email"),
        *_numbers("created_at", "expires_at", "used_at"),
    )
    op.create_index("one_time_links_expiry", "one_time_links", ["expires_at"])
    op.create_table("sign_in_attempts", _key("key"), *_numbers("failures", "last_at", "blocked_until"))
    op.create_index("sign_in_attempts_last", "sign_in_attempts", ["last_at"])


def upgrade() -> None:
    _people()
    op.create_table(
        "mails",
        _key("id"),
        _text("recipient"),
        _text("subject"),
        _bytes("body"),
        _text("dedupe_key", unique=True),
        *_numbers("created_at", "due_at", "attempts", "sent_at", "failed_at"),
        _text("error"),
    )
    op.create_index("mails_due", "mails", ["due_at"])
    op.create_index("mails_age", "mails", ["created_at"])
    op.create_table(
        "sealed_values",
        _key("organization_id"),
        _key("token_id"),
        _text("kind"),
        _bytes("sealed"),
        *_numbers("created_at", "expires_at"),
        sqlite_with_rowid=False,
    )
    op.create_index("sealed_values_expiry", "sealed_values", ["expires_at"])
    op.create_table("reveals", _key("person"), _key("at", sa.BigInteger), _key("token_id"))


def downgrade() -> None:
    for name in (
        "reveals",
        "sealed_values",
        "mails",
        "sign_in_attempts",
        "one_time_links",
        "web_sessions",
        "recovery_codes",
        "user_sign_ins",
    ):
        op.drop_table(name)
