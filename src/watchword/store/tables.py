"""Table definitions for both databases. Columns hold integers (times in µs), text and bytes only.

`organization_id` leads the keys of everything that belongs to an organization, so that the tables
can be distributed by it; the digest directory is keyed by digest.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from watchword.store.columns import bytes_column as _bytes
from watchword.store.columns import later_number_column as _later_number
from watchword.store.columns import later_text_column as _later_text
from watchword.store.columns import metadata as metadata  # noqa: PLC0414 - every table is in it
from watchword.store.columns import number_column as _number
from watchword.store.columns import owned_table as _owned
from watchword.store.columns import text_column as _text
from watchword.store.tables_caches import cache_entries as cache_entries  # noqa: PLC0414 - a table like those here
from watchword.store.tables_caches import cache_registries as cache_registries  # noqa: PLC0414 - a table like those here
from watchword.store.tables_dagster import code_locations as code_locations  # noqa: PLC0414 - a table like those here
from watchword.store.tables_dagster import dagster_agents as dagster_agents  # noqa: PLC0414 - a table like those here
from watchword.store.tables_dagster import work_items as work_items  # noqa: PLC0414 - a table like those here
from watchword.store.tables_dagsterruns import dagster_events as dagster_events  # noqa: PLC0414 - a table like those here
from watchword.store.tables_dagsterruns import dagster_runs as dagster_runs  # noqa: PLC0414 - a table like those here
from watchword.store.tables_dagsterruns import dagster_uploads as dagster_uploads  # noqa: PLC0414 - a table like those here
from watchword.store.tables_deployments import client_numbers as client_numbers  # noqa: PLC0414 - a table like those here
from watchword.store.tables_deployments import dagster_organizations as dagster_organizations  # noqa: PLC0414 - a table like those here
from watchword.store.tables_deployments import deployment_grants as deployment_grants  # noqa: PLC0414 - a table like those here
from watchword.store.tables_deployments import deployment_roles as deployment_roles  # noqa: PLC0414 - a table like those here
from watchword.store.tables_deployments import deployments as deployments  # noqa: PLC0414 - a table like those here
from watchword.store.tables_exchanges import exchange_applications as exchange_applications  # noqa: PLC0414 - a table like those here
from watchword.store.tables_hooks import deliveries as deliveries  # noqa: PLC0414 - a table like those here
from watchword.store.tables_hooks import notification_services as notification_services  # noqa: PLC0414 - a table like those here
from watchword.store.tables_hygiene import token_reminders as token_reminders  # noqa: PLC0414 - a table like those here
from watchword.store.tables_jobpolicies import job_policies as job_policies  # noqa: PLC0414 - a table like those here
from watchword.store.tables_leaks import leak_policies as leak_policies  # noqa: PLC0414 - a table like those here
from watchword.store.tables_leaks import leak_reports as leak_reports  # noqa: PLC0414 - a table like those here
from watchword.store.tables_leaks import leak_sightings as leak_sightings  # noqa: PLC0414 - a table like those here
from watchword.store.tables_leaks import leaks as leaks  # noqa: PLC0414 - a table like those here
from watchword.store.tables_oauth import oauth_applications as oauth_applications  # noqa: PLC0414 - a table like those here
from watchword.store.tables_oauth import oauth_codes as oauth_codes  # noqa: PLC0414 - a table like those here
from watchword.store.tables_oauth import oauth_device_codes as oauth_device_codes  # noqa: PLC0414 - a table like those here
from watchword.store.tables_oauth import oauth_grants as oauth_grants  # noqa: PLC0414 - a table like those here
from watchword.store.tables_people import mails as mails  # noqa: PLC0414 - a table like those here
from watchword.store.tables_people import one_time_links as one_time_links  # noqa: PLC0414 - a table like those here
from watchword.store.tables_people import recovery_codes as recovery_codes  # noqa: PLC0414 - a table like those here
from watchword.store.tables_people import reveals as reveals  # noqa: PLC0414 - a table like those here
from watchword.store.tables_people import sealed_values as sealed_values  # noqa: PLC0414 - a table like those here
from watchword.store.tables_people import sign_in_attempts as sign_in_attempts  # noqa: PLC0414 - a table like those here
from watchword.store.tables_people import user_sign_ins as user_sign_ins  # noqa: PLC0414 - a table like those here
from watchword.store.tables_people import web_sessions as web_sessions  # noqa: PLC0414 - a table like those here
from watchword.store.tables_policies import security_policies as security_policies  # noqa: PLC0414 - a table like those here
from watchword.store.tables_policies import token_grants as token_grants  # noqa: PLC0414 - a table like those here
from watchword.store.tables_portals import portal_codes as portal_codes  # noqa: PLC0414 - a table like those here
from watchword.store.tables_portals import portals as portals  # noqa: PLC0414 - a table like those here
from watchword.store.tables_proofs import identities as identities  # noqa: PLC0414 - a table like those here
from watchword.store.tables_proofs import passkeys as passkeys  # noqa: PLC0414 - a table like those here
from watchword.store.tables_proofs import used_tickets as used_tickets  # noqa: PLC0414 - a table like those here
from watchword.store.tables_registries import package_files as package_files  # noqa: PLC0414 - a table like those here
from watchword.store.tables_registries import packages as packages  # noqa: PLC0414 - a table like those here
from watchword.store.tables_registries import registries as registries  # noqa: PLC0414 - a table like those here
from watchword.store.tables_repositories import repository_credentials as repository_credentials  # noqa: PLC0414 - a table like those here
from watchword.store.tables_revocations import blocked_registrations as blocked_registrations  # noqa: PLC0414 - a table like those here
from watchword.store.tables_revocations import revocations as revocations  # noqa: PLC0414 - a table like those here
from watchword.store.tables_rotations import incidents as incidents  # noqa: PLC0414 - a table like those here
from watchword.store.tables_rotations import rotations as rotations  # noqa: PLC0414 - a table like those here
from watchword.store.tables_secrets import secrets as secrets  # noqa: PLC0414 - a table like those here
from watchword.store.tables_stacks import stack_notifications as stack_notifications  # noqa: PLC0414 - a table like those here
from watchword.store.tables_stacks import stacks as stacks  # noqa: PLC0414 - a table like those here
from watchword.store.tables_tallies import hourly_counts as hourly_counts  # noqa: PLC0414 - a table like those here
from watchword.store.tables_teams import banners as banners  # noqa: PLC0414 - a table like those here
from watchword.store.tables_teams import invitations as invitations  # noqa: PLC0414 - a table like those here
from watchword.store.tables_teams import maintainers as maintainers  # noqa: PLC0414 - a table like those here
from watchword.store.tables_teams import team_members as team_members  # noqa: PLC0414 - a table like those here
from watchword.store.tables_teams import teams as teams  # noqa: PLC0414 - a table like those here
from watchword.store.tables_trail import audit_heads as audit_heads  # noqa: PLC0414 - a table like those here
from watchword.store.tables_work import builds as builds  # noqa: PLC0414 - a table like those here
from watchword.store.tables_work import jobs as jobs  # noqa: PLC0414 - a table like those here
from watchword.store.tables_work import pipeline_uploads as pipeline_uploads  # noqa: PLC0414 - a table like those here
from watchword.store.tables_work import pipelines as pipelines  # noqa: PLC0414 - a table like those here
from watchword.store.tables_work import steps as steps  # noqa: PLC0414 - a table like those here
from watchword.store.tables_workloads import agent_identities as agent_identities  # noqa: PLC0414 - a table like those here
from watchword.store.tables_workloads import identity_uses as identity_uses  # noqa: PLC0414 - a table like those here
from watchword.store.tables_workloads import issuer_audiences as issuer_audiences  # noqa: PLC0414 - a table like those here
from watchword.store.tables_workloads import trusted_issuers as trusted_issuers  # noqa: PLC0414 - a table like those here

organizations = Table(
    "organizations",
    metadata,
    _text("id", key=True),
    Column("slug", Text, nullable=False, unique=True),
    _text("name"),
    _text("default_cluster_id", null=True),
    _number("default_timeout_minutes"),
    _number("maximum_timeout_minutes"),
    _number("created_at"),
)
# Counters stand apart: they are written often, organizations are read often.
counters = _owned("counters", _text("name", key=True), _number("value"))

users = Table(
    "users",
    metadata,
    _text("id", key=True),
    Column("email", Text, nullable=False, unique=True),
    _text("name"),
    _text("password_hash"),
    _number("created_at"),
)
members = _owned(
    "members",
    _text("user_id", key=True),
    _text("role"),
    _number("created_at"),
    _later_text("sso_mode", "optional"),
    Index("members_user", "user_id"),
)
clusters = _owned(
    "clusters",
    _text("id", key=True),
    _text("name"),
    _text("description"),
    _text("emoji"),
    _text("color"),
    _text("default_queue_id", null=True),
    _number("created_at"),
    _text("created_by", null=True),
    _later_number("repository_credentials"),
)
queues = _owned(
    "queues",
    _text("id", key=True),
    _text("cluster_id"),
    _text("key"),
    _text("description"),
    _number("dispatch_paused"),
    _number("created_at"),
    _text("created_by", null=True),
    _later_number("paused_at"),
    _text("paused_by", null=True),
    _later_text("paused_note"),
    _later_text("retry_agent_affinity", "prefer-warmest"),
    Index("queues_key", "organization_id", "cluster_id", "key", unique=True),
)

# A digest is never deleted: a second leak report of a dead token is still a true positive.
token_digests = Table(
    "token_digests",
    metadata,
    _bytes("digest", key=True),
    _text("organization_id"),
    _text("token_id"),
    sqlite_with_rowid=False,
)
tokens = _owned(
    "tokens",
    _text("id", key=True),
    _text("kind"),
    _bytes("digest"),
    _text("state"),
    _text("description"),
    _text("cluster_id", null=True),
    _text("user_id", null=True),
    _text("agent_id", null=True),
    _text("parent_id", null=True),
    _text("scopes"),
    _text("restrictions"),
    _number("not_before"),
    _number("expires_at"),
    _number("max_uses"),
    _number("uses"),
    _number("created_at"),
    _text("created_by", null=True),
    _number("ended_at"),
    _text("ended_by", null=True),
    _text("ended_reason"),
    _later_number("imported"),
    _text("resource_id", null=True),
    # Sessions are not listed: an index over them would cost every registration a page.
    Index(
        "tokens_listed",
        "organization_id",
        "kind",
        "cluster_id",
        "id",
        sqlite_where=text("kind <> 'agent_session'"),
        postgresql_where=text("kind <> 'agent_session'"),
    ),
    Index(
        "tokens_resource",
        "organization_id",
        "resource_id",
        "id",
        sqlite_where=text("resource_id IS NOT NULL"),
        postgresql_where=text("resource_id IS NOT NULL"),
    ),
    Index(
        "tokens_expiry",
        "expires_at",
        "id",
        sqlite_where=text("expires_at > 0"),
        postgresql_where=text("expires_at > 0"),
    ),
    Index(
        "tokens_imported",
        "digest",
        sqlite_where=text("imported = 1"),
        postgresql_where=text("imported = 1"),
    ),
)

agents = _owned(
    "agents",
    _text("id", key=True),
    _text("cluster_id", null=True),
    _text("queue_id", null=True),
    _text("token_id"),
    _text("session_id"),
    _text("name"),
    _text("requested_name"),
    _text("hostname"),
    _text("os"),
    _text("arch"),
    _text("version"),
    _text("build"),
    _number("pid"),
    _text("machine_id"),
    _text("features"),
    _text("tags"),
    _number("priority"),
    _text("address"),
    _number("script_eval"),
    _number("ignore_in_dispatches"),
    _number("counted"),
    _text("state"),
    _text("job_id", null=True),
    _number("registered_at"),
    _number("connected_at"),
    _number("seen_at"),
    _number("ended_at"),
    _later_number("paused_at"),
    _later_number("paused_until"),
    _later_text("paused_note"),
    _text("paused_by", null=True),
    _later_number("stopping_at"),
    _later_number("stop_forced"),
    _later_number("last_job_ended_at"),
    Index(
        "agents_live",
        "organization_id",
        "token_id",
        "id",
        sqlite_where=text("ended_at = 0"),
        postgresql_where=text("ended_at = 0"),
    ),
    Index(
        "agents_age",
        "ended_at",
        sqlite_where=text("ended_at > 0"),
        postgresql_where=text("ended_at > 0"),
    ),
)

log_chunks = _owned(
    "log_chunks",
    _text("job_id", key=True),
    _number("sequence", key=True),
    _number("offset"),
    _number("size"),
    _bytes("data"),
)
annotations = _owned(
    "annotations",
    _text("build_id", key=True),
    _text("scope", key=True),
    _text("scope_id", key=True),
    _text("context", key=True),
    _text("id"),
    _text("job_id"),
    _text("style"),
    _text("body"),
    _number("priority"),
    _number("created_at"),
    _number("updated_at"),
)
artifacts = _owned(
    "artifacts",
    _text("id", key=True),
    _text("build_id"),
    _text("job_id"),
    _text("batch_id"),
    _number("place"),
    _text("path"),
    _text("absolute_path"),
    _text("glob_path"),
    _text("content_type"),
    _number("size"),
    _text("sha1"),
    _text("sha256"),
    _text("upload_destination"),
    _text("url"),
    _number("parts"),
    _text("state"),
    _number("created_at"),
    _number("ended_at"),
    Index("artifacts_batch", "organization_id", "job_id", "batch_id", "place", unique=True),
    Index("artifacts_build", "organization_id", "build_id", "id"),
    Index(
        "artifacts_age",
        "created_at",
        sqlite_where=text("state <> 'deleted' AND state <> 'expired'"),
        postgresql_where=text("state <> 'deleted' AND state <> 'expired'"),
    ),
)
meta_data = _owned("meta_data", _text("build_id", key=True), _text("key", key=True), _text("value"))

audit_events = _owned(
    "audit_events",
    _number("sequence", key=True),
    _text("id"),
    _number("at"),
    _text("action"),
    _text("actor_kind"),
    _text("actor_id"),
    _text("actor_name"),
    _text("subject_kind"),
    _text("subject_id"),
    _text("address"),
    _text("request_id"),
    _text("data"),
    _later_text("user_agent"),
    _later_text("token_id"),
)
outbox = Table(
    "outbox",
    metadata,
    # SQLite counts rows by itself only where the type is INTEGER.
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True),
    _number("at"),
    _text("organization_id"),
    _text("topic"),
    _text("payload"),
    sqlite_autoincrement=True,
)
replays = _owned(
    "replays",
    _text("caller", key=True),
    _text("key", key=True),
    _text("operation"),
    _bytes("request"),
    _bytes("answer"),
    _number("created_at"),
    _number("expires_at"),
    Index("replays_expiry", "expires_at"),
)
uses = _owned(
    "uses",
    _text("token_id", key=True),
    _text("address", key=True),
    _text("agent", key=True),
    _text("version", key=True),
    _number("hour", key=True),
    _number("first_at"),
    _number("last_at"),
    _number("count"),
    Index("uses_hour", "organization_id", "token_id", "hour"),
)
refusals = Table(
    "refusals",
    metadata,
    _number("hour", key=True),
    _text("reason", key=True),
    _text("address", key=True),
    _text("token_id", key=True),
    _number("first_at"),
    _number("last_at"),
    _number("count"),
    sqlite_with_rowid=False,
)
