"""Pipelines, builds and jobs in the database."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import BigInteger, and_, bindparam, case, func, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from watchword.domain.ids import AgentId, BuildId, JobId, OrganizationId, PipelineId, QueueId
from watchword.domain.pipelines import Build, BuildState, Job, JobState, Pipeline, Standing
from watchword.domain.tokens import MINUTE_US
from watchword.store.base import Page
from watchword.store.base_work import HeldBack
from watchword.store.claims import claim_next
from watchword.store.counters import count_up
from watchword.store.engine import Connection, Statement, one_of
from watchword.store.jobs import JobMoves
from watchword.store.mapping import Mapper
from watchword.store.tables import builds, jobs, pipelines

PIPELINES = Mapper(pipelines, Pipeline)
BUILDS = Mapper(builds, Build)
JOBS = Mapper(jobs, Job)
STANDINGS = Mapper(jobs, Standing)

_p, _b, _j = pipelines.c, builds.c, jobs.c
_HELD = tuple(state.value for state in JobState if state.held)
_RUNNING = (JobState.RUNNING.value, JobState.CANCELING.value, JobState.TIMING_OUT.value)
_OPEN = tuple(state.value for state in JobState if not state.ended)
_NOT_HELD = tuple(state.value for state in JobState if not (state.held or state.ended))

_ADD_PIPELINE = Statement(insert(pipelines))
_PIPELINE = Statement(
    select(*PIPELINES.columns).where(
        _p.organization_id == bindparam("organization_id_"),
        _p.id == bindparam("id_"),
        _p.deleted_at.is_(None),
    )
)
_PIPELINE_BY_SLUG = Statement(
    select(*PIPELINES.columns).where(
        _p.organization_id == bindparam("organization_id_"),
        _p.slug == bindparam("slug_"),
        _p.deleted_at.is_(None),
    )
)
_LIST_PIPELINES = Statement(
    select(*PIPELINES.columns)
    .where(_p.organization_id == bindparam("organization_id_"), _p.deleted_at.is_(None))
    .order_by(_p.id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_PIPELINE_FIELDS = (
    "cluster_id",
    "name",
    "repository",
    "default_branch",
    "configuration",
    "description",
    "env",
    "default_timeout_minutes",
    "maximum_timeout_minutes",
    "document",
    "archived_at",
    "tags",
)
_SAVE_PIPELINE = Statement(
    update(pipelines)
    .where(_p.organization_id == bindparam("organization_id_"), _p.id == bindparam("id_"))
    .values({name: bindparam(f"{name}_") for name in _PIPELINE_FIELDS})
)
_ADD_BUILD = Statement(insert(builds))
_ONE_BUILD = and_(_b.organization_id == bindparam("organization_id_"), _b.id == bindparam("id_"))
_BUILD = Statement(select(*BUILDS.columns).where(_ONE_BUILD))
_BUILD_BY_NUMBER = Statement(
    select(*BUILDS.columns).where(
        _b.organization_id == bindparam("organization_id_"),
        _b.pipeline_id == bindparam("pipeline_id_"),
        _b.number == bindparam("number_"),
    )
)
_BUILDS = (
    select(*BUILDS.columns)
    .where(_b.organization_id == bindparam("organization_id_"))
    .order_by(_b.id.desc())
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_LIST_BUILDS = Statement(
    _BUILDS.where(
        _b.pipeline_id.not_in(
            select(_p.id).where(
                _p.organization_id == bindparam("organization_id_"), _p.deleted_at.is_not(None)
            )
        )
    )
)
_LIST_PIPELINE_BUILDS = Statement(_BUILDS.where(_b.pipeline_id == bindparam("pipeline_id_")))


def _first_time(column: ColumnElement[int], name: str) -> ColumnElement[int]:
    """Keep the time that a column holds; else take the parameter, which is 0 where nothing is reached."""
    return case((column == 0, bindparam(name, type_=BigInteger)), else_=column)


_STATE = {
    "state": bindparam("state_"),
    "blocked_state": bindparam("blocked_state_"),
    "started_at": _first_time(_b.started_at, "started_"),
}
_END_BUILD = Statement(
    update(builds).where(_ONE_BUILD).values(**_STATE, finished_at=_first_time(_b.finished_at, "at_"))
)
_SET_BUILD_STATE = Statement(update(builds).where(_ONE_BUILD).values(**_STATE, finished_at=0))
# The write changes nothing and keeps other units of work from the row until this one ends.
_ENTER_BUILD = Statement(update(builds).where(_ONE_BUILD).values(state=_b.state).returning(*BUILDS.columns))
_BEGIN_BUILD = Statement(
    update(builds)
    .where(_ONE_BUILD, _b.state == BuildState.SCHEDULED.value)
    .values(state=BuildState.RUNNING.value, started_at=_first_time(_b.started_at, "at_"))
)
_CANCEL_BUILD = Statement(
    update(builds)
    .where(_ONE_BUILD, _b.canceled_at == 0)
    .values(canceled_at=bindparam("at_"), cancel_reason=bindparam("reason_"))
)
_REOPEN_BUILD = Statement(update(builds).where(_ONE_BUILD).values(canceled_at=0, cancel_reason=""))
_ADD_JOB = Statement(insert(jobs))
_ONE_JOB = and_(_j.organization_id == bindparam("organization_id_"), _j.id == bindparam("id_"))
_SAME_HANDS = and_(_ONE_JOB, _j.fence == bindparam("fence_"))
_JOB = Statement(select(*JOBS.columns).where(_ONE_JOB))
_JOBS = Statement(
    select(*JOBS.columns)
    .where(_j.organization_id == bindparam("organization_id_"), _j.build_id == bindparam("build_id_"))
    .order_by(_j.id)
)
_STANDINGS = Statement(
    select(*STANDINGS.columns)
    .where(_j.organization_id == bindparam("organization_id_"), _j.build_id == bindparam("build_id_"))
    .order_by(_j.id)
)
_OPEN_JOBS = Statement(select(*JOBS.columns).where(one_of(_j.state, _OPEN)).order_by(_j.id))
_ACCEPT = Statement(
    update(jobs)
    .where(_SAME_HANDS, one_of(_j.state, (JobState.SCHEDULED.value, JobState.RESERVED.value)))
    .values(
        state=JobState.ACCEPTED.value,
        fence=_j.fence + 1,
        agent_id=bindparam("agent_id_"),
        token_key=bindparam("token_key_"),
        token_issued_at=bindparam("at_"),
        token_expires_at=bindparam("token_expires_at_"),
        accepted_at=bindparam("at_"),
        agent_rights=bindparam("rights_"),
    )
)
_START = Statement(
    update(jobs)
    .where(_SAME_HANDS, _j.state == JobState.ACCEPTED.value)
    .values(state=JobState.RUNNING.value, started_at=bindparam("at_"))
)
_OUTCOME = ("exit_status", "signal", "signal_reason", "chunks_failed", "finished_at", "soft_failed")
_FINISH = Statement(
    update(jobs)
    .where(_SAME_HANDS, one_of(_j.state, _HELD))
    .values({"state": bindparam("state_"), **{name: bindparam(f"{name}_") for name in _OUTCOME}})
)
_RELEASE = Statement(
    update(jobs)
    .where(_SAME_HANDS, _j.state == JobState.ACCEPTED.value)
    .values(
        state=JobState.SCHEDULED.value,
        fence=_j.fence + 1,
        agent_id=None,
        token_issued_at=0,
        accepted_at=0,
        agent_rights="",
    )
)
_CANCEL_SCHEDULED = Statement(
    update(jobs)
    .where(_ONE_JOB, one_of(_j.state, _NOT_HELD))
    .values(state=JobState.CANCELED.value, finished_at=bindparam("at_"))
)
_CANCEL_HELD = Statement(
    update(jobs)
    .where(_ONE_JOB, one_of(_j.state, (JobState.ACCEPTED.value, JobState.RUNNING.value)))
    .values(state=JobState.CANCELING.value, canceling_at=bindparam("at_"))
)
_TIME_OUT = Statement(
    update(jobs)
    .where(
        _SAME_HANDS,
        _j.state == JobState.RUNNING.value,
        _j.timeout_minutes > 0,
        _j.started_at + _j.timeout_minutes * MINUTE_US <= bindparam("at_", type_=BigInteger),
    )
    .values(state=JobState.TIMING_OUT.value, canceling_at=bindparam("at_", type_=BigInteger))
)
_SET_TIMEOUT = Statement(
    update(jobs)
    .where(_SAME_HANDS, one_of(_j.state, (JobState.ACCEPTED.value, JobState.RUNNING.value)))
    .values(timeout_minutes=bindparam("minutes_"), initial_timeout_minutes=bindparam("initial_"))
)
_PROMISE = Statement(
    update(jobs)
    .where(_SAME_HANDS, one_of(_j.state, _RUNNING), _j.promised_status == "")
    .values(
        promised_status=bindparam("status_"),
        promised_reason=bindparam("reason_"),
        promised_at=bindparam("at_"),
    )
)
_HELD_BACK = Statement(
    select(_j.cluster_id, _j.queue_id, _j.rules, func.count())
    .where(
        _j.organization_id == bindparam("organization_id_"),
        one_of(_j.state, (JobState.WAITING.value, JobState.LIMITED.value)),
    )
    .group_by(_j.cluster_id, _j.queue_id, _j.rules)
)


def _hands(job: Job) -> dict[str, object]:
    return {"organization_id_": job.organization_id, "id_": job.id, "fence_": job.fence}


class BuildRows(JobMoves):
    """`store.base.Builds` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add_pipeline(self, pipeline: Pipeline) -> None:
        await self._cx.run(_ADD_PIPELINE, PIPELINES.encode(pipeline))

    async def pipeline(self, organization_id: OrganizationId, pipeline_id: PipelineId) -> Pipeline | None:
        row = await self._cx.one(_PIPELINE, {"organization_id_": organization_id, "id_": pipeline_id})
        return PIPELINES.decode(row) if row else None

    async def pipeline_by_slug(self, organization_id: OrganizationId, slug: str) -> Pipeline | None:
        row = await self._cx.one(_PIPELINE_BY_SLUG, {"organization_id_": organization_id, "slug_": slug})
        return PIPELINES.decode(row) if row else None

    async def pipelines(self, organization_id: OrganizationId, page: Page) -> Sequence[Pipeline]:
        parameters = {"organization_id_": organization_id, "limit_": page.limit, "offset_": page.offset}
        return [PIPELINES.decode(row) for row in await self._cx.all(_LIST_PIPELINES, parameters)]

    async def save_pipeline(self, pipeline: Pipeline) -> None:
        row = PIPELINES.encode(pipeline)
        parameters = {f"{name}_": row[name] for name in ("organization_id", "id", *_PIPELINE_FIELDS)}
        await self._cx.run(_SAVE_PIPELINE, parameters)

    async def next_build_number(self, organization_id: OrganizationId, pipeline_id: PipelineId) -> int:
        return await count_up(self._cx, organization_id, f"build_number:{pipeline_id}")

    async def add_build(self, build: Build) -> None:
        await self._cx.run(_ADD_BUILD, BUILDS.encode(build))

    async def build(self, organization_id: OrganizationId, build_id: BuildId) -> Build | None:
        row = await self._cx.one(_BUILD, {"organization_id_": organization_id, "id_": build_id})
        return BUILDS.decode(row) if row else None

    async def build_by_number(
        self, organization_id: OrganizationId, pipeline_id: PipelineId, number: int
    ) -> Build | None:
        parameters = {
            "organization_id_": organization_id,
            "pipeline_id_": pipeline_id,
            "number_": number,
        }
        row = await self._cx.one(_BUILD_BY_NUMBER, parameters)
        return BUILDS.decode(row) if row else None

    async def builds(
        self, organization_id: OrganizationId, pipeline_id: PipelineId | None, page: Page
    ) -> Sequence[Build]:
        parameters = {
            "organization_id_": organization_id,
            "pipeline_id_": pipeline_id,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        statement = _LIST_BUILDS if pipeline_id is None else _LIST_PIPELINE_BUILDS
        return [BUILDS.decode(row) for row in await self._cx.all(statement, parameters)]

    async def enter_build(self, organization_id: OrganizationId, build_id: BuildId) -> Build | None:
        row = await self._cx.one(_ENTER_BUILD, {"organization_id_": organization_id, "id_": build_id})
        return BUILDS.decode(row) if row else None

    async def begin_build(self, organization_id: OrganizationId, build_id: BuildId, at: int) -> None:
        await self._cx.run(_BEGIN_BUILD, {"organization_id_": organization_id, "id_": build_id, "at_": at})

    async def set_build_state(
        self,
        organization_id: OrganizationId,
        build_id: BuildId,
        state: BuildState,
        at: int,
        blocked_state: str = "",
    ) -> None:
        parameters = {
            "organization_id_": organization_id,
            "id_": build_id,
            "state_": state.value,
            "blocked_state_": blocked_state,
            "started_": at if state is BuildState.RUNNING or state.ended else 0,
        }
        if state.ended:
            await self._cx.run(_END_BUILD, parameters | {"at_": at})
        else:
            await self._cx.run(_SET_BUILD_STATE, parameters)

    async def cancel_build(
        self, organization_id: OrganizationId, build_id: BuildId, at: int, reason: str
    ) -> bool:
        parameters = {"organization_id_": organization_id, "id_": build_id, "at_": at, "reason_": reason}
        return await self._cx.run(_CANCEL_BUILD, parameters) == 1

    async def reopen_build(self, organization_id: OrganizationId, build_id: BuildId) -> None:
        await self._cx.run(_REOPEN_BUILD, {"organization_id_": organization_id, "id_": build_id})

    async def add_job(self, job: Job) -> None:
        await self._cx.run(_ADD_JOB, JOBS.encode(job))

    async def job(self, organization_id: OrganizationId, job_id: JobId) -> Job | None:
        row = await self._cx.one(_JOB, {"organization_id_": organization_id, "id_": job_id})
        return JOBS.decode(row) if row else None

    async def jobs(self, organization_id: OrganizationId, build_id: BuildId) -> Sequence[Job]:
        parameters = {"organization_id_": organization_id, "build_id_": build_id}
        return [JOBS.decode(row) for row in await self._cx.all(_JOBS, parameters)]

    async def standings(self, organization_id: OrganizationId, build_id: BuildId) -> Sequence[Standing]:
        parameters = {"organization_id_": organization_id, "build_id_": build_id}
        return [STANDINGS.decode(row) for row in await self._cx.all(_STANDINGS, parameters)]

    async def open_jobs(self) -> Sequence[Job]:
        return [JOBS.decode(row) for row in await self._cx.all(_OPEN_JOBS, {})]

    async def accept(
        self, job: Job, agent_id: AgentId, at: int, token_key: int, token_expires_at: int, rights: str = ""
    ) -> bool:
        parameters = _hands(job) | {
            "agent_id_": agent_id,
            "at_": at,
            "token_key_": token_key,
            "token_expires_at_": token_expires_at,
            "rights_": rights,
        }
        return await self._cx.run(_ACCEPT, parameters) == 1

    async def claim_next(
        self,
        organization_id: OrganizationId,
        queue_id: QueueId | None,
        rules: tuple[str, ...],
        agent_id: AgentId,
        at: int,
        token_key: int,
        token_expires_at: int,
    ) -> Job | None:
        return await claim_next(
            self._cx, organization_id, queue_id, rules, agent_id, at, token_key, token_expires_at
        )

    async def start(self, job: Job, at: int) -> bool:
        return await self._cx.run(_START, _hands(job) | {"at_": at}) == 1

    async def finish(self, job: Job, state: JobState) -> bool:
        outcome = {f"{name}_": getattr(job, name) for name in _OUTCOME}
        return await self._cx.run(_FINISH, _hands(job) | outcome | {"state_": state.value}) == 1

    async def release(self, job: Job) -> bool:
        return await self._cx.run(_RELEASE, _hands(job)) == 1

    async def cancel(self, job: Job, at: int) -> JobState | None:
        parameters = {"organization_id_": job.organization_id, "id_": job.id, "at_": at}
        if await self._cx.run(_CANCEL_SCHEDULED, parameters):
            return JobState.CANCELED
        if await self._cx.run(_CANCEL_HELD, parameters):
            return JobState.CANCELING
        found = await self.job(job.organization_id, job.id)
        return found.state if found is not None and not found.state.ended else None

    async def time_out(self, job: Job, at: int) -> bool:
        return await self._cx.run(_TIME_OUT, _hands(job) | {"at_": at}) == 1

    async def set_timeout(self, job: Job, minutes: int, initial: int) -> bool:
        parameters = _hands(job) | {"minutes_": minutes, "initial_": initial}
        return await self._cx.run(_SET_TIMEOUT, parameters) == 1

    async def promise_failure(self, job: Job, status: str, reason: str, at: int) -> bool:
        parameters = _hands(job) | {"status_": status, "reason_": reason, "at_": at}
        return await self._cx.run(_PROMISE, parameters) == 1

    async def count_held_back(self, organization_id: OrganizationId) -> Sequence[HeldBack]:
        rows = await self._cx.all(_HELD_BACK, {"organization_id_": organization_id})
        return [HeldBack(row[0], row[1], tuple(msgspec.json.decode(row[2])), row[3]) for row in rows]
