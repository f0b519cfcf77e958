"""Table definitions for both databases. Columns hold integers (times in µs), text and bytes only.

`organization_id` leads the keys of everything that belongs to an organization, so that the tables
can be distributed by it; the digest directory is keyed by digest.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text, text

metadata = MetaData()


def _text(name: str, *, key: bool = False, null: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=null)


def _number(name: str, *, key: bool = False) -> Column[int]:
    return Column(name, BigInteger, primary_key=key, nullable=False, autoincrement=False)


def _later_text(name: str) -> Column[str]:
    """Text that came after the first schema; empty in older rows."""
    return Column(name, Text, nullable=False, server_default="")


def _later_number(name: str) -> Column[int]:
    """A number that came after the first schema; 0 in older rows."""
    return Column(name, BigInteger, nullable=False, server_default="0")


def _bytes(name: str, *, key: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, primary_key=key, nullable=False)


def _owned(name: str, *columns: Column[str] | Column[int] | Column[bytes] | Index) -> Table:
    """A table of an organization: its key starts with the organization's."""
    return Table(name, metadata, _text("organization_id", key=True), *columns, sqlite_with_rowid=False)


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

pipelines = _owned(
    "pipelines",
    _text("id", key=True),
    _text("cluster_id", null=True),
    _text("slug"),
    _text("name"),
    _text("repository"),
    _text("default_branch"),
    _text("configuration"),
    _number("created_at"),
    _text("created_by", null=True),
    Index("pipelines_slug", "organization_id", "slug", unique=True),
)
builds = _owned(
    "builds",
    _text("id", key=True),
    _text("pipeline_id"),
    _number("number"),
    _text("state"),
    _text("branch"),
    _text("commit"),
    _text("message"),
    _text("env"),
    _text("source"),
    _number("created_at"),
    _text("created_by", null=True),
    _number("started_at"),
    _number("finished_at"),
    Index("builds_number", "organization_id", "pipeline_id", "number", unique=True),
    Index(
        "builds_age",
        "finished_at",
        sqlite_where=text("finished_at > 0"),
        postgresql_where=text("finished_at > 0"),
    ),
)
jobs = _owned(
    "jobs",
    _text("id", key=True),
    _text("build_id"),
    _text("cluster_id", null=True),
    _text("queue_id", null=True),
    _text("label"),
    _text("step_key"),
    _text("command"),
    _text("env"),
    _text("rules"),
    _text("state"),
    _number("priority"),
    _number("timeout_minutes"),
    _number("fence"),
    _text("agent_id", null=True),
    _number("token_key"),
    _number("token_issued_at"),
    _number("token_expires_at"),
    _text("exit_status"),
    _text("signal"),
    _text("signal_reason"),
    _number("chunks_failed"),
    _number("log_size"),
    _number("created_at"),
    _number("runnable_at"),
    _number("accepted_at"),
    _number("started_at"),
    _number("canceling_at"),
    _number("finished_at"),
    _later_number("initial_timeout_minutes"),
    _later_text("promised_status"),
    _later_text("promised_reason"),
    # No part of the record: empty until retention has deleted the log.
    Column("log_ended_at", BigInteger, nullable=True),
    Index("jobs_build", "organization_id", "build_id", "id"),
    Index("jobs_id", "id", unique=True),
    Index("jobs_state", "state", "organization_id", "id"),
    Index(
        "jobs_log_age",
        "finished_at",
        sqlite_where=text("log_size > 0 AND log_ended_at IS NULL AND finished_at > 0"),
        postgresql_where=text("log_size > 0 AND log_ended_at IS NULL AND finished_at > 0"),
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
