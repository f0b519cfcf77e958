"""Tables of runs of Dagster jobs, their events, and of what agents put into the object store."""

from sqlalchemy import Index

from watchword.store.columns import number_column, owned_table, text_column

dagster_runs = owned_table(
    "dagster_runs",
    text_column("deployment_id", key=True),
    text_column("id", key=True),
    number_column("number"),
    text_column("location"),
    text_column("repository"),
    text_column("job"),
    text_column("status"),
    text_column("document"),
    text_column("tags"),
    number_column("created_at"),
    number_column("updated_at"),
    number_column("started_at"),
    number_column("ended_at"),
    Index("dagster_runs_number", "organization_id", "deployment_id", "number", unique=True),
    Index("dagster_runs_old", "created_at"),
)
dagster_events = owned_table(
    "dagster_events",
    text_column("deployment_id", key=True),
    text_column("run_id", key=True),
    number_column("number", key=True),
    text_column("type"),
    text_column("step"),
    number_column("at"),
    text_column("document"),
    Index("dagster_events_old", "at"),
)
dagster_uploads = owned_table(
    "dagster_uploads",
    text_column("id", key=True),
    text_column("deployment_id"),
    text_column("kind"),
    text_column("name"),
    text_column("format"),
    number_column("size"),
    text_column("state"),
    number_column("stored"),
    number_column("created_at"),
    number_column("filled_at"),
    Index("dagster_uploads_name", "organization_id", "deployment_id", "kind", "name", "state"),
    Index("dagster_uploads_open", "state", "created_at"),
)
