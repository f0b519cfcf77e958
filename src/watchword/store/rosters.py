"""Lists of agents and of their jobs in the database: one statement for a page."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    BindParameter,
    ClauseElement,
    FromClause,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from watchword.domain.accounts import Queue
from watchword.domain.fleet import AgentState
from watchword.domain.ids import AgentId, ClusterId, JobId, OrganizationId
from watchword.domain.kinds import Kind
from watchword.domain.pipelines import JobState
from watchword.domain.tokens import State
from watchword.store.accounts import QUEUES
from watchword.store.base import Page
from watchword.store.base_rosters import ListedAgent, ListedJob
from watchword.store.engine import Connection, Row, Statement, one_of
from watchword.store.fleet import AGENTS
from watchword.store.tables import agents, builds, jobs, pipelines, queues, tokens

_a, _j, _b, _p, _t = agents.c, jobs.c, builds.c, pipelines.c, tokens.c
_OWNER: BindParameter[str] = bindparam("organization_id_")
# Of so many agents that left last, whosoever they are, the lost ones are listed.
_WITHIN = 20_000
# As the indexes have them, word for word; SQLite uses a partial index only then.
_NOT_ENDED = text("agents.ended_at = 0")
_ENDED = text("agents.ended_at > 0")
_NO_SESSION = text("tokens.kind <> 'agent_session'")

# What is told of a job: so many columns of its own, then of its build and pipeline.
_OF_JOB = 8
_JOB = (
    _j.id,
    _j.label,
    _j.command,
    _j.state,
    _j.exit_status,
    _j.runnable_at,
    _j.started_at,
    _j.finished_at,
    _b.number,
    _p.slug,
    _p.name,
)
_BUILD_OF_JOB = and_(_b.organization_id == _j.organization_id, _b.id == _j.build_id)
_PIPELINE_OF_BUILD = and_(_p.organization_id == _b.organization_id, _p.id == _b.pipeline_id)
_TOKEN_OF_AGENT = and_(_t.organization_id == _a.organization_id, _t.id == _a.token_id)
_JOB_OF_AGENT = and_(_j.organization_id == _a.organization_id, _j.id == _a.job_id)
_AT_TOKEN = len(AGENTS.columns)


def _wanted(dialect: str) -> FromClause:
    """The texts of a JSON list as a table of one column."""
    given = cast(bindparam("ids_"), Text)
    if dialect == "postgresql":
        return func.jsonb_array_elements_text(cast(given, JSONB)).table_valued("value", name="wanted")
    return func.json_each(given).table_valued("value", name="wanted")


_ID = literal_column("wanted.value", Text)


def _agents(dialect: str) -> ClauseElement:
    return select(*AGENTS.columns, _t.description, *_JOB).select_from(
        _wanted(dialect)
        .join(agents, and_(_a.organization_id == _OWNER, _a.id == _ID))
        .outerjoin(tokens, _TOKEN_OF_AGENT)
        .outerjoin(jobs, _JOB_OF_AGENT)
        .outerjoin(builds, _BUILD_OF_JOB)
        .outerjoin(pipelines, _PIPELINE_OF_BUILD)
    )


def _jobs(dialect: str) -> ClauseElement:
    # Outer joins, so that jobs are looked up first, whatever a planner thinks of the other tables.
    return select(*_JOB).select_from(
        _wanted(dialect)
        .join(jobs, and_(_j.organization_id == _OWNER, _j.id == _ID))
        .outerjoin(builds, _BUILD_OF_JOB)
        .outerjoin(pipelines, _PIPELINE_OF_BUILD)
    )


_AGENTS, _JOBS = Statement(_agents), Statement(_jobs)
_PATTERN: BindParameter[str] = bindparam("pattern_")


def _matching(dialect: str) -> ClauseElement:
    # SQLite's LIKE passes over the case of ASCII letters by itself, in a third of the time of `lower`.
    like = "ilike" if dialect == "postgresql" else "like"
    found = (getattr(column, like)(_PATTERN, escape="\\") for column in (_a.name, _a.hostname, _a.address))
    return select(_a.id).where(_a.organization_id == _OWNER, _NOT_ENDED, or_(*found))


_MATCHING = Statement(_matching)
# The limit inside keeps to the index by age: without it SQLite reads every agent that ever was.
_LEFT = (
    select(_a.id, _a.organization_id, _a.cluster_id, _a.state, _a.ended_at)
    .where(_ENDED, _a.ended_at > bindparam("since_"))
    .order_by(_a.ended_at.desc(), _a.id.desc())
    .limit(bindparam("within_"))
    .subquery("latest")
)
_LOST = (
    select(_LEFT.c.id)
    .where(
        _LEFT.c.organization_id == _OWNER,
        _LEFT.c.state == literal_column(f"'{AgentState.LOST.value}'", Text),
    )
    .order_by(_LEFT.c.ended_at.desc(), _LEFT.c.id.desc())
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_LOST_HERE = Statement(_LOST.where(_LEFT.c.cluster_id == bindparam("cluster_id_")))
_LOST_OUTSIDE = Statement(_LOST.where(_LEFT.c.cluster_id.is_(None)))
_NEWEST = (
    select(*_JOB[:_OF_JOB], _j.agent_id, _j.organization_id, _j.build_id)
    .where(_j.organization_id == _OWNER, _j.id < bindparam("before_"))
    .order_by(_j.id.desc())
    .limit(bindparam("within_"))
    .subquery("newest")
)
_JOBS_OF_AGENT = Statement(
    select(*(_NEWEST.c[column.name] for column in _JOB[:_OF_JOB]), *_JOB[_OF_JOB:])
    .select_from(
        _NEWEST.outerjoin(
            builds, and_(_b.organization_id == _NEWEST.c.organization_id, _b.id == _NEWEST.c.build_id)
        ).outerjoin(pipelines, _PIPELINE_OF_BUILD)
    )
    .where(_NEWEST.c.agent_id == bindparam("agent_id_"))
    .order_by(_NEWEST.c.id.desc())
    .limit(bindparam("limit_"))
)
_QUEUES = Statement(select(*QUEUES.columns).where(queues.c.organization_id == _OWNER).order_by(queues.c.id))


def _counted(kind: Kind) -> Select[tuple[str | None, int]]:
    """How many tokens of a kind let agents join now, by cluster."""
    return (
        select(_t.cluster_id, func.count())
        .where(
            _t.organization_id == _OWNER,
            _NO_SESSION,
            one_of(_t.kind, (kind.value,)),
            _t.state == literal_column(f"'{State.ACTIVE.value}'", Text),
            _t.not_before <= bindparam("now_"),
            or_(_t.expires_at == 0, _t.expires_at > bindparam("now_")),
        )
        .group_by(_t.cluster_id)
    )


_AGENT_TOKENS = Statement(union_all(*(_counted(kind) for kind in (Kind.AGENT, Kind.UNCLUSTERED_AGENT))))


def _listed_job(row: Row) -> ListedJob | None:
    if row[-1] is None:  # without its pipeline a job has no page
        return None
    job = ListedJob(*row)
    return job._replace(state=JobState(job.state))


def _pattern(part: str) -> str:
    """A part of a text for LIKE."""
    for sign in ("\\", "%", "_"):
        part = part.replace(sign, "\\" + sign)
    return f"%{part}%"


class RosterRows:
    """`store.base_rosters.Rosters` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def agents(
        self, organization_id: OrganizationId, ids: Sequence[AgentId]
    ) -> Mapping[AgentId, ListedAgent]:
        found = {}
        for row in await self._cx.all(_AGENTS, _named(organization_id, ids)):
            agent = AGENTS.decode(row[:_AT_TOKEN])
            found[agent.id] = ListedAgent(agent, row[_AT_TOKEN] or "", _listed_job(row[_AT_TOKEN + 1 :]))
        return found

    async def matching(self, organization_id: OrganizationId, part: str) -> Sequence[AgentId]:
        parameters = {"organization_id_": organization_id, "pattern_": _pattern(part)}
        return [AgentId(row[0]) for row in await self._cx.all(_MATCHING, parameters)]

    async def lost(
        self, organization_id: OrganizationId, cluster_id: ClusterId | None, since: int, page: Page
    ) -> Sequence[AgentId]:
        parameters = {
            "organization_id_": organization_id,
            "cluster_id_": cluster_id,
            "since_": since,
            "within_": _WITHIN,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        statement = _LOST_OUTSIDE if cluster_id is None else _LOST_HERE
        return [AgentId(row[0]) for row in await self._cx.all(statement, parameters)]

    async def jobs(self, organization_id: OrganizationId, ids: Sequence[JobId]) -> Mapping[JobId, ListedJob]:
        rows = await self._cx.all(_JOBS, _named(organization_id, ids))
        return {job.id: job for job in map(_listed_job, rows) if job is not None}

    async def jobs_of_agent(
        self, organization_id: OrganizationId, agent_id: AgentId, before: str, within: int, limit: int
    ) -> Sequence[ListedJob]:
        parameters = {
            "organization_id_": organization_id,
            "agent_id_": agent_id,
            "before_": before,
            "within_": within,
            "limit_": limit,
        }
        rows = await self._cx.all(_JOBS_OF_AGENT, parameters)
        return [job for job in map(_listed_job, rows) if job is not None]

    async def queues(self, organization_id: OrganizationId) -> Sequence[Queue]:
        rows = await self._cx.all(_QUEUES, {"organization_id_": organization_id})
        return [QUEUES.decode(row) for row in rows]

    async def agent_tokens(self, organization_id: OrganizationId, now: int) -> Mapping[ClusterId | None, int]:
        parameters = {"organization_id_": organization_id, "now_": now}
        rows = await self._cx.all(_AGENT_TOKENS, parameters)
        return {ClusterId(row[0]) if row[0] is not None else None: int(row[1]) for row in rows}


def _named(organization_id: OrganizationId, ids: Sequence[str]) -> dict[str, Any]:
    return {"organization_id_": organization_id, "ids_": msgspec.json.encode(list(ids)).decode()}
