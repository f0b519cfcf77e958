"""Tables of the cache index: registries, and what jobs have saved. The bytes are elsewhere."""

from sqlalchemy import Index

from watchword.store.columns import number_column, owned_table, text_column

cache_registries = owned_table(
    "cache_registries",
    text_column("id", key=True),
    text_column("cluster_id"),
    text_column("slug"),
    text_column("name"),
    text_column("sharing"),
    number_column("keep_days"),
    number_column("created_at"),
    text_column("created_by", null=True),
    Index("cache_registries_slug", "organization_id", "cluster_id", "slug", unique=True),
)
cache_entries = owned_table(
    "cache_entries",
    text_column("id", key=True),
    text_column("cluster_id"),
    text_column("registry_id"),
    text_column("scope"),
    text_column("state"),
    text_column("address"),
    text_column("family"),
    text_column("target_paths"),
    text_column("cache_key"),
    text_column("blobs"),
    number_column("size"),
    text_column("platform"),
    text_column("pipeline_id"),
    text_column("branch"),
    text_column("job_id"),
    number_column("created_at"),
    number_column("used_at"),
    number_column("expires_at"),
    Index("cache_entries_address", "organization_id", "registry_id", "address", "scope", "id"),
    Index("cache_entries_family", "organization_id", "registry_id", "family", "scope", "id"),
    Index("cache_entries_cluster", "organization_id", "cluster_id", "size"),
    Index("cache_entries_expiry", "expires_at"),
)
