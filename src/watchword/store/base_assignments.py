"""The store's contract for assignments: a job and an agent with all that surrounds them, in one read."""

from dataclasses import dataclass
from typing import Protocol

from watchword.domain.accounts import Cluster, Organization, User
from watchword.domain.buildsteps import BuildStep
from watchword.domain.fleet import Agent
from watchword.domain.ids import AgentId, JobId, OrganizationId
from watchword.domain.pipelines import Build, Job, Pipeline


@dataclass(frozen=True, slots=True)
class Assignment:
    """A job, the agent that asks for it, and what its variables tell of.

    Attributes:
        step: the job's step; None for jobs that are older than steps.
        group: the group that holds the step.
        unblocker: who unblocked the last block or input before the step.
        creator: who made the build.
        rebuilt_from: the build that this one repeats.
    """

    agent: Agent
    job: Job
    build: Build
    pipeline: Pipeline
    organization: Organization
    cluster: Cluster | None
    step: BuildStep | None
    group: BuildStep | None
    unblocker: User | None
    creator: User | None
    rebuilt_from: Build | None


class Assignments(Protocol):
    """Reads of what a claim needs."""

    async def find(
        self, organization_id: OrganizationId, agent_id: AgentId, job_id: JobId
    ) -> Assignment | None:
        """The job and the agent, if both belong to the organization."""

    async def ahead(self, organization_id: OrganizationId, job_id: JobId, agent: Agent) -> Assignment | None:
        """The job as if it had the agent that is given, which need not be there; None without the job."""
