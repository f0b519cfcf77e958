"""Runs of Dagster jobs, their events, and what agents put into the object store."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True, nullable=False)


def upgrade() -> None:
    op.create_table(
        "dagster_runs",
        *(_key(name) for name in ("organization_id", "deployment_id", "id")),
        *_numbers("number"),
        *_texts("location", "repository", "job", "status", "document", "tags"),
        *_numbers("created_at", "updated_at", "started_at", "ended_at"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "dagster_runs_number", "dagster_runs", ["organization_id", "deployment_id", "number"], unique=True
    )
    op.create_index("dagster_runs_old", "dagster_runs", ["created_at"])
    op.create_table(
        "dagster_events",
        *(_key(name) for name in ("organization_id", "deployment_id", "run_id")),
        sa.Column("number", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False),
        *_texts("type", "step"),
        *_numbers("at"),
        *_texts("document"),
        sqlite_with_rowid=False,
    )
    op.create_index("dagster_events_old", "dagster_events", ["at"])
    op.create_table(
        "dagster_uploads",
        *(_key(name) for name in ("organization_id", "id")),
        *_texts("deployment_id", "kind", "name", "format"),
        *_numbers("size"),
        *_texts("state"),
        *_numbers("stored", "created_at", "filled_at"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "dagster_uploads_name",
        "dagster_uploads",
        ["organization_id", "deployment_id", "kind", "name", "state"],
    )
    op.create_index("dagster_uploads_open", "dagster_uploads", ["state", "created_at"])


def downgrade() -> None:
    for table in ("dagster_uploads", "dagster_events", "dagster_runs"):
        op.drop_table(table)
