"""OAuth: applications, codes that are under way, and connected applications."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def _text(name: str, *, key: bool = False, null: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, primary_key=key, nullable=null)


def _number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=False, autoincrement=False)


def _bytes(name: str, *, key: bool = False) -> "sa.Column[bytes]":
    return sa.Column(name, sa.LargeBinary, primary_key=key, nullable=False)


def upgrade() -> None:
    op.create_table(
        "oauth_applications",
        _text("organization_id", key=True),
        _text("id", key=True),
        _text("client_id"),
        _text("name"),
        _text("redirect_uris"),
        _number("confidential"),
        _bytes("secret_digest"),
        _text("flows"),
        _text("scopes"),
        _number("token_seconds"),
        _number("refresh"),
        _number("created_at"),
        _text("created_by", null=True),
        _number("updated_at"),
        _number("ended_at"),
        sqlite_with_rowid=False,
    )
    op.create_index("oauth_applications_client", "oauth_applications", ["client_id"], unique=True)
    op.create_table(
        "oauth_codes",
        _bytes("digest", key=True),
        *(
            _text(name)
            for name in (
                "organization_id",
                "user_id",
                "client_id",
                "redirect_uri",
                "challenge",
                "scopes",
                "grant_id",
                "address",
                "user_agent",
            )
        ),
        _number("created_at"),
        _number("expires_at"),
        _number("used_at"),
    )
    op.create_index("oauth_codes_expiry", "oauth_codes", ["expires_at"])
    op.create_table(
        "oauth_device_codes",
        _bytes("digest", key=True),
        _bytes("user_digest"),
        *(_text(name) for name in ("client_id", "scopes", "address", "user_agent")),
        *(_number(name) for name in ("wait_seconds", "polled_at", "created_at", "expires_at")),
        *(_text(name, null=True) for name in ("organization_id", "user_id", "grant_id")),
        *(_number(name) for name in ("approved_at", "denied_at", "used_at")),
    )
    op.create_index("oauth_device_codes_user", "oauth_device_codes", ["user_digest"], unique=True)
    op.create_index("oauth_device_codes_expiry", "oauth_device_codes", ["expires_at"])
    op.create_table(
        "oauth_grants",
        _text("organization_id", key=True),
        _text("id", key=True),
        *(
            _text(name)
            for name in ("client_id", "name", "user_id", "scopes", "flow", "address", "user_agent")
        ),
        _number("granted_at"),
        _number("refreshed_at"),
        _text("access_id", null=True),
        _text("refresh_id", null=True),
        _number("ended_at"),
        _text("ended_by", null=True),
        _text("ended_reason"),
        sqlite_with_rowid=False,
    )
    op.create_index("oauth_grants_user", "oauth_grants", ["user_id", "ended_at", "id"])
    op.create_index("oauth_grants_client", "oauth_grants", ["organization_id", "client_id", "ended_at", "id"])


def downgrade() -> None:
    op.drop_table("oauth_grants")
    op.drop_table("oauth_device_codes")
    op.drop_table("oauth_codes")
    op.drop_table("oauth_applications")
