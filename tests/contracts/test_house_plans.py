"""SQLite's plans: what is due is found by an index that holds nothing else, and deleted by key."""

import pytest

from support import World
from watchword.store import artifacts, house, pipelines, queues, tallies, trail
from watchword.store.engine import Statement
from watchword.store.sqlite import _DIALECT, SqliteStore


@pytest.fixture
def make_of_database() -> str:
    """These are SQLite's own words."""
    return "sqlite"


PLANS = [
    (house._DUE_LOGS, "USING INDEX jobs_log_age (finished_at>? AND finished_at<?)"),
    (house._DROP_CHUNKS, "USING PRIMARY KEY (organization_id=? AND job_id=?"),
    (house._DUE_ARTIFACTS, "USING INDEX artifacts_age (created_at<?)"),
    (house._ABANDONED, "USING INDEX artifacts_age (created_at<?)"),
    (house._DUE_BUILDS, "USING INDEX builds_age (finished_at>? AND finished_at<?)"),
    (house._OPEN_BUILDS, "USING INDEX builds_open (organization_id=?)"),
    (house._COUNT_JOBS, "jobs_build (organization_id=? AND build_id=?)"),
    (house._DROP_AGENTS, "USING COVERING INDEX agents_age (ended_at>? AND ended_at<?)"),
    (house._DROP_USES, "SEARCH uses USING"),
    (house._DROP_REFUSALS, "SEARCH refusals USING PRIMARY KEY (hour<?)"),
    (tallies._DROP, "hourly_counts USING PRIMARY KEY (organization_id=? AND hour<?)"),
    (trail._AT, "SEARCH audit_events USING PRIMARY KEY (organization_id=? AND sequence>?)"),
    (trail._LATEST, "SEARCH audit_events USING PRIMARY KEY (organization_id=?)"),
    (pipelines._COUNT_BUILDS, "builds_open (organization_id=?)"),
    (pipelines._COUNT_JOBS, "builds_open (organization_id=?)"),
    (pipelines._COUNT_JOBS, "jobs_build (organization_id=? AND build_id=?)"),
    (pipelines._ENDED_BUILDS, "builds_number (organization_id=? AND pipeline_id=?)"),
    (pipelines._DROP, "USING PRIMARY KEY (organization_id=? AND id=?)"),
    (queues._AGENTS, "agents_live (organization_id=?)"),
    (artifacts._BATCH, "artifacts_batch (organization_id=? AND job_id=? AND batch_id=?)"),
    (artifacts._BUILD, "artifacts_build (organization_id=? AND build_id=?)"),
    (artifacts._ROOM_OF_BUILD, "artifacts_build (organization_id=? AND build_id=?)"),
]


@pytest.mark.parametrize(("statement", "plan"), PLANS, ids=[plan for _, plan in PLANS])
def test_plan(world: World, statement: Statement, plan: str) -> None:
    assert isinstance(world.store, SqliteStore)
    sql, names, _ = statement.compiled(_DIALECT)
    rows = world.store._reader.raw.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * len(names)).fetchall()
    assert plan in " / ".join(row[3] for row in rows)
