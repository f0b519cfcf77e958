"""Tables of stacks: the controllers, and what they say of jobs for which no agent runs yet."""

from sqlalchemy import Index

from watchword.store.columns import number_column, owned_table, text_column

stacks = owned_table(
    "stacks",
    text_column("id", key=True),
    text_column("cluster_id"),
    text_column("key"),
    text_column("type"),
    text_column("queue_id"),
    text_column("metadata"),
    number_column("registered_at"),
    number_column("updated_at"),
    number_column("polled_at"),
    number_column("deregistered_at"),
    Index("stacks_key", "organization_id", "cluster_id", "key", unique=True),
)
stack_notifications = owned_table(
    "stack_notifications",
    text_column("job_id", key=True),
    number_column("number", key=True),
    text_column("stack_id"),
    text_column("detail"),
    number_column("at"),
    number_column("received_at"),
)
