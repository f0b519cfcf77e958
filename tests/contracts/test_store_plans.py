"""Plans: what grows with an installation is found by an index, never by reading it all."""

import asyncio
import re
from collections.abc import Iterator

import pytest

from databases import PostgresDatabase, PostgresServer
from support import World
from watchword.domain.tokenlists import Order
from watchword.store import (
    audit,
    builds,
    caches,
    claims,
    deployments,
    fleet,
    hygiene,
    invitations,
    jobs,
    leaks,
    leaksearch,
    logs,
    maintainers,
    oauth,
    packages,
    portals,
    postgres_session,
    registries,
    reservations,
    rosters,
    rotations,
    stacks,
    steps,
    tallies,
    teams,
    tokens,
    tokensearch,
    workloads,
)
from watchword.store.engine import Statement
from watchword.store.sqlite import _DIALECT, SqliteStore
from watchword.store.tables import metadata


@pytest.fixture
def make_of_database() -> str:
    """Each test names its make itself."""
    return "sqlite"


# Statement, and what SQLite says of its plan; PostgreSQL is to take the same index for the same columns.
PLANS = [
    (tokens._BY_DIGEST, "SEARCH token_digests USING PRIMARY KEY (digest=?)"),
    (workloads._OF_ISSUER, "trusted_issuers_issuer (issuer=?)"),
    # An organization trusts two hundred issuers at most.
    (workloads._FOR_AUDIENCE, "issuer_audiences USING PRIMARY KEY (issuer=? AND audience=?)"),
    (workloads._LIST, "trusted_issuers USING PRIMARY KEY (organization_id=?)"),
    (workloads._FORGET, "identity_uses_expiry (expires_at<?)"),
    (tokens._FIND, "SEARCH tokens USING PRIMARY KEY (organization_id=? AND id=?)"),
    (tokens._LIST_CLUSTER, "tokens_listed (organization_id=? AND kind=? AND cluster_id=?)"),
    (tokens._LIST_ALL, "tokens_listed (organization_id=? AND kind=?)"),
    (caches._BY_SLUG, "cache_registries_slug (organization_id=? AND cluster_id=? AND slug=?)"),
    (caches._EXACT, "cache_entries_address (organization_id=? AND registry_id=? AND address=? AND scope=?)"),
    (caches._RELATIVE, "cache_entries_family (organization_id=? AND registry_id=? AND family=? AND scope=?)"),
    (caches._LOAD, "cache_entries_cluster (organization_id=? AND cluster_id=?)"),
    (caches._EXPIRED, "cache_entries_expiry (expires_at<?)"),
    (fleet._NEVER_CONNECTED, "agents_live (organization_id=? AND token_id=?)"),
    (fleet._COUNT_JOINED, "agents_live (organization_id=? AND token_id=?)"),
    (fleet._LIVE, "USING INDEX agents_live"),
    (fleet._list_statement(("connected",), False), "agents_live (organization_id=?)"),
    (builds._JOBS, "jobs_build (organization_id=? AND build_id=?)"),
    (builds._OPEN_JOBS, "jobs_state (state=?)"),
    (jobs._GROUP_JOBS, "jobs_group (organization_id=? AND concurrency_group=?)"),
    (steps._OF_BUILD, "steps_build (organization_id=? AND build_id=?)"),
    (steps._PENDING, "pipeline_uploads_open"),
    (builds._JOB, "(id=?)"),
    (builds._BUILD_BY_NUMBER, "builds_number (organization_id=? AND pipeline_id=? AND number=?)"),
    (claims._IN_QUEUE, "jobs_waiting (organization_id=? AND queue_id=? AND rules=?)"),
    (claims._OUTSIDE, "jobs_waiting (organization_id=? AND queue_id=? AND rules=?)"),
    (reservations._WAITING, "jobs_scheduled (organization_id=? AND queue_id=? AND runnable_at>?)"),
    (reservations._OVERDUE, "jobs_reserved (reserved_until<?)"),
    (reservations._RESERVE, "organization_id=?"),
    (reservations._RESERVE_IN_QUEUE, "organization_id=?"),
    (reservations._STATES, "organization_id=?"),
    (stacks._BY_KEY, "stacks_key (organization_id=? AND cluster_id=? AND key=?)"),
    (stacks._LIST, "stacks_key (organization_id=? AND cluster_id=?)"),
    (stacks._COUNT, "(organization_id=?)"),
    (stacks._NOTIFICATIONS, "stack_notifications USING PRIMARY KEY (organization_id=? AND job_id=?)"),
    (builds._HELD_BACK, "jobs_state (state=? AND organization_id=?)"),
    (audit._LAST_USE, "USING INDEX uses_hour (organization_id=? AND token_id=?)"),
    (rotations._OPEN_FROM, "rotations_open (organization_id=? AND predecessor_id=?)"),
    (rotations._ALL_OPEN, "rotations_open"),
    (rotations._OF_PREDECESSOR, "rotations_predecessor (organization_id=? AND predecessor_id=?)"),
    (rotations._COUNT_HOLDERS, "agents_live (organization_id=? AND token_id=?)"),
    (rotations._HOLDERS, "agents_live (organization_id=? AND token_id=?)"),
    (rotations._LATEST, "incidents_token (organization_id=? AND token_id=?)"),
    (rotations._INCIDENTS_OPEN, "incidents_open"),
    (rotations._LIST, "incidents USING PRIMARY KEY (organization_id=?)"),
    (registries._FIND, "registries USING PRIMARY KEY (organization_id=? AND id=?)"),
    (registries._BY_SLUG, "registries_slug (organization_id=? AND slug=?)"),
    (registries._LIVE_TOKENS, "tokens_resource (organization_id=? AND resource_id=?)"),
    (packages._BY_VERSION, "packages_version (organization_id=? AND registry_id=?"),
    (packages._NEWEST, "packages_listed (organization_id=? AND registry_id=?)"),
    (packages._BEFORE, "packages_listed (organization_id=? AND registry_id=? AND id<?)"),
    (packages._PROJECTS, "packages_version (organization_id=? AND registry_id=?)"),
    (packages._FILE_NAMED, "package_files_name (organization_id=? AND registry_id=? AND filename=?)"),
    (packages._OF_PROJECT, "package_files_project (organization_id=? AND registry_id=? AND project=?)"),
    (packages._FILES_OF, "package_files_package (organization_id=? AND package_id=?)"),
    (packages._ALL_DOOMED, "package_files_doomed"),
    (oauth._BY_CLIENT, "oauth_applications_client (client_id=?)"),
    (oauth._APPLICATIONS, "oauth_applications USING PRIMARY KEY (organization_id=?)"),
    (oauth._FORGET_CODES, "oauth_codes_expiry (expires_at<?)"),
    (oauth._OF_USER_CODE, "oauth_device_codes_user (user_digest=?)"),
    (oauth._APPROVE, "oauth_device_codes_user (user_digest=?)"),
    (oauth._FORGET_DEVICES, "oauth_device_codes_expiry (expires_at<?)"),
    (oauth._OF_USER, "oauth_grants_user (user_id=? AND ended_at=?)"),
    (leaks._FIND, "leaks USING PRIMARY KEY (organization_id=? AND id=?)"),
    (leaks._OF_TOKEN, "leaks_token (organization_id=? AND token_id=?)"),
    (leaks._UNANSWER, "leaks_token (organization_id=? AND token_id=?)"),
    (leaks._DROP_HANDOVER, "leaks_token (organization_id=? AND token_id=?)"),
    (leaksearch.SEARCH, "(organization_id=?)"),
    (leaksearch.SEARCH, "tokens USING PRIMARY KEY (organization_id=? AND id=?)"),
    (leaksearch.TALLY, "(organization_id=?)"),
    (leaks._REPORTERS, "(organization_id=?)"),
    (leaks._USED_SINCE, "(organization_id=? AND token_id=?)"),
    (leaks._ADDRESSES_BEFORE, "(organization_id=? AND token_id=?)"),
    (leaks._UNTOLD, "leaks_telling"),
    (leaks._ALL_HELD, "leaks_held"),
    (leaks._ALL_QUARANTINED, "leaks_quarantined"),
    (leaks._ACTED_SINCE, "leaks_acted (reporter=? AND acted_at>?)"),
    (leaks._SIGHTINGS, "leak_sightings USING PRIMARY KEY (organization_id=? AND leak_id=?)"),
    (leaks._REPORTS, "leak_reports_received"),
    (leaks._DROP_REPORTS, "leak_reports_received (received_at<?)"),
    (leaks._BY_PREFIX, "token_digests USING PRIMARY KEY (digest>? AND digest<?)"),
    (leaks._JOINED_SINCE, "agents USING PRIMARY KEY (organization_id=? AND id>?)"),
    (hygiene._REACHING, "token_grants USING PRIMARY KEY (organization_id=?)"),
    (hygiene._REACHING, "tokens USING PRIMARY KEY (organization_id=? AND id=?)"),
    (hygiene._REACHING_BY_DIGEST, "token_digests USING PRIMARY KEY (digest>? AND digest<?)"),
    (hygiene._LAST_USES, "uses_hour (organization_id=? AND token_id=? AND hour=?)"),
    (hygiene._CALLERS, "uses_hour (organization_id=? AND token_id=? AND hour>?)"),
    (hygiene._EXPIRING, "tokens_expiry (expires_at>? AND expires_at<?)"),
    *(
        (statement, "tokens_listed (organization_id=? AND kind=?)")
        for statement in (*tokensearch.PAGES.values(), tokensearch.COUNTS)
    ),
    (tokensearch.COUNTS, "token_grants USING PRIMARY KEY (organization_id=?)"),
    (tokensearch.PAGES[Order.LAST_USED, True], "uses_hour (organization_id=? AND token_id=?)"),
    (tallies._SINCE, "hourly_counts USING PRIMARY KEY (organization_id=? AND hour>?)"),
    (hygiene._DISABLED, "(user_id=?)"),
    (rosters._AGENTS, "agents USING PRIMARY KEY (organization_id=? AND id=?)"),
    (rosters._JOBS, "jobs USING PRIMARY KEY (organization_id=? AND id=?)"),
    (rosters._MATCHING, "agents_live (organization_id=?)"),
    (rosters._LOST_HERE, "agents_age (ended_at>?)"),
    (rosters._QUEUES, "queues USING PRIMARY KEY (organization_id=?)"),
    (rosters._AGENT_TOKENS, "tokens_listed (organization_id=? AND kind=?)"),
    (logs._CHUNKS, "log_chunks USING PRIMARY KEY (organization_id=? AND job_id=?)"),
    (teams._PLACES, "team_members_user (organization_id=? AND user_id=?)"),
    (teams._MEMBERS, "team_members USING PRIMARY KEY (organization_id=? AND team_id=?)"),
    (maintainers._OF_USER, "maintainers_user (organization_id=? AND user_id=?)"),
    (maintainers._OF_TEAM, "maintainers_team (organization_id=? AND team_id=?)"),
    (maintainers._LIST_CLUSTER, "maintainers_cluster (organization_id=? AND cluster_id=?)"),
    (portals._BY_SLUG, "portals_slug (organization_id=? AND slug=?)"),
    (portals._LIST, "portals USING PRIMARY KEY (organization_id=?)"),
    (portals._CODE, "portal_codes USING PRIMARY KEY (organization_id=? AND portal_id=? AND digest=?)"),
    (portals._USE_CODE, "portal_codes USING PRIMARY KEY (organization_id=? AND portal_id=? AND digest=?)"),
    (portals._FORGET_CODES, "portal_codes_expiry (expires_at<?)"),
    (portals._LIVE_TOKENS, "tokens_resource (organization_id=? AND resource_id=?)"),
    (portals._TOKENS, "tokens_resource (organization_id=? AND resource_id=?)"),
    (invitations._LIST_PENDING, "invitations_pending (organization_id=?)"),
    (invitations._BY_DIGEST, "invitations_digest (digest=?)"),
    (deployments._BY_NAME, "deployments_name (organization_id=? AND name=?)"),
    (deployments._BY_NUMBER, "deployments_number (organization_id=? AND number=?)"),
    (deployments._GRANTS, "deployment_grants USING PRIMARY KEY (organization_id=? AND token_id=?)"),
    (deployments._ROLES, "deployment_roles USING PRIMARY KEY (organization_id=? AND user_id=?)"),
    (deployments._NUMBER_OF, "client_numbers_id (organization_id=? AND noun=? AND id=?)"),
    (deployments._ID_OF, "client_numbers USING PRIMARY KEY (organization_id=? AND noun=? AND number=?)"),
    (deployments._ALL_TOKENS, "tokens_listed (organization_id=? AND kind=?)"),
]


