"""Stacks: controllers that start an agent for each job, what they reserved and what they say of jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("reserved_by", sa.Text, nullable=True))
    op.add_column("jobs", sa.Column("reserved_until", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("stack_error", sa.Text, nullable=False, server_default=""))
    for name, columns, text in (
        (
            "jobs_scheduled",
            ["organization_id", "queue_id", "runnable_at", "id"],
            "state = 'scheduled' AND queue_id IS NOT NULL",
        ),
        ("jobs_reserved", ["reserved_until"], "state = 'reserved'"),
    ):
        condition = sa.text(text)
        op.create_index(name, "jobs", columns, sqlite_where=condition, postgresql_where=condition)
    op.create_table(
        "stacks",
        sa.Column("organization_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("id", sa.Text, primary_key=True, nullable=False),
        sa.Column("cluster_id", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("queue_id", sa.Text, nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("registered_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("polled_at", sa.BigInteger, nullable=False),
        sa.Column("deregistered_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("stacks_key", "stacks", ["organization_id", "cluster_id", "key"], unique=True)
    op.create_table(
        "stack_notifications",
        sa.Column("organization_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("job_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("number", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("stack_id", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("stack_notifications")
    op.drop_table("stacks")
    for name in ("jobs_reserved", "jobs_scheduled"):
        op.drop_index(name, table_name="jobs")
    for name in ("stack_error", "reserved_until", "reserved_by"):
        op.drop_column("jobs", name)
