"""Table of the signed heads of audit trails."""

from watchword.store.columns import bytes_column, number_column, owned_table

audit_heads = owned_table(
    "audit_heads",
    number_column("sequence", key=True),
    bytes_column("link"),
    number_column("through"),
    number_column("sealed_at"),
    number_column("key"),
    bytes_column("signature"),
)