# A grown installation: rows of a table, and what columns hold in row `n`; the others are empty.
ROWS = {
    "token_digests": (20_000, {"digest": "int8send(n)", "token_id": "n::text"}),
    "tokens": (
        20_000,
        {
            "organization_id": "(n % 3)::text",
            "id": "n::text",
            "kind": "CASE n % 100 WHEN 0 THEN 'agent' ELSE 'agent_session' END",
            "cluster_id": "(n % 7)::text",
            "resource_id": "CASE n % 50 WHEN 0 THEN (n % 200)::text END",
            "state": "'active'",
        },
    ),
    "agents": (
        20_000,
        {
            "organization_id": "(n % 3)::text",
            "id": "n::text",
            "token_id": "(n % 50)::text",
            "state": "CASE n % 100 WHEN 0 THEN 'connected' ELSE 'lost' END",
            "ended_at": "CASE n % 100 WHEN 0 THEN 0 ELSE n END",
        },
    ),
    "builds": (
        5_000,
        {"organization_id": "(n % 3)::text", "id": "n::text", "pipeline_id": "(n % 11)::text", "number": "n"},
    ),
    "jobs": (
        20_000,
        {
            "organization_id": "(n % 3)::text",
            "id": "n::text",
            "build_id": "(n / 4)::text",
            "state": "CASE n % 100 WHEN 0 THEN 'scheduled' ELSE 'finished' END",
        },
    ),
    "uses": (
        20_000,
        {"organization_id": "(n % 3)::text", "token_id": "(n / 40)::text", "hour": "n", "address": "n::text"},
    ),
    "cache_entries": (
        20_000,
        {
            "organization_id": "(n % 3)::text",
            "id": "n::text",
            "cluster_id": "(n % 41)::text",
            "registry_id": "(n % 83)::text",
            "address": "(n / 2)::text",
            "family": "(n / 20)::text",
            "expires_at": "n",
        },
    ),
    "token_grants": (
        20_000,
        {"organization_id": "(n % 300)::text", "token_id": "n::text", "home_id": "(n % 3)::text"},
    ),
    "rotations": (
        20_000,
        {
            "organization_id": "(n % 3)::text",
            "successor_id": "n::text",
            "predecessor_id": "(n / 7)::text || CASE n % 1000 WHEN 0 THEN n::text ELSE '' END",
            "state": "CASE n % 1000 WHEN 0 THEN 'open' ELSE 'committed' END",
        },
    ),
    "incidents": (
        20_000,
        {
            "organization_id": "(n % 3)::text",
            "id": "n::text",
            "token_id": "(n / 7)::text || CASE n % 1000 WHEN 0 THEN n::text ELSE '' END",
            "state": "CASE n % 1000 WHEN 0 THEN 'open' ELSE 'closed' END",
        },
    ),
    "leaks": (
        20_000,
        {
            "organization_id": "(n % 300)::text",
            "id": "n::text",
            "token_id": "n::text",
            "state": "CASE n % 1000 WHEN 0 THEN 'held' ELSE 'closed' END",
            "outcome": "CASE n % 1000 WHEN 0 THEN 'quarantined' ELSE 'revoked' END",
            "reporter": "(n % 5)::text",
            "telling": "CASE n % 1000 WHEN 0 THEN 1 ELSE 0 END",
            "first_at": "n",
            "acted_at": "n",
            "held_until": "n",
        },
    ),
    "leak_sightings": (
        20_000,
        {"organization_id": "(n % 3)::text", "leak_id": "(n / 5)::text", "key": "n::text"},
    ),
    "leak_reports": (20_000, {"digest": "int8send(n)", "received_at": "n"}),
    "hourly_counts": (20_000, {"organization_id": "(n % 3)::text", "hour": "n / 9", "name": "n::text"}),
    "user_sign_ins": (20_000, {"user_id": "n::text"}),
    "users": (20_000, {"id": "n::text", "email": "n::text"}),
    "teams": (900, {"organization_id": "(n % 3)::text", "id": "n::text", "slug": "n::text"}),
    "team_members": (
        20_000,
        {
            "organization_id": "(n % 3)::text",
            "team_id": "(n / 60)::text",
            "user_id": "n::text",
            "id": "n::text",
        },
    ),
    "maintainers": (
        20_000,
        {
            "organization_id": "(n % 3)::text",
            "id": "n::text",
            "cluster_id": "(n % 700)::text",
            "user_id": "(n / 5)::text",
            "team_id": "(n / 4)::text",
        },
    ),
    "invitations": (
        20_000,
        {
            "organization_id": "(n % 3)::text",
            "id": "n::text",
            "email": "n::text",
            "digest": "int8send(n)",
            "state": "CASE n % 1000 WHEN 0 THEN 'pending' ELSE 'accepted' END",
        },
    ),
    "portal_codes": (
        20_000,
        {
            "organization_id": "(n % 3)::text",
            "portal_id": "(n % 70)::text",
            "digest": "int8send(n)",
            "expires_at": "n",
            "approved_at": "n",
        },
    ),
    "log_chunks": (20_000, {"organization_id": "(n % 3)::text", "job_id": "(n / 9)::text", "sequence": "n"}),
    "deployments": (
        9_000,
        {
            "organization_id": "(n % 3)::text",
            "id": "n::text",
            "number": "n",
            "name": "n::text",
            "deleted_at": "CASE n % 2 WHEN 0 THEN 0 ELSE n END",
        },
    ),
    "deployment_grants": (
        9_000,
        {"organization_id": "(n % 3)::text", "token_id": "(n / 9)::text", "deployment_id": "n::text"},
    ),
    "deployment_roles": (
        9_000,
        {"organization_id": "(n % 3)::text", "user_id": "(n / 9)::text", "deployment_id": "n::text"},
    ),
    "registries": (
        9_000,
        {"organization_id": "(n % 3)::text", "id": "n::text", "slug": "n::text"},
    ),
    "packages": (
        9_000,
        {
            "organization_id": "(n % 3)::text",
            "id": "n::text",
            "registry_id": "(n % 30)::text",
            "project": "(n / 90)::text",
            "version": "n::text",
        },
    ),
    "package_files": (
        9_000,
        {
            "organization_id": "(n % 3)::text",
            "id": "n::text",
            "registry_id": "(n % 30)::text",
            "package_id": "(n / 3)::text",
            "project": "(n / 90)::text",
            "filename": "n::text",
            "deleted_at": "CASE n % 100 WHEN 0 THEN n ELSE 0 END",
        },
    ),
    "client_numbers": (
        9_000,
        {"organization_id": "(n % 3)::text", "noun": "'token'", "number": "n", "id": "n::text"},
    ),
}


