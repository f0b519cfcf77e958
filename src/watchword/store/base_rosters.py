"""The store's contract for lists of agents, of their jobs and of clusters, a page at a time."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from watchword.domain.accounts import Queue
from watchword.domain.fleet import Agent
from watchword.domain.ids import AgentId, ClusterId, JobId, OrganizationId
from watchword.domain.pipelines import JobState
from watchword.store.page import Page


class ListedJob(NamedTuple):
    """A job as lists name it, with the way to its page. Times are microseconds, 0 where not yet."""

    id: JobId
    label: str
    command: str
    state: JobState
    exit_status: str
    runnable_at: int
    started_at: int
    finished_at: int
    build_number: int
    pipeline_slug: str
    pipeline_name: str


class ListedAgent(NamedTuple):
    """An agent as lists show it: with the description of the token it joined with, and the job it holds."""

    agent: Agent
    token: str
    job: ListedJob | None


class Rosters(Protocol):
    """What lists of agents ask; changes nothing."""

    async def agents(
        self, organization_id: OrganizationId, ids: Sequence[AgentId]
    ) -> Mapping[AgentId, ListedAgent]:
        """Agents by id, in any state; unknown ids are left out."""

    async def matching(self, organization_id: OrganizationId, part: str) -> Sequence[AgentId]:
        """Live agents with `part` in name, host name or address; the case of ASCII letters is nothing."""

    async def lost(
        self, organization_id: OrganizationId, cluster_id: ClusterId | None, since: int, page: Page
    ) -> Sequence[AgentId]:
        """Agents lost after a moment, latest first: of a cluster, or of none where none is named.

        Where very many agents have left since, of whichever organization, the earliest ones are left out.
        """

    async def jobs(self, organization_id: OrganizationId, ids: Sequence[JobId]) -> Mapping[JobId, ListedJob]:
        """Jobs by id; unknown ids are left out."""

    async def jobs_of_agent(
        self, organization_id: OrganizationId, agent_id: AgentId, before: str, within: int, limit: int
    ) -> Sequence[ListedJob]:
        """An agent's jobs among the `within` newest ones with ids below `before`, newest first.

        Jobs have no index by agent: every claim would have to keep it.
        """

    async def queues(self, organization_id: OrganizationId) -> Sequence[Queue]:
        """Queues of all clusters, oldest first."""

    async def agent_tokens(self, organization_id: OrganizationId, now: int) -> Mapping[ClusterId | None, int]:
        """How many agent tokens let agents join now, by cluster; None for those of none."""
