"""Tables of leaks: cases, the places where values were seen, reports, and policies."""

from sqlalchemy import Index, Table, text

from watchword.store.columns import bytes_column, metadata, number_column, owned_table, text_column

_TELLING = text("telling = 1")
_HELD = text("state = 'held'")
_QUARANTINED = text("outcome = 'quarantined'")
_ACTED = text("acted_at > 0")

leaks = owned_table(
    "leaks",
    text_column("id", key=True),
    text_column("token_id"),
    text_column("kind"),
    text_column("state"),
    text_column("visibility"),
    text_column("evidence"),
    text_column("response"),
    text_column("outcome"),
    text_column("failure"),
    text_column("reporter"),
    number_column("count"),
    number_column("exposed_at"),
    number_column("first_at"),
    number_column("last_at"),
    number_column("held_until"),
    number_column("acted_at"),
    text_column("acted_by", null=True),
    number_column("closed_at"),
    text_column("closed_by", null=True),
    text_column("note"),
    number_column("telling"),
    number_column("drill"),
    bytes_column("handover"),
    number_column("revision"),
    # One case for a token, whoever finds it again.
    Index("leaks_token", "organization_id", "token_id", unique=True),
    Index("leaks_telling", "first_at", sqlite_where=_TELLING, postgresql_where=_TELLING),
    Index("leaks_held", "held_until", sqlite_where=_HELD, postgresql_where=_HELD),
    Index("leaks_quarantined", "id", sqlite_where=_QUARANTINED, postgresql_where=_QUARANTINED),
    Index("leaks_acted", "reporter", "acted_at", sqlite_where=_ACTED, postgresql_where=_ACTED),
)
leak_sightings = owned_table(
    "leak_sightings",
    text_column("leak_id", key=True),
    text_column("key", key=True),
    text_column("reporter"),
    text_column("url"),
    text_column("place"),
    text_column("visibility"),
    text_column("evidence"),
    text_column("report"),
    number_column("exposed_at"),
    number_column("first_at"),
    number_column("last_at"),
    number_column("count"),
)
leak_policies = Table(
    "leak_policies",
    metadata,
    text_column("organization_id", key=True),
    text_column("rules"),
    number_column("dry_run"),
    number_column("updated_at"),
    text_column("updated_by", null=True),
)
# Of the installation: a report may name tokens of any organization, and of none.
leak_reports = Table(
    "leak_reports",
    metadata,
    bytes_column("digest", key=True),
    text_column("reporter"),
    text_column("key_id"),
    number_column("received_at"),
    number_column("items"),
    number_column("known"),
    text_column("address"),
    Index("leak_reports_received", "received_at"),
    sqlite_with_rowid=False,
)
