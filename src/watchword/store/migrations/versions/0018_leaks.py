"""Leaks: cases, the places where values were seen, reports, policies."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def _texts(*names: str, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=null) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True, nullable=False)


def _partial(name: str, columns: list[str], where: str) -> None:
    clause = sa.text(where)
    op.create_index(name, "leaks", columns, sqlite_where=clause, postgresql_where=clause)


def upgrade() -> None:
    op.create_table(
        "leaks",
        _key("organization_id"),
        _key("id"),
        *_texts("token_id", "kind", "state", "visibility", "evidence", "response", "outcome", "failure"),
        *_texts("reporter"),
        *_numbers("count", "exposed_at", "first_at", "last_at", "held_until", "acted_at"),
        *_texts("acted_by", null=True),
        *_numbers("closed_at"),
        *_texts("closed_by", null=True),
        *_texts("note"),
        *_numbers("telling", "drill"),
        sa.Column("handover", sa.LargeBinary, nullable=False),
        *_numbers("revision"),
        sqlite_with_rowid=False,
    )
    op.create_index("leaks_token", "leaks", ["organization_id", "token_id"], unique=True)
    _partial("leaks_telling", ["first_at"], "telling = 1")
    _partial("leaks_held", ["held_until"], "state = 'held'")
    _partial("leaks_quarantined", ["id"], "outcome = 'quarantined'")
    _partial("leaks_acted", ["reporter", "acted_at"], "acted_at > 0")
    op.create_table(
        "leak_sightings",
        _key("organization_id"),
        _key("leak_id"),
        _key("key"),
        *_texts("reporter", "url", "place", "visibility", "evidence", "report"),
        *_numbers("exposed_at", "first_at", "last_at", "count"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "leak_policies",
        _key("organization_id"),
        *_texts("rules"),
        *_numbers("dry_run", "updated_at"),
        *_texts("updated_by", null=True),
    )
    op.create_table(
        "leak_reports",
        sa.Column("digest", sa.LargeBinary, primary_key=True, nullable=False),
        *_texts("reporter", "key_id"),
        *_numbers("received_at", "items", "known"),
        *_texts("address"),
        sqlite_with_rowid=False,
    )
    op.create_index("leak_reports_received", "leak_reports", ["received_at"])


def downgrade() -> None:
    for table in ("leak_reports", "leak_policies", "leak_sightings", "leaks"):
        op.drop_table(table)