def _fill(name: str) -> str:
    """SQL that makes a table's rows."""
    count, values = ROWS[name]
    empty = {"TEXT": "''", "BIGINT": "0", "BLOB": "''::bytea"}
    columns = metadata.tables[name].columns
    made = [values.get(column.name) or empty[str(column.type)] for column in columns]
    names = ", ".join(f'"{column.name}"' for column in columns)
    return f"INSERT INTO {name} ({names}) SELECT {', '.join(made)} FROM generate_series(1, {count}) n"


@pytest.fixture(scope="module")
def grown(postgresql: PostgresServer) -> Iterator[PostgresDatabase]:
    """A database of a grown installation, with the statistics that the server gathers by itself."""
    made = postgresql.database()
    postgresql.cluster.sql(";".join(map(_fill, ROWS)) + "; ANALYZE", made.name)
    yield made
    made.remove()


async def _explain(url: str, statement: Statement) -> str:
    """The plan for whatever values, under the settings of our connections."""
    compiled = postgres_session.compiled(statement)
    connection = await postgres_session.connect(url)
    try:
        await connection.execute(f"SET plan_cache_mode = force_generic_plan; PREPARE asked AS {compiled.sql}")
        values = f"({','.join(['NULL'] * len(compiled.names))})" if compiled.names else ""
        return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE asked{values}"))
    finally:
        await connection.close()


