"""What the tokens of jobs may do, and what jobs of organizations and pipelines may do beyond themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("rights", sa.Text, nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("agent_rights", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "job_policies",
        sa.Column("organization_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("pipeline_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("cross_job_writes", sa.BigInteger, nullable=False),
        sa.Column("identity", sa.BigInteger, nullable=False),
        sa.Column("audiences", sa.Text, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("updated_by", sa.Text, nullable=True),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("job_policies")
    op.drop_column("jobs", "agent_rights")
    op.drop_column("jobs", "rights")
