"""Agents under control: pauses and stops, paused queues, time-outs that jobs change, the latest use."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NUMBERS = {
    "agents": ("paused_at", "paused_until", "stopping_at", "stop_forced"),
    "queues": ("paused_at",),
    "jobs": ("initial_timeout_minutes",),
}
_TEXTS = {
    "agents": ("paused_note",),
    "queues": ("paused_note",),
    "jobs": ("promised_status", "promised_reason"),
}
_PEOPLE = {"agents": ("paused_by",), "queues": ("paused_by",), "jobs": ()}


def upgrade() -> None:
    for table, names in _NUMBERS.items():
        for name in names:
            op.add_column(table, sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
        for name in _TEXTS[table]:
            op.add_column(table, sa.Column(name, sa.Text(), server_default="", nullable=False))
        for name in _PEOPLE[table]:
            op.add_column(table, sa.Column(name, sa.Text(), nullable=True))
    op.create_index("uses_hour", "uses", ["organization_id", "token_id", "hour"])


def downgrade() -> None:
    op.drop_index("uses_hour", "uses")
    for table, names in _NUMBERS.items():
        for name in (*names, *_TEXTS[table], *_PEOPLE[table]):
            op.drop_column(table, name)
