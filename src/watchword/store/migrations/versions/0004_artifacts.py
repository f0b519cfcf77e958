"""Artifacts."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TEXTS = ("path", "absolute_path", "glob_path", "content_type")
_MORE = ("sha1", "sha256", "upload_destination", "url")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "artifacts",
        sa.Column("organization_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("id", sa.Text, primary_key=True, nullable=False),
        *_texts("build_id", "job_id", "batch_id"),
        *_numbers("place"),
        *_texts(*_TEXTS),
        *_numbers("size"),
        *_texts(*_MORE),
        *_numbers("parts"),
        *_texts("state"),
        *_numbers("created_at", "ended_at"),
        sqlite_with_rowid=False,
    )
    batch = ["organization_id", "job_id", "batch_id", "place"]
    op.create_index("artifacts_batch", "artifacts", batch, unique=True)
    op.create_index("artifacts_build", "artifacts", ["organization_id", "build_id", "id"])


def downgrade() -> None:
    op.drop_table("artifacts")
