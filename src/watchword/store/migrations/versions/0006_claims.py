"""Claims: jobs that wait, in the order in which they are taken."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "jobs_waiting",
        "jobs",
        ["organization_id", "queue_id", "rules", sa.text("priority DESC"), "runnable_at", "id"],
        sqlite_where=sa.text("state = 'scheduled'"),
        postgresql_where=sa.text("state = 'scheduled'"),
    )


def downgrade() -> None:
    op.drop_index("jobs_waiting", "jobs")
