"""Code locations, work for Dagster agents, and these agents."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def _texts(*names: str, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=null) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True, nullable=False)


def upgrade() -> None:
    op.create_table(
        "code_locations",
        *(_key(name) for name in ("organization_id", "deployment_id", "name")),
        *_texts("document", "queue"),
        *_numbers("outdated"),
        *_texts("state", "error", "manifest"),
        *_numbers("metadata_at", "loaded_at", "created_at"),
        *_texts("created_by", null=True),
        *_numbers("updated_at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "work_items",
        *(_key(name) for name in ("organization_id", "id")),
        *_texts("deployment_id"),
        *_numbers("branch"),
        *_texts("queue", "api", "arguments", "state"),
        *_numbers("created_at", "expires_at", "taken_at"),
        *_texts("taken_by", null=True),
        *_texts("answer"),
        *_numbers("answered_at"),
        sqlite_with_rowid=False,
    )
    op.create_index("work_items_waiting", "work_items", ["organization_id", "deployment_id", "state", "id"])
    op.create_index("work_items_old", "work_items", ["created_at"])
    op.create_table(
        "dagster_agents",
        *(_key(name) for name in ("organization_id", "id")),
        *_texts("token_id", "label", "type", "deployments", "queues", "facts", "errors"),
        *_numbers("first_at", "seen_at"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for table in ("dagster_agents", "work_items", "code_locations"):
        op.drop_table(table)
