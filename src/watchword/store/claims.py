"""Claims: the first job that waits in a queue, taken by one of many who reach for it at once."""

import msgspec
from sqlalchemy import Select, bindparam, select, update

from watchword.domain.ids import AgentId, OrganizationId, QueueId
from watchword.domain.pipelines import Job, JobState
from watchword.store.engine import Connection, Statement, one_of
from watchword.store.mapping import Mapper
from watchword.store.tables import jobs

JOBS = Mapper(jobs, Job)
_j = jobs.c
_WAITING = (
    select(_j.id)
    .where(
        _j.organization_id == bindparam("organization_id_"),
        one_of(_j.state, (JobState.SCHEDULED.value,)),
        _j.rules == bindparam("rules_"),
    )
    .order_by(_j.priority.desc(), _j.runnable_at, _j.id)
    .limit(1)
    # PostgreSQL passes over rows that others are just taking; SQLite has one writer and no such clause.
    .with_for_update(skip_locked=True)
)
_TAKE = (
    update(jobs)
    .values(
        state=JobState.ACCEPTED.value,
        fence=_j.fence + 1,
        agent_id=bindparam("agent_id_"),
        token_key=bindparam("token_key_"),
        token_issued_at=bindparam("at_"),
        token_expires_at=bindparam("token_expires_at_"),
        accepted_at=bindparam("at_"),
    )
    .returning(*JOBS.columns)
)


def _claim(waiting: Select[str]) -> Statement:
    first = waiting.scalar_subquery()
    return Statement(_TAKE.where(_j.organization_id == bindparam("organization_id_"), _j.id == first))


_IN_QUEUE = _claim(_WAITING.where(_j.queue_id == bindparam("queue_id_")))
_OUTSIDE = _claim(_WAITING.where(_j.queue_id.is_(None)))


async def claim_next(
    connection: Connection,
    organization_id: OrganizationId,
    queue_id: QueueId | None,
    rules: tuple[str, ...],
    agent_id: AgentId,
    at: int,
    token_key: int,
    token_expires_at: int,
) -> Job | None:
    """`store.base_work.Builds.claim_next` on a connection."""
    parameters = {
        "organization_id_": organization_id,
        "queue_id_": queue_id,
        "rules_": msgspec.json.encode(rules).decode(),
        "agent_id_": agent_id,
        "at_": at,
        "token_key_": token_key,
        "token_expires_at_": token_expires_at,
    }
    row = await connection.one(_IN_QUEUE if queue_id is not None else _OUTSIDE, parameters)
    return JOBS.decode(row) if row else None
