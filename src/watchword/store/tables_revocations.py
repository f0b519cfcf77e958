"""Tables of revocations, and of the addresses from which registrations were blocked."""

from sqlalchemy import Index, text

from watchword.store.columns import number_column, owned_table, text_column

revocations = owned_table(
    "revocations",
    text_column("id", key=True),
    text_column("token_id"),
    text_column("change"),
    text_column("mode"),
    text_column("networks"),
    number_column("deadline"),
    number_column("committed_at"),
    number_column("effective_at"),
    number_column("finished_at"),
    text_column("by", null=True),
    text_column("reason"),
    number_column("agents"),
    number_column("agents_cut"),
    number_column("jobs_lost"),
    number_column("jobs_returned"),
    Index("revocations_token", "organization_id", "token_id", "id"),
    Index(
        "revocations_open",
        "id",
        sqlite_where=text("finished_at = 0 OR effective_at = 0"),
        postgresql_where=text("finished_at = 0 OR effective_at = 0"),
    ),
)
# One row for each token, address and hour, so that the audit trail hears of it once.
blocked_registrations = owned_table(
    "blocked_registrations",
    text_column("token_id", key=True),
    number_column("hour", key=True),
    text_column("address", key=True),
)
