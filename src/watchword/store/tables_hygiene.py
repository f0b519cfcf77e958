"""Table of reminders: which were sent about which token, so that each is sent once."""

from watchword.store.columns import number_column, owned_table, text_column

token_reminders = owned_table(
    "token_reminders",
    text_column("token_id", key=True),
    number_column("days", key=True),
    number_column("at"),
)
