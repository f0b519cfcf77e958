"""The store's contract for keeping the house: what is due, and dropping it in small pieces."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.artifacts import Artifact
from watchword.domain.ids import BuildId, JobId, OrganizationId, TokenId
from watchword.domain.pipelines import Build


class House(Protocol):
    """What retention asks. `before` is a time: what ended before it is due."""

    async def due_logs(self, before: int, limit: int) -> Sequence[tuple[OrganizationId, JobId]]:
        """Ended jobs whose logs are still there, oldest first."""

    async def drop_chunks(self, organization_id: OrganizationId, job_id: JobId, limit: int) -> int:
        """Delete some of a job's log; how many chunks it was."""

    async def end_log(self, organization_id: OrganizationId, job_id: JobId, at: int) -> None:
        """Note that a job's log is gone."""

    async def log_ended_at(self, organization_id: OrganizationId, job_id: JobId) -> int:
        """When a job's log was deleted; 0 if it was not."""

    async def due_artifacts(self, before: int, limit: int) -> Sequence[Artifact]:
        """Artifacts of ended builds that have neither expired nor been deleted, oldest first."""

    async def abandoned_artifacts(self, before: int, limit: int) -> Sequence[Artifact]:
        """Artifacts whose bytes never came, of jobs that have ended."""

    async def due_builds(self, before: int, limit: int) -> Sequence[Build]:
        """Builds that have ended with all their jobs, oldest first."""

    async def open_builds(self, organization_id: OrganizationId) -> int:
        """How many builds of an organization have not ended."""

    async def jobs_of_build(self, organization_id: OrganizationId, build_id: BuildId) -> int:
        """How many jobs a build has, in whatever state."""

    async def drop_build(self, build: Build) -> bool:
        """Delete a build and every row of it, logs excepted; False if it does not stand as it did."""

    async def drop_agents(self, before: int, limit: int) -> int:
        """Delete records of agents that have left; how many."""

    async def use_holders(
        self, after: tuple[OrganizationId, TokenId], limit: int
    ) -> Sequence[tuple[OrganizationId, TokenId]]:
        """Whose use is in the ledger, from one holder on."""

    async def drop_uses(self, organization_id: OrganizationId, token_id: TokenId, before: int) -> int:
        """Delete a token's use, except the last one; how many rows."""

    async def drop_refusals(self, before: int, limit: int) -> int:
        """Delete counts of refusals; how many rows."""

    async def drop_notices(self, before: int, limit: int) -> int:
        """Delete outbox rows that everyone has heard of; how many."""
