"""The store's contract for what surfaces ask of whole pipelines, and for pipelines that are deleted."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.ids import BuildId, OrganizationId, PipelineId
from watchword.domain.pipelines import Build, Pipeline, PipelineWork


class Pipelines(Protocol):
    """Counts, searches, deletion. A deleted pipeline is found nowhere else; its builds go in pieces."""

    async def work(
        self, organization_id: OrganizationId, pipeline_id: PipelineId | None
    ) -> Sequence[PipelineWork]:
        """What has not ended, by pipeline; of one where one is named. Idle pipelines are left out."""

    async def builds_with(self, organization_id: OrganizationId, key: str, value: str) -> Sequence[BuildId]:
        """Builds whose meta-data hold a value under a key."""

    async def mark_deleted(self, pipeline: Pipeline, at: int) -> bool:
        """Take a pipeline away from everybody and free its slug; False if it was gone."""

    async def deleted(self, limit: int) -> Sequence[tuple[OrganizationId, PipelineId]]:
        """Deleted pipelines of all organizations of which something is left."""

    async def ended_builds(
        self, organization_id: OrganizationId, pipeline_id: PipelineId, limit: int
    ) -> Sequence[Build]:
        """Some builds of a pipeline that have ended, with all their jobs."""

    async def drop(self, organization_id: OrganizationId, pipeline_id: PipelineId) -> bool:
        """Delete the record of a deleted pipeline that has no builds; False if it has some."""
