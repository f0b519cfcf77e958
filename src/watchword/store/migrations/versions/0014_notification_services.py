"""Notification services and their deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_PENDING = sa.text("state = 'pending'")


def _keys(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in names]


def _texts(*names: str, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=null) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "notification_services",
        *_keys("organization_id", "id"),
        *_texts("provider", "description"),
        *_numbers("enabled"),
        *_texts("scope", "scope_uuids", "branch_configuration", "build_states", "settings"),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        *_numbers("created_at"),
        *_texts("created_by", null=True),
        *_numbers("updated_at", "broken_at", "failing_since", "failures", "retry_at", "dropped"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "deliveries",
        *_keys("organization_id", "service_id", "id"),
        *_texts("event", "body", "state"),
        *_numbers("created_at", "queued_at", "next_at", "attempts", "attempted_at", "duration"),
        *_texts("url", "request"),
        *_numbers("status"),
        *_texts("answer"),
        sa.Column("answer_body", sa.LargeBinary, nullable=False),
        *_texts("error"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "deliveries_pending",
        "deliveries",
        ["organization_id", "service_id", "id", "next_at"],
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )


def downgrade() -> None:
    op.drop_table("deliveries")
    op.drop_table("notification_services")
