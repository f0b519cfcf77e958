"""Table of what jobs of organizations and pipelines may do."""

from watchword.store.columns import number_column, owned_table, text_column

job_policies = owned_table(
    "job_policies",
    text_column("pipeline_id", key=True),
    number_column("cross_job_writes"),
    number_column("identity"),
    text_column("audiences"),
    number_column("updated_at"),
    text_column("updated_by", null=True),
)
