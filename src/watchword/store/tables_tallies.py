"""The table of what happened, counted hour by hour."""

from watchword.store.columns import number_column, owned_table, text_column

hourly_counts = owned_table(
    "hourly_counts",
    number_column("hour", key=True),
    text_column("name", key=True),
    number_column("count"),
)
