"""Retention in the database: every statement is bounded, and finds what is due by an index."""

from collections.abc import Sequence

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    select,
    text,
    tuple_,
    update,
)

from watchword.domain.artifacts import Artifact, ArtifactState
from watchword.domain.ids import BuildId, JobId, OrganizationId, TokenId
from watchword.domain.pipelines import Build, JobState
from watchword.domain.use import HOUR_US
from watchword.store.artifacts import ARTIFACTS
from watchword.store.builds import BUILDS
from watchword.store.engine import Connection, Statement, one_of
from watchword.store.tables import (
    agent_identities,
    agents,
    artifacts,
    audit_events,
    builds,
    jobs,
    log_chunks,
    metadata,
    outbox,
    refusals,
    uses,
)

_j, _a, _b, _g, _u, _e, _k = (t.c for t in (jobs, artifacts, builds, agents, uses, audit_events, log_chunks))
_BEFORE: BindParameter[int] = bindparam("before_")
_LIMIT: BindParameter[int] = bindparam("limit_")
# Partial indexes are used only where their conditions stand word for word.
_LOGGED = text("jobs.log_size > 0 AND jobs.log_ended_at IS NULL AND jobs.finished_at > 0")
_KEPT = text("artifacts.state <> 'deleted' AND artifacts.state <> 'expired'")
_ENDED_BUILD = text("builds.finished_at > 0")
_LEFT = text("agents.ended_at > 0")
_OPEN_JOB = one_of(_j.state, [state.value for state in JobState if not state.ended])
_HELD_JOB = one_of(_j.state, [state.value for state in JobState if state.held])


def _own(table: Table, *names: str) -> ColumnElement[bool]:
    """Rows of one organization with these columns given as parameters."""
    return and_(*(table.c[name] == bindparam(f"{name}_") for name in ("organization_id", *names)))


def _drop(table: Table, which: "Select[tuple[object, ...]]") -> Statement:
    """Delete the rows whose keys a bounded selection names."""
    keys = list(table.primary_key.columns)
    key = tuple_(*keys) if len(keys) > 1 else keys[0]
    return Statement(delete(table).where(key.in_(which)))


def _keys(table: Table) -> "Select[tuple[object, ...]]":
    return select(*table.primary_key.columns)


_ONE_JOB = _own(jobs, "id")
_DUE_LOGS = Statement(
    select(_j.organization_id, _j.id)
    .where(_LOGGED, _j.finished_at < _BEFORE)
    .order_by(_j.finished_at)
    .limit(_LIMIT)
)
_DROP_CHUNKS = _drop(
    log_chunks, _keys(log_chunks).where(_own(log_chunks, "job_id")).order_by(_k.sequence).limit(_LIMIT)
)
_END_LOG = Statement(update(jobs).where(_ONE_JOB).values(log_ended_at=bindparam("at_")))
_LOG_ENDED = Statement(select(_j.log_ended_at).where(_ONE_JOB))
_BUILD_OF_ARTIFACT = and_(_b.organization_id == _a.organization_id, _b.id == _a.build_id)
_DUE_ARTIFACTS = Statement(
    select(*ARTIFACTS.columns)
    .where(_KEPT, _a.created_at < _BEFORE, exists().where(_BUILD_OF_ARTIFACT, _ENDED_BUILD))
    .order_by(_a.created_at)
    .limit(_LIMIT)
)
_JOB_OF_ARTIFACT = and_(_j.organization_id == _a.organization_id, _j.id == _a.job_id)
_ABANDONED = Statement(
    select(*ARTIFACTS.columns)
    .where(
        _KEPT,
        _a.created_at < _BEFORE,
        _a.state == ArtifactState.NEW.value,
        ~exists().where(_JOB_OF_ARTIFACT, _HELD_JOB),
    )
    .order_by(_a.created_at)
    .limit(_LIMIT)
)
_ALIVE = exists().where(_j.organization_id == _b.organization_id, _j.build_id == _b.id, _OPEN_JOB)
_DUE_BUILDS = Statement(
    select(*BUILDS.columns)
    .where(_ENDED_BUILD, _b.finished_at < _BEFORE, ~_ALIVE)
    .order_by(_b.finished_at)
    .limit(_LIMIT)
)
_OPEN_BUILDS = Statement(select(func.count()).where(_own(builds), text("builds.finished_at = 0")))
_COUNT_JOBS = Statement(select(func.count()).where(_own(jobs, "build_id")))
_DROP_BUILD = Statement(
    delete(builds).where(_own(builds, "id"), _b.finished_at == bindparam("finished_at_"), ~_ALIVE)
)
# Whatever belongs to a build or to one of its jobs, also in tables that came later.
_OF_BUILD = [table for table in metadata.tables.values() if "build_id" in table.c]
_OF_JOB = [
    table for table in metadata.tables.values() if "job_id" in table.primary_key and "build_id" not in table.c
]
_JOBS_OF_BUILD = select(_j.id).where(_own(jobs, "build_id"))
_DROP_OF_JOBS = [
    Statement(
        delete(table).where(
            table.c.organization_id == bindparam("organization_id_"), table.c.job_id.in_(_JOBS_OF_BUILD)
        )
    )
    for table in _OF_JOB
]
_DROP_OF_BUILD = [Statement(delete(table).where(_own(table, "build_id"))) for table in _OF_BUILD]
_OLD_AGENTS = _keys(agents).where(_LEFT, _g.ended_at < _BEFORE).order_by(_g.ended_at).limit(_LIMIT)
_DROP_AGENTS = _drop(agents, _OLD_AGENTS)
_DROP_IDENTITIES = _drop(agent_identities, _OLD_AGENTS)
_HOLDERS = Statement(
    select(_u.organization_id, _u.token_id)
    .where(
        tuple_(_u.organization_id, _u.token_id)
        > tuple_(bindparam("organization_id_"), bindparam("token_id_"))
    )
    .distinct()
    .order_by(_u.organization_id, _u.token_id)
    .limit(_LIMIT)
)
_same = uses.alias()
_LAST_USE = (
    select(func.max(_same.c.last_at))
    .where(
        _same.c.organization_id == bindparam("organization_id_"), _same.c.token_id == bindparam("token_id_")
    )
    .scalar_subquery()
)
_DROP_USES = Statement(delete(uses).where(_own(uses, "token_id"), _u.hour < _BEFORE, _u.last_at < _LAST_USE))
_DROP_REFUSALS = _drop(
    refusals, _keys(refusals).where(refusals.c.hour < _BEFORE).order_by(refusals.c.hour).limit(_LIMIT)
)
_OLDEST_NOTICES = Statement(select(outbox.c.id, outbox.c.at).order_by(outbox.c.id).limit(_LIMIT))
_DROP_NOTICES = Statement(delete(outbox).where(outbox.c.id <= bindparam("last_")))


