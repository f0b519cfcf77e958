"""SQLite's plans: what grows with an installation is found by an index, never by reading it all."""

import pytest

from support import World
from watchword.store import audit, builds, fleet, logs, tokens
from watchword.store.engine import Statement
from watchword.store.sqlite import _DIALECT

PLANS = [
    (tokens._BY_DIGEST, "SEARCH token_digests USING PRIMARY KEY (digest=?)"),
    (tokens._FIND, "SEARCH tokens USING PRIMARY KEY (organization_id=? AND id=?)"),
    (tokens._LIST_CLUSTER, "tokens_listed (organization_id=? AND kind=? AND cluster_id=?)"),
    (tokens._LIST_ALL, "tokens_listed (organization_id=? AND kind=?)"),
    (fleet._NEVER_CONNECTED, "agents_live (organization_id=? AND token_id=?)"),
    (fleet._LIVE, "USING INDEX agents_live"),
    (fleet._list_statement(("connected",), False), "agents_live (organization_id=?)"),
    (builds._JOBS, "jobs_build (organization_id=? AND build_id=?)"),
    (builds._OPEN_JOBS, "jobs_state (state=?)"),
    (builds._JOB, "(id=?)"),
    (builds._BUILD_BY_NUMBER, "builds_number (organization_id=? AND pipeline_id=? AND number=?)"),
    (builds._HELD_BACK, "jobs_state (state=? AND organization_id=?)"),
    (audit._LAST_USE, "USING INDEX uses_hour (organization_id=? AND token_id=?)"),
    (logs._CHUNKS, "log_chunks USING PRIMARY KEY (organization_id=? AND job_id=?)"),
]


@pytest.mark.parametrize(("statement", "plan"), PLANS, ids=[plan for _, plan in PLANS])
def test_plan(world: World, statement: Statement, plan: str) -> None:
    sql, names, _ = statement.compiled(_DIALECT)
    rows = world.store._reader.raw.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * len(names)).fetchall()
    assert plan in " / ".join(row[3] for row in rows)
