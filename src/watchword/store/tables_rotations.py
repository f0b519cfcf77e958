"""Tables of rotations and of incidents."""

from sqlalchemy import Index, text

from watchword.store.columns import number_column, owned_table, text_column

_OPEN = text("state = 'open'")

rotations = owned_table(
    "rotations",
    text_column("successor_id", key=True),
    text_column("predecessor_id"),
    text_column("kind"),
    text_column("state"),
    text_column("cause"),
    number_column("started_at"),
    text_column("started_by", null=True),
    text_column("asker"),
    number_column("deadline"),
    number_column("first_used_at"),
    number_column("ended_at"),
    text_column("ended_by", null=True),
    Index("rotations_predecessor", "organization_id", "predecessor_id", "successor_id"),
    # One token is in one open rotation.
    Index(
        "rotations_open",
        "organization_id",
        "predecessor_id",
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
)
incidents = owned_table(
    "incidents",
    text_column("id", key=True),
    text_column("kind"),
    text_column("state"),
    text_column("token_id"),
    text_column("agent_id", null=True),
    text_column("response"),
    number_column("shared"),
    text_column("held"),
    text_column("addresses"),
    number_column("count"),
    number_column("first_at"),
    number_column("last_at"),
    number_column("closed_at"),
    text_column("closed_by", null=True),
    text_column("note"),
    Index("incidents_token", "organization_id", "token_id", "id"),
    Index(
        "incidents_open",
        "organization_id",
        "token_id",
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
)
