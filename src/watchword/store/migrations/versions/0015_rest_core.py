"""Cluster secrets, queues' affinity, archived pipelines, and when an agent's last job ended."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def _texts(*names: str, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=null) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "secrets",
        sa.Column("organization_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("id", sa.Text, primary_key=True, nullable=False),
        *_texts("cluster_id", "key", "description", "policy"),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        *_numbers("created_at"),
        *_texts("created_by", null=True),
        *_numbers("updated_at"),
        *_texts("updated_by", null=True),
        *_numbers("last_read_at"),
        sqlite_with_rowid=False,
    )
    op.create_index("secrets_key", "secrets", ["organization_id", "cluster_id", "key"], unique=True)
    op.add_column(
        "queues",
        sa.Column("retry_agent_affinity", sa.Text, nullable=False, server_default="prefer-warmest"),
    )
    op.add_column("jobs", sa.Column("avoided_agent_id", sa.Text, nullable=True))
    op.add_column("agents", sa.Column("last_job_ended_at", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("pipelines", sa.Column("archived_at", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("pipelines", sa.Column("deleted_at", sa.BigInteger, nullable=True))
    op.add_column("jobs", sa.Column("promised_at", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("pipelines", sa.Column("tags", sa.Text, nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("pipelines", "tags")
    op.drop_column("jobs", "promised_at")
    op.drop_column("pipelines", "deleted_at")
    op.drop_column("pipelines", "archived_at")
    op.drop_column("agents", "last_job_ended_at")
    op.drop_column("jobs", "avoided_agent_id")
    op.drop_column("queues", "retry_agent_affinity")
    op.drop_table("secrets")
