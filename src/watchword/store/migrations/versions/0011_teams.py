"""Teams, maintainers, invitations and banners; how a member signs in."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True, nullable=False)


def _texts(*names: str, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=null) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def upgrade() -> None:
    op.add_column("members", sa.Column("sso_mode", sa.Text(), nullable=False, server_default="optional"))
    _teams()
    _maintainers()
    _invitations()
    op.create_table(
        "banners",
        _key("organization_id"),
        *_texts("id", "message"),
        *_numbers("created_at", "updated_at"),
        *_texts("updated_by", null=True),
    )


def _teams() -> None:
    op.create_table(
        "teams",
        _key("organization_id"),
        _key("id"),
        *_texts("name", "slug", "description", "privacy"),
        *_numbers("is_default_team"),
        *_texts("default_member_role"),
        *_numbers("created_at"),
        *_texts("created_by", null=True),
        *_numbers(
            "members_can_create_pipelines",
            "members_can_delete_pipelines",
            "members_can_create_suites",
            "members_can_create_registries",
            "members_can_destroy_registries",
            "members_can_destroy_packages",
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("teams_slug", "teams", ["organization_id", "slug"], unique=True)
    op.create_table(
        "team_members",
        _key("organization_id"),
        _key("team_id"),
        _key("user_id"),
        *_texts("id", "role"),
        *_numbers("created_at"),
        *_texts("created_by", null=True),
        sqlite_with_rowid=False,
    )
    op.create_index("team_members_id", "team_members", ["organization_id", "id"], unique=True)
    op.create_index("team_members_user", "team_members", ["organization_id", "user_id"])


def _maintainers() -> None:
    op.create_table(
        "maintainers",
        _key("organization_id"),
        _key("id"),
        *_texts("cluster_id"),
        *_texts("user_id", "team_id", null=True),
        *_numbers("created_at"),
        *_texts("created_by", null=True),
        sqlite_with_rowid=False,
    )
    op.create_index("maintainers_cluster", "maintainers", ["organization_id", "cluster_id", "id"])
    for name in ("user", "team"):
        columns = ["organization_id", f"{name}_id", "cluster_id"]
        op.create_index(f"maintainers_{name}", "maintainers", columns, unique=True)


def _invitations() -> None:
    op.create_table(
        "invitations",
        _key("organization_id"),
        _key("id"),
        *_texts("email", "state", "role", "sso_mode", "teams"),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        *_numbers("created_at"),
        *_texts("created_by", null=True),
        *_numbers("expires_at", "accepted_at"),
        *_texts("accepted_by", null=True),
        *_numbers("revoked_at"),
        *_texts("revoked_by", null=True),
        sqlite_with_rowid=False,
    )
    op.create_index("invitations_digest", "invitations", ["digest"], unique=True)
    pending = sa.text("state = 'pending'")
    op.create_index(
        "invitations_pending",
        "invitations",
        ["organization_id", "email"],
        unique=True,
        sqlite_where=pending,
        postgresql_where=pending,
    )


def downgrade() -> None:
    for name in ("banners", "invitations", "maintainers", "team_members", "teams"):
        op.drop_table(name)
    op.drop_column("members", "sso_mode")
