"""Tables of teams and who is in them, of clusters' maintainers, invitations and banners."""

from sqlalchemy import Index, Table, text

from watchword.store.columns import bytes_column, metadata, number_column, owned_table, text_column

teams = owned_table(
    "teams",
    text_column("id", key=True),
    text_column("name"),
    text_column("slug"),
    text_column("description"),
    text_column("privacy"),
    number_column("is_default_team"),
    text_column("default_member_role"),
    number_column("created_at"),
    text_column("created_by", null=True),
    number_column("members_can_create_pipelines"),
    number_column("members_can_delete_pipelines"),
    number_column("members_can_create_suites"),
    number_column("members_can_create_registries"),
    number_column("members_can_destroy_registries"),
    number_column("members_can_destroy_packages"),
    Index("teams_slug", "organization_id", "slug", unique=True),
)
team_members = owned_table(
    "team_members",
    text_column("team_id", key=True),
    text_column("user_id", key=True),
    text_column("id"),
    text_column("role"),
    number_column("created_at"),
    text_column("created_by", null=True),
    Index("team_members_id", "organization_id", "id", unique=True),
    Index("team_members_user", "organization_id", "user_id"),
)
# Of user and team one is null, and null is never equal to null: each index holds one half unique.
maintainers = owned_table(
    "maintainers",
    text_column("id", key=True),
    text_column("cluster_id"),
    text_column("user_id", null=True),
    text_column("team_id", null=True),
    number_column("created_at"),
    text_column("created_by", null=True),
    Index("maintainers_cluster", "organization_id", "cluster_id", "id"),
    Index("maintainers_user", "organization_id", "user_id", "cluster_id", unique=True),
    Index("maintainers_team", "organization_id", "team_id", "cluster_id", unique=True),
)
invitations = owned_table(
    "invitations",
    text_column("id", key=True),
    text_column("email"),
    text_column("state"),
    text_column("role"),
    text_column("sso_mode"),
    text_column("teams"),
    bytes_column("digest"),
    number_column("created_at"),
    text_column("created_by", null=True),
    number_column("expires_at"),
    number_column("accepted_at"),
    text_column("accepted_by", null=True),
    number_column("revoked_at"),
    text_column("revoked_by", null=True),
    Index("invitations_digest", "digest", unique=True),
    Index(
        "invitations_pending",
        "organization_id",
        "email",
        unique=True,
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
)
banners = Table(
    "banners",
    metadata,
    text_column("organization_id", key=True),
    text_column("id"),
    text_column("message"),
    number_column("created_at"),
    number_column("updated_at"),
    text_column("updated_by", null=True),
)
