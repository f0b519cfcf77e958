"""What a token belongs to besides its cluster and its person: a portal, a registry, an application."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tokens", sa.Column("resource_id", sa.Text, nullable=True))
    belonging = sa.text("resource_id IS NOT NULL")
    op.create_index(
        "tokens_resource",
        "tokens",
        ["organization_id", "resource_id", "id"],
        sqlite_where=belonging,
        postgresql_where=belonging,
    )


def downgrade() -> None:
    op.drop_index("tokens_resource", table_name="tokens")
    op.drop_column("tokens", "resource_id")
