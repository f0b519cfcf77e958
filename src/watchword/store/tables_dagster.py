"""Tables of code locations, of work for Dagster agents, and of these agents."""

from sqlalchemy import Index

from watchword.store.columns import number_column, owned_table, text_column

code_locations = owned_table(
    "code_locations",
    text_column("deployment_id", key=True),
    text_column("name", key=True),
    text_column("document"),
    text_column("queue"),
    number_column("outdated"),
    text_column("state"),
    text_column("error"),
    text_column("manifest"),
    number_column("metadata_at"),
    number_column("loaded_at"),
    number_column("created_at"),
    text_column("created_by", null=True),
    number_column("updated_at"),
)
work_items = owned_table(
    "work_items",
    text_column("id", key=True),
    text_column("deployment_id"),
    number_column("branch"),
    text_column("queue"),
    text_column("api"),
    text_column("arguments"),
    text_column("state"),
    number_column("created_at"),
    number_column("expires_at"),
    number_column("taken_at"),
    text_column("taken_by", null=True),
    text_column("answer"),
    number_column("answered_at"),
    Index("work_items_waiting", "organization_id", "deployment_id", "state", "id"),
    Index("work_items_old", "created_at"),
)
dagster_agents = owned_table(
    "dagster_agents",
    text_column("id", key=True),
    text_column("token_id"),
    text_column("label"),
    text_column("type"),
    text_column("deployments"),
    text_column("queues"),
    text_column("facts"),
    text_column("errors"),
    number_column("first_at"),
    number_column("seen_at"),
)