def _run_before(rows: Sequence[Sequence[int]], before: int) -> list[int]:
    """Numbers of the leading rows that are due; nothing after one that is not."""
    found = []
    for number, at in rows:
        if at >= before:
            break
        found.append(int(number))
    return found


class HouseRows:
    """`store.base.House` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def due_logs(self, before: int, limit: int) -> Sequence[tuple[OrganizationId, JobId]]:
        rows = await self._cx.all(_DUE_LOGS, {"before_": before, "limit_": limit})
        return [(OrganizationId(owner), JobId(job_id)) for owner, job_id in rows]

    async def drop_chunks(self, organization_id: OrganizationId, job_id: JobId, limit: int) -> int:
        parameters = {"organization_id_": organization_id, "job_id_": job_id, "limit_": limit}
        return await self._cx.run(_DROP_CHUNKS, parameters)

    async def end_log(self, organization_id: OrganizationId, job_id: JobId, at: int) -> None:
        await self._cx.run(_END_LOG, {"organization_id_": organization_id, "id_": job_id, "at_": at})

    async def log_ended_at(self, organization_id: OrganizationId, job_id: JobId) -> int:
        row = await self._cx.one(_LOG_ENDED, {"organization_id_": organization_id, "id_": job_id})
        return int(row[0] or 0) if row else 0

    async def due_artifacts(self, before: int, limit: int) -> Sequence[Artifact]:
        rows = await self._cx.all(_DUE_ARTIFACTS, {"before_": before, "limit_": limit})
        return [ARTIFACTS.decode(row) for row in rows]

    async def abandoned_artifacts(self, before: int, limit: int) -> Sequence[Artifact]:
        rows = await self._cx.all(_ABANDONED, {"before_": before, "limit_": limit})
        return [ARTIFACTS.decode(row) for row in rows]

    async def due_builds(self, before: int, limit: int) -> Sequence[Build]:
        rows = await self._cx.all(_DUE_BUILDS, {"before_": before, "limit_": limit})
        return [BUILDS.decode(row) for row in rows]

    async def open_builds(self, organization_id: OrganizationId) -> int:
        row = await self._cx.one(_OPEN_BUILDS, {"organization_id_": organization_id})
        return int(row[0]) if row else 0

    async def jobs_of_build(self, organization_id: OrganizationId, build_id: BuildId) -> int:
        parameters = {"organization_id_": organization_id, "build_id_": build_id}
        row = await self._cx.one(_COUNT_JOBS, parameters)
        return int(row[0]) if row else 0

    async def drop_build(self, build: Build) -> bool:
        owner = {"organization_id_": build.organization_id}
        one = {**owner, "id_": build.id, "finished_at_": build.finished_at}
        if await self._cx.run(_DROP_BUILD, one) != 1:
            return False
        for statement in (*_DROP_OF_JOBS, *_DROP_OF_BUILD):
            await self._cx.run(statement, {**owner, "build_id_": build.id})
        return True

    async def drop_agents(self, before: int, limit: int) -> int:
        which = {"before_": before, "limit_": limit}
        await self._cx.run(_DROP_IDENTITIES, which)  # first: by then the agents would not be found
        return await self._cx.run(_DROP_AGENTS, which)

    async def use_holders(
        self, after: tuple[OrganizationId, TokenId], limit: int
    ) -> Sequence[tuple[OrganizationId, TokenId]]:
        parameters = {"organization_id_": after[0], "token_id_": after[1], "limit_": limit}
        rows = await self._cx.all(_HOLDERS, parameters)
        return [(OrganizationId(owner), TokenId(token_id)) for owner, token_id in rows]

    async def drop_uses(self, organization_id: OrganizationId, token_id: TokenId, before: int) -> int:
        parameters = {
            "organization_id_": organization_id,
            "token_id_": token_id,
            "before_": before // HOUR_US,
        }
        return await self._cx.run(_DROP_USES, parameters)

    async def drop_refusals(self, before: int, limit: int) -> int:
        return await self._cx.run(_DROP_REFUSALS, {"before_": before // HOUR_US, "limit_": limit})

    async def drop_notices(self, before: int, limit: int) -> int:
        due = _run_before(await self._cx.all(_OLDEST_NOTICES, {"limit_": limit}), before)
        return await self._cx.run(_DROP_NOTICES, {"last_": due[-1]}) if due else 0
