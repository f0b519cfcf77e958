"""Steps of builds: dependencies, retries, concurrency, uploads, time-outs of pipelines."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PIPELINES = (
    ("description", ""),
    ("env", "{}"),
    ("default_timeout_minutes", "0"),
    ("maximum_timeout_minutes", "0"),
    ("document", ""),
)
BUILDS = (
    ("blocked_state", ""),
    ("tag", ""),
    ("author", "{}"),
    ("pull_request", "{}"),
    ("rebuilt_from", None),
    ("canceled_at", "0"),
    ("cancel_reason", ""),
)
JOBS = (
    ("step_id", None),
    ("parallel_index", "0"),
    ("parallel_total", "0"),
    ("matrix", "{}"),
    ("retries", "0"),
    ("retried_in", None),
    ("retry_source", None),
    ("retry_type", ""),
    ("soft_failed", "0"),
    ("concurrency_group", ""),
    ("concurrency_limit", "0"),
    ("concurrency_ordered", "1"),
)
_OPEN_GROUP = sa.text("concurrency_group <> '' AND finished_at = 0")
_UNBLOCKED = sa.text("unblocked_at > 0")
_PENDING = sa.text("state = 'pending'")


def _column(name: str, default: str | None) -> sa.Column[object]:
    """A column for rows that are there already: text, or a whole number where the default is one."""
    if default is None:
        return sa.Column(name, sa.Text(), nullable=True)
    kind = sa.BigInteger if default.isdecimal() else sa.Text
    return sa.Column(name, kind(), nullable=False, server_default=default)


def upgrade() -> None:
    for table, columns in (("pipelines", PIPELINES), ("builds", BUILDS), ("jobs", JOBS)):
        for name, default in columns:
            op.add_column(table, _column(name, default))
    op.create_index(
        "jobs_group",
        "jobs",
        ["organization_id", "concurrency_group", "id"],
        sqlite_where=_OPEN_GROUP,
        postgresql_where=_OPEN_GROUP,
    )
    op.create_table(
        "steps",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("build_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("group_id", sa.Text(), nullable=True),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("uploaded_by", sa.Text(), nullable=True),
        sa.Column("unblocked_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("unblocked_by", sa.Text(), nullable=True),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("edits", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index("steps_build", "steps", ["organization_id", "build_id", "position"])
    op.create_index(
        "steps_unblocked",
        "steps",
        ["organization_id", "build_id", "position"],
        sqlite_where=_UNBLOCKED,
        postgresql_where=_UNBLOCKED,
    )
    op.create_table(
        "pipeline_uploads",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("replace", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "job_id", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "pipeline_uploads_open",
        "pipeline_uploads",
        ["organization_id", "id"],
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )


def downgrade() -> None:
    op.drop_table("pipeline_uploads")
    op.drop_table("steps")
    op.drop_index("jobs_group", table_name="jobs")
    for table, columns in (("pipelines", PIPELINES), ("builds", BUILDS), ("jobs", JOBS)):
        for name, _ in columns:
            op.drop_column(table, name)
