"""Whole pipelines in the database: their work, searches over their builds, their deletion."""

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, delete, exists, func, select, text, update

from watchword.domain.ids import BuildId, OrganizationId, PipelineId
from watchword.domain.pipelines import Build, BuildState, JobState, Pipeline, PipelineWork
from watchword.store.builds import BUILDS
from watchword.store.engine import Connection, Statement, one_of
from watchword.store.tables import builds, jobs, meta_data, pipelines

_p, _b, _j, _m = pipelines.c, builds.c, jobs.c, meta_data.c
_READY = (JobState.SCHEDULED.value, JobState.RESERVED.value)
_HELD = tuple(state.value for state in JobState if state.held)
_OPEN = tuple(state.value for state in JobState if not state.ended)
_ONE = (_p.organization_id == bindparam("organization_id_"), _p.id == bindparam("id_"))
# As the index says it.
_OPEN_BUILD = (_b.organization_id == bindparam("organization_id_"), text("builds.finished_at = 0"))
_OF_BUILD = and_(_j.organization_id == _b.organization_id, _j.build_id == _b.id)
_THIS = _b.pipeline_id == bindparam("id_")

_BUILDS = select(_b.pipeline_id, _b.state, func.count()).where(*_OPEN_BUILD)
_JOBS = (
    select(_b.pipeline_id, _j.state, func.count())
    .select_from(builds.join(jobs, _OF_BUILD))
    .where(*_OPEN_BUILD, one_of(_j.state, _OPEN))
)
_COUNT_BUILDS = Statement(_BUILDS.group_by(_b.pipeline_id, _b.state))
_COUNT_JOBS = Statement(_JOBS.group_by(_b.pipeline_id, _j.state))
_COUNT_BUILDS_OF_ONE = Statement(_BUILDS.where(_THIS).group_by(_b.pipeline_id, _b.state))
_COUNT_JOBS_OF_ONE = Statement(_JOBS.where(_THIS).group_by(_b.pipeline_id, _j.state))
_BUILDS_WITH = Statement(
    select(_m.build_id).where(
        _m.organization_id == bindparam("organization_id_"),
        _m.key == bindparam("key_"),
        _m.value == bindparam("value_"),
    )
)
_MARK_DELETED = Statement(
    update(pipelines).where(*_ONE, _p.deleted_at.is_(None)).values(deleted_at=bindparam("at_"), slug=_p.id)
)
_DELETED = Statement(
    select(_p.organization_id, _p.id)
    .where(_p.deleted_at.is_not(None))
    .order_by(_p.id)
    .limit(bindparam("limit_"))
)
_ENDED_BUILDS = Statement(
    select(*BUILDS.columns)
    .where(
        _b.organization_id == bindparam("organization_id_"),
        _THIS,
        _b.finished_at > 0,
        ~exists().where(_OF_BUILD, one_of(_j.state, _OPEN)),
    )
    .order_by(_b.number)
    .limit(bindparam("limit_"))
)
_DROP = Statement(
    delete(pipelines).where(
        *_ONE,
        _p.deleted_at.is_not(None),
        ~exists().where(_b.organization_id == _p.organization_id, _b.pipeline_id == _p.id),
    )
)


class PipelineRows:
    """`store.base_pipelines.Pipelines` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def work(
        self, organization_id: OrganizationId, pipeline_id: PipelineId | None
    ) -> Sequence[PipelineWork]:
        counted = (_COUNT_BUILDS, _COUNT_JOBS)
        parameters: dict[str, str] = {"organization_id_": organization_id}
        if pipeline_id is not None:
            counted = (_COUNT_BUILDS_OF_ONE, _COUNT_JOBS_OF_ONE)
            parameters["id_"] = pipeline_id
        found: dict[PipelineId, list[int]] = {}
        for owner, state, count in await self._cx.all(counted[0], parameters):
            row = found.setdefault(owner, [0, 0, 0, 0, 0])
            row[0 if state == BuildState.SCHEDULED.value else 1] += count
        for owner, state, count in await self._cx.all(counted[1], parameters):
            row = found.setdefault(owner, [0, 0, 0, 0, 0])
            row[2 if state in _READY else 3 if state in _HELD else 4] += count
        return [PipelineWork(owner, *row) for owner, row in sorted(found.items())]

    async def builds_with(self, organization_id: OrganizationId, key: str, value: str) -> Sequence[BuildId]:
        parameters = {"organization_id_": organization_id, "key_": key, "value_": value}
        return [BuildId(row[0]) for row in await self._cx.all(_BUILDS_WITH, parameters)]

    async def mark_deleted(self, pipeline: Pipeline, at: int) -> bool:
        parameters = {"organization_id_": pipeline.organization_id, "id_": pipeline.id, "at_": at}
        return await self._cx.run(_MARK_DELETED, parameters) == 1

    async def deleted(self, limit: int) -> Sequence[tuple[OrganizationId, PipelineId]]:
        rows = await self._cx.all(_DELETED, {"limit_": limit})
        return [(OrganizationId(row[0]), PipelineId(row[1])) for row in rows]

    async def ended_builds(
        self, organization_id: OrganizationId, pipeline_id: PipelineId, limit: int
    ) -> Sequence[Build]:
        parameters = {"organization_id_": organization_id, "id_": pipeline_id, "limit_": limit}
        return [BUILDS.decode(row) for row in await self._cx.all(_ENDED_BUILDS, parameters)]

    async def drop(self, organization_id: OrganizationId, pipeline_id: PipelineId) -> bool:
        return await self._cx.run(_DROP, {"organization_id_": organization_id, "id_": pipeline_id}) == 1
