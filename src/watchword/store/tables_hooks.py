"""Tables of notification services and their deliveries."""

from sqlalchemy import Index, text

from watchword.store.columns import bytes_column, number_column, owned_table, text_column

_PENDING = text("state = 'pending'")

notification_services = owned_table(
    "notification_services",
    text_column("id", key=True),
    text_column("provider"),
    text_column("description"),
    number_column("enabled"),
    text_column("scope"),
    text_column("scope_uuids"),
    text_column("branch_configuration"),
    text_column("build_states"),
    text_column("settings"),
    bytes_column("secret"),
    number_column("created_at"),
    text_column("created_by", null=True),
    number_column("updated_at"),
    number_column("broken_at"),
    number_column("failing_since"),
    number_column("failures"),
    number_column("retry_at"),
    number_column("dropped"),
)
deliveries = owned_table(
    "deliveries",
    text_column("service_id", key=True),
    text_column("id", key=True),
    text_column("event"),
    text_column("body"),
    text_column("state"),
    number_column("created_at"),
    number_column("queued_at"),
    number_column("next_at"),
    number_column("attempts"),
    number_column("attempted_at"),
    number_column("duration"),
    text_column("url"),
    text_column("request"),
    number_column("status"),
    text_column("answer"),
    bytes_column("answer_body"),
    text_column("error"),
    Index(
        "deliveries_pending",
        "organization_id",
        "service_id",
        "id",
        "next_at",
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    ),
)
