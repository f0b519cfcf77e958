"""Rotations of tokens, and incidents."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_OPEN = sa.text("state = 'open'")


def _texts(*names: str, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=null) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True, nullable=False)


def _one_open(table: str, column: str) -> None:
    op.create_index(
        f"{table}_open",
        table,
        ["organization_id", column],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )


def upgrade() -> None:
    op.create_table(
        "rotations",
        _key("organization_id"),
        _key("successor_id"),
        *_texts("predecessor_id", "kind", "state", "cause"),
        *_numbers("started_at"),
        *_texts("started_by", null=True),
        *_texts("asker"),
        *_numbers("deadline", "first_used_at", "ended_at"),
        *_texts("ended_by", null=True),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "rotations_predecessor", "rotations", ["organization_id", "predecessor_id", "successor_id"]
    )
    _one_open("rotations", "predecessor_id")
    op.create_table(
        "incidents",
        _key("organization_id"),
        _key("id"),
        *_texts("kind", "state", "token_id"),
        *_texts("agent_id", null=True),
        *_texts("response"),
        *_numbers("shared"),
        *_texts("held", "addresses"),
        *_numbers("count", "first_at", "last_at", "closed_at"),
        *_texts("closed_by", null=True),
        *_texts("note"),
        sqlite_with_rowid=False,
    )
    op.create_index("incidents_token", "incidents", ["organization_id", "token_id", "id"])
    _one_open("incidents", "token_id")


def downgrade() -> None:
    op.drop_table("incidents")
    op.drop_table("rotations")
