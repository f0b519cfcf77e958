"""Queries: what surfaces ask before and beside the use cases, each inside a unit of work.

Surfaces never import the store; `Unit` and `Page` are its contract as they see it.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from watchword.domain.accounts import Cluster, Queue, User
from watchword.domain.artifacts import Artifact
from watchword.domain.buildsteps import BuildStep
from watchword.domain.errors import NotFound
from watchword.domain.fleet import Agent, AgentState
from watchword.domain.ids import (
    AgentId,
    BuildId,
    ClusterId,
    JobId,
    OrganizationId,
    PipelineId,
    QueueId,
    StepId,
    TokenId,
    UserId,
    is_uuid,
)
from watchword.domain.kinds import Kind
from watchword.domain.pipelines import Annotation, Build, Job, Pipeline
from watchword.domain.tokens import State, Token
from watchword.domain.workloads import AgentIdentity
from watchword.services.access import Access as Access  # noqa: PLC0414 - handed on to the surfaces
from watchword.services.access import enter as enter  # noqa: PLC0414 - the same
from watchword.services.access import reachable as reachable  # noqa: PLC0414 - the same
from watchword.services.access import user_actor as user_actor  # noqa: PLC0414 - the same
from watchword.services.verifying import Presented
from watchword.store.base import Page as Page  # noqa: PLC0414 - handed on to the surfaces
from watchword.store.base import Transaction

T = TypeVar("T")
Unit = Transaction

# A filter reads at most this many rows; what lies beyond is not found.
MAX_SIFTED = 20_000
_SCAN = 500
_MAX_NUMBER_DIGITS = 9


async def holder_of(tx: Unit, presented: Presented) -> User:
    """The person whose token it is.

    Raises:
        NotFound: the person is gone.
    """
    user_id = presented.holder.user_id
    user = await tx.accounts.user(user_id) if user_id is not None else None
    if user is None:
        raise NotFound("No user found")
    return user


async def people(tx: Unit, ids: Iterable[UserId | None]) -> dict[UserId, User]:
    """People by id; ids of nobody are left out."""
    found = [await tx.accounts.user(user_id) for user_id in sorted({one for one in ids if one is not None})]
    return {user.id: user for user in found if user is not None}


async def clusters_of(tx: Unit, organization_id: OrganizationId, page: Page) -> list[Cluster]:
    """Clusters, oldest first."""
    return list(await tx.accounts.clusters(organization_id, page))


async def queues_of(tx: Unit, cluster: Cluster, page: Page) -> list[Queue]:
    """Queues of a cluster, oldest first."""
    return list(await tx.accounts.queues(cluster.organization_id, cluster.id, page))


async def agent_tokens_of(tx: Unit, cluster: Cluster, page: Page) -> list[Token]:
    """Agent tokens of a cluster that are not revoked, oldest first."""
    return list(await tx.tokens.list(cluster.organization_id, Kind.AGENT, cluster.id, page))


async def any_agent_token(
    tx: Unit, organization_id: OrganizationId, cluster: Cluster | None, text: str
) -> Token:
    """An agent token in any state by the id in a path; an unclustered one where no cluster is named.

    Raises:
        NotFound: there is none, or not here.
    """
    kind = Kind.UNCLUSTERED_AGENT if cluster is None else Kind.AGENT
    token = await tx.tokens.find(organization_id, TokenId(text.lower())) if is_uuid(text) else None
    if token is None or token.kind is not kind or (cluster is not None and token.cluster_id != cluster.id):
        raise NotFound("No agent token found")
    return token


async def unrevoked_tokens(tx: Unit, organization_id: OrganizationId, page: Page) -> list[Token]:
    """Unclustered agent tokens that are not revoked, oldest first."""
    return list(await tx.tokens.list(organization_id, Kind.UNCLUSTERED_AGENT, None, page))


async def agent_tokens_in(
    tx: Unit,
    organization_id: OrganizationId,
    cluster: Cluster | None,
    state: State | None,
    now: int,
    page: Page,
) -> list[Token]:
    """Agent tokens of a cluster, or unclustered ones, in a state as it is now or in any; oldest first."""
    kind = Kind.AGENT if cluster is not None else Kind.UNCLUSTERED_AGENT
    cluster_id = cluster.id if cluster is not None else None
    return list(await tx.tokens.list_in(organization_id, kind, cluster_id, state, now, page))


async def find_cluster(tx: Unit, organization_id: OrganizationId, text: str) -> Cluster:
    """A cluster by the id in a path.

    Raises:
        NotFound: there is none.
    """
    cluster = await tx.accounts.cluster(organization_id, ClusterId(text.lower())) if is_uuid(text) else None
    if cluster is None:
        raise NotFound("No cluster found")
    return cluster


async def find_queue(tx: Unit, cluster: Cluster, text: str) -> Queue:
    """A queue of a cluster by the id in a path.

    Raises:
        NotFound: there is none, or not here.
    """
    queue = await tx.accounts.queue(cluster.organization_id, QueueId(text.lower())) if is_uuid(text) else None
    if queue is None or queue.cluster_id != cluster.id:
        raise NotFound("No queue found")
    return queue


async def find_agent(tx: Unit, organization_id: OrganizationId, text: str) -> Agent:
    """An agent in any state by the id in a path.

    Raises:
        NotFound: there is none.
    """
    agent = await tx.fleet.find(organization_id, AgentId(text.lower())) if is_uuid(text) else None
    if agent is None:
        raise NotFound("No agent found")
    return agent


async def connected_agents(
    tx: Unit, organization_id: OrganizationId, page: Page, fits: Callable[[Agent], bool] | None
) -> list[Agent]:
    """Connected agents that fit, oldest first."""

    async def rows(window: Page) -> Sequence[Agent]:
        return await tx.fleet.list(organization_id, None, (AgentState.CONNECTED,), window)

    return list(await rows(page)) if fits is None else await _sift(rows, page, fits)


async def agents_by_id(
    tx: Unit, organization_id: OrganizationId, ids: Iterable[AgentId | None]
) -> dict[AgentId, Agent]:
    """Agents in any state by id; ids of none are left out."""
    wanted = sorted({one for one in ids if one is not None})
    found = [await tx.fleet.find(organization_id, agent_id) for agent_id in wanted]
    return {agent.id: agent for agent in found if agent is not None}


async def _sift(
    rows: Callable[[Page], Awaitable[Sequence[T]]], page: Page, fits: Callable[[T], bool]
) -> list[T]:
    """A slice of the rows that fit, found by reading on, up to `MAX_SIFTED` rows."""
    found: list[T] = []
    wanted = page.offset + page.limit
    for start in range(0, MAX_SIFTED, _SCAN):
        window = await rows(Page(_SCAN, start))
        found.extend(row for row in window if fits(row))
        if len(window) < _SCAN or len(found) >= wanted:
            break
    return found[page.offset : wanted]


async def queue_keys(tx: Unit, agents: Sequence[Agent]) -> dict[QueueId, str]:
    """Keys of the queues that agents serve."""
    keys: dict[QueueId, str] = {}
    for agent in agents:
        if agent.queue_id is None or agent.queue_id in keys:
            continue
        queue = await tx.accounts.queue(agent.organization_id, agent.queue_id)
        if queue is not None:
            keys[queue.id] = queue.key
    return keys


async def identity_of(tx: Unit, agent: Agent) -> AgentIdentity | None:
    """With which identity an agent joined; None where it joined with an agent token."""
    return await tx.workloads.identity(agent.organization_id, agent.id)


async def token_creators(tx: Unit, agents: Sequence[Agent]) -> dict[TokenId, UserId]:
    """Who made the tokens that agents joined with; those that nobody made are left out."""
    creators: dict[TokenId, UserId] = {}
    for organization_id, token_id in sorted({(one.organization_id, one.token_id) for one in agents}):
        token = await tx.tokens.find(organization_id, token_id)
        if token is not None and token.created_by is not None:
            creators[token_id] = token.created_by
    return creators


async def find_pipeline(tx: Unit, organization_id: OrganizationId, slug: str) -> Pipeline:
    """A pipeline by the slug in a path.

    Raises:
        NotFound: there is none.
    """
    pipeline = await tx.builds.pipeline_by_slug(organization_id, slug)
    if pipeline is None:
        raise NotFound("No pipeline found")
    return pipeline


async def pipelines_by_id(
    tx: Unit, organization_id: OrganizationId, ids: Iterable[PipelineId]
) -> dict[PipelineId, Pipeline]:
    """Pipelines by id."""
    found = [await tx.builds.pipeline(organization_id, pipeline_id) for pipeline_id in sorted(set(ids))]
    return {pipeline.id: pipeline for pipeline in found if pipeline is not None}


async def pipelines_of(
    tx: Unit, organization_id: OrganizationId, page: Page, fits: Callable[[Pipeline], bool] | None
) -> list[Pipeline]:
    """Pipelines that fit, oldest first."""

    async def rows(window: Page) -> Sequence[Pipeline]:
        return await tx.builds.pipelines(organization_id, window)

    return list(await rows(page)) if fits is None else await _sift(rows, page, fits)


async def builds_of(
    tx: Unit,
    organization_id: OrganizationId,
    pipeline: Pipeline | None,
    page: Page,
    fits: Callable[[Build], bool] | None,
) -> list[Build]:
    """Builds that fit, newest first; of one pipeline where one is given."""

    async def rows(window: Page) -> Sequence[Build]:
        return await tx.builds.builds(organization_id, pipeline.id if pipeline else None, window)

    return list(await rows(page)) if fits is None else await _sift(rows, page, fits)


async def jobs_of(tx: Unit, build: Build) -> list[Job]:
    """Jobs of a build, in order."""
    return list(await tx.builds.jobs(build.organization_id, build.id))


async def steps_of(tx: Unit, build: Build) -> list[BuildStep]:
    """Steps of a build, in order."""
    return list(await tx.steps.of_build(build.organization_id, build.id))


async def rebuilt_from(tx: Unit, build: Build) -> Build | None:
    """The build that a build repeats."""
    return (
        await tx.builds.build(build.organization_id, build.rebuilt_from)
        if build.rebuilt_from is not None
        else None
    )


async def find_step(tx: Unit, organization_id: OrganizationId, text: str) -> BuildStep | None:
    """A step by the id in a path; None where there is none."""
    return await tx.steps.find(organization_id, StepId(text.lower())) if is_uuid(text) else None


async def build_of(tx: Unit, job: Job | BuildStep) -> tuple[Pipeline, Build]:
    """The build of a job or step, and its pipeline.

    Raises:
        NotFound: one is gone.
    """
    build = await tx.builds.build(job.organization_id, job.build_id)
    pipeline = await tx.builds.pipeline(job.organization_id, build.pipeline_id) if build else None
    if build is None or pipeline is None:
        raise NotFound("No build found")
    return pipeline, build


async def find_build(tx: Unit, pipeline: Pipeline, text: str) -> Build:
    """A build of a pipeline by the number or id in a path.

    Raises:
        NotFound: there is none, or not here.
    """
    build = None
    if is_uuid(text):
        build = await tx.builds.build(pipeline.organization_id, BuildId(text.lower()))
    elif text.isascii() and text.isdecimal() and len(text) <= _MAX_NUMBER_DIGITS:
        build = await tx.builds.build_by_number(pipeline.organization_id, pipeline.id, int(text))
    if build is None or build.pipeline_id != pipeline.id:
        raise NotFound("No build found")
    return build


async def find_job(tx: Unit, organization_id: OrganizationId, text: str, build: Build | None = None) -> Job:
    """A job by the id in a path; of a build where one is named.

    Raises:
        NotFound: there is none, or not here.
    """
    job = await tx.builds.job(organization_id, JobId(text.lower())) if is_uuid(text) else None
    if job is None or (build is not None and job.build_id != build.id):
        raise NotFound("No job found")
    return job


async def annotations_of(tx: Unit, build: Build) -> list[Annotation]:
    """Annotations of a build, highest priority first."""
    return list(await tx.logs.annotations(build.organization_id, build.id))


async def artifacts_of(tx: Unit, build: Build) -> list[Artifact]:
    """Artifacts of a build in whatever state, oldest first."""
    return list(await tx.artifacts.of_build(build.organization_id, build.id))


async def meta_data_of(tx: Unit, build: Build) -> dict[str, str]:
    """Meta-data of a build."""
    return dict(await tx.logs.all_meta_data(build.organization_id, build.id))
