"""Keeping the house: when a job's log was deleted, and indexes that find what is due."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# All but the one of open builds hold what has ended and is still kept: work under way never touches them.
_INDEXES = (
    ("agents_age", "agents", "ended_at", "ended_at > 0"),
    ("builds_open", "builds", "organization_id", "finished_at = 0"),
    ("builds_age", "builds", "finished_at", "finished_at > 0"),
    ("jobs_log_age", "jobs", "finished_at", "log_size > 0 AND log_ended_at IS NULL AND finished_at > 0"),
    ("artifacts_age", "artifacts", "created_at", "state <> 'deleted' AND state <> 'expired'"),
)


def upgrade() -> None:
    op.add_column("jobs", sa.Column("log_ended_at", sa.BigInteger(), nullable=True))
    for name, table, column, condition in _INDEXES:
        where = sa.text(condition)
        op.create_index(name, table, [column], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name, table, _, _ in _INDEXES:
        op.drop_index(name, table)
    op.drop_column("jobs", "log_ended_at")
