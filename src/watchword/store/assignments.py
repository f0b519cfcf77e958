"""Assignments in the database: one statement instead of ten, because every claim reads all of it."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, FromClause, and_, bindparam, select, text

from watchword.domain.fleet import Agent
from watchword.domain.ids import AgentId, JobId, OrganizationId
from watchword.store.accounts import CLUSTERS, ORGANIZATIONS, USERS
from watchword.store.base_assignments import Assignment
from watchword.store.builds import BUILDS, JOBS, PIPELINES
from watchword.store.engine import Connection, Row, Statement
from watchword.store.fleet import AGENTS
from watchword.store.mapping import Mapper
from watchword.store.steps import STEPS
from watchword.store.tables import agents, builds, clusters, jobs, organizations, pipelines, steps, users

R = TypeVar("R")

_group, _gate, _earlier = steps.alias("g"), steps.alias("w"), steps.alias("e")
_unblocker, _creator = users.alias("n"), users.alias("c")
_source = builds.alias("r")


def _same(table: FromClause, key: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[bool]:
    """Join by id inside the organization."""
    return and_(table.c.organization_id == jobs.c.organization_id, key == other)


_LAST_GATE = (
    select(_earlier.c.id)
    .where(
        _earlier.c.organization_id == jobs.c.organization_id,
        _earlier.c.build_id == jobs.c.build_id,
        _earlier.c.position < steps.c.position,
        text("e.unblocked_at > 0"),  # the index's condition, word for word
    )
    .order_by(_earlier.c.position.desc())
    .limit(1)
    .correlate(jobs, steps)
    .scalar_subquery()
)
_FROM = (
    jobs.outerjoin(agents, _same(agents, agents.c.id, bindparam("agent_id_")))
    .join(builds, _same(builds, builds.c.id, jobs.c.build_id))
    .join(pipelines, _same(pipelines, pipelines.c.id, builds.c.pipeline_id))
    .join(organizations, organizations.c.id == jobs.c.organization_id)
    .outerjoin(clusters, _same(clusters, clusters.c.id, jobs.c.cluster_id))
    .outerjoin(steps, _same(steps, steps.c.id, jobs.c.step_id))
    .outerjoin(_group, _same(_group, _group.c.id, steps.c.group_id))
    .outerjoin(_gate, _same(_gate, _gate.c.id, _LAST_GATE))
    .outerjoin(_unblocker, _unblocker.c.id == _gate.c.unblocked_by)
    .outerjoin(_creator, _creator.c.id == builds.c.created_by)
    .outerjoin(_source, _same(_source, _source.c.id, builds.c.rebuilt_from))
)


class _Part(Generic[R]):
    """A record's columns and where they stand in the row; it is absent where its id is."""

    def __init__(self, mapper: Mapper[R], table: FromClause, start: int) -> None:
        self.columns = [table.c[column.name] for column in mapper.columns]
        self.end = start + len(self.columns)
        self._start = start
        self._id = start + [column.name for column in mapper.columns].index("id")
        self._decode = mapper.decode

    def needed(self, row: Sequence[Any]) -> R:
        return self._decode(row[self._start : self.end])

    def maybe(self, row: Sequence[Any]) -> R | None:
        return None if row[self._id] is None else self._decode(row[self._start : self.end])


_AGENT = _Part(AGENTS, agents, 0)
_JOB = _Part(JOBS, jobs, _AGENT.end)
_BUILD = _Part(BUILDS, builds, _JOB.end)
_PIPELINE = _Part(PIPELINES, pipelines, _BUILD.end)
_ORGANIZATION = _Part(ORGANIZATIONS, organizations, _PIPELINE.end)
_CLUSTER = _Part(CLUSTERS, clusters, _ORGANIZATION.end)
_STEP = _Part(STEPS, steps, _CLUSTER.end)
_GROUP = _Part(STEPS, _group, _STEP.end)
_UNBLOCKER = _Part(USERS, _unblocker, _GROUP.end)
_CREATOR = _Part(USERS, _creator, _UNBLOCKER.end)
_SOURCE = _Part(BUILDS, _source, _CREATOR.end)
_FIND = Statement(
    select(
        *_AGENT.columns,
        *_JOB.columns,
        *_BUILD.columns,
        *_PIPELINE.columns,
        *_ORGANIZATION.columns,
        *_CLUSTER.columns,
        *_STEP.columns,
        *_GROUP.columns,
        *_UNBLOCKER.columns,
        *_CREATOR.columns,
        *_SOURCE.columns,
    )
    .select_from(_FROM)
    .where(jobs.c.organization_id == bindparam("organization_id_"), jobs.c.id == bindparam("job_id_"))
)


class AssignmentRows:
    """`store.base.Assignments` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def find(
        self, organization_id: OrganizationId, agent_id: AgentId, job_id: JobId
    ) -> Assignment | None:
        row = await self._read(organization_id, agent_id, job_id)
        agent = _AGENT.maybe(row) if row is not None else None
        return _assignment(row, agent) if row is not None and agent is not None else None

    async def ahead(self, organization_id: OrganizationId, job_id: JobId, agent: Agent) -> Assignment | None:
        row = await self._read(organization_id, agent.id, job_id)
        return _assignment(row, agent) if row is not None else None

    async def _read(self, organization_id: OrganizationId, agent_id: AgentId, job_id: JobId) -> Row | None:
        parameters = {"organization_id_": organization_id, "agent_id_": agent_id, "job_id_": job_id}
        return await self._cx.one(_FIND, parameters)


def _assignment(row: Row, agent: Agent) -> Assignment:
    return Assignment(
        agent=agent,
        job=_JOB.needed(row),
        build=_BUILD.needed(row),
        pipeline=_PIPELINE.needed(row),
        organization=_ORGANIZATION.needed(row),
        cluster=_CLUSTER.maybe(row),
        step=_STEP.maybe(row),
        group=_GROUP.maybe(row),
        unblocker=_UNBLOCKER.maybe(row),
        creator=_CREATOR.maybe(row),
        rebuilt_from=_SOURCE.maybe(row),
    )