@pytest.mark.parametrize(("statement", "plan"), PLANS, ids=[plan for _, plan in PLANS])
def test_plan_on_sqlite(world: World, statement: Statement, plan: str) -> None:
    assert isinstance(world.store, SqliteStore)
    sql, names, _ = statement.compiled(_DIALECT)
    rows = world.store._reader.raw.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * len(names)).fetchall()
    assert plan in " / ".join(row[3] for row in rows)


@pytest.mark.parametrize(("statement", "plan"), PLANS, ids=[plan for _, plan in PLANS])
def test_plan_on_postgresql(grown: PostgresDatabase, statement: Statement, plan: str) -> None:
    named = re.search(r"(\w+) USING PRIMARY KEY|(?:USING INDEX )?(\w+)(?: \(|$)", plan)
    index = rf"{named[2] or f'{named[1]}_pkey'}\b" if named else r"\w+"
    found = asyncio.run(_explain(grown.url, statement))
    assert "Seq Scan" not in found
    scan = re.search(
        rf"Index (?:Only )?Scan (?:Backward )?(?:using|on) {index}.*(?:\n\s+Index Cond: (.*))?", found
    )
    assert scan, found
    assert set(re.findall(r"(\w+)=", plan)) <= set(re.findall(r"\b(\w+) (?:=|IS NULL)", scan[1] or "")), found
