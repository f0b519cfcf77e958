"""The store's contract for what jobs of organizations and pipelines may do."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.ids import OrganizationId
from watchword.domain.jobpolicies import JobPolicy


class JobPolicies(Protocol):
    """Policies of jobs."""

    async def find(self, organization_id: OrganizationId, pipeline_id: str) -> JobPolicy:
        """A pipeline's policy, the organization's where none is named; the defaults if none was written."""

    async def over(self, organization_id: OrganizationId, pipeline_id: str) -> Sequence[JobPolicy]:
        """What holds for jobs of a pipeline: policies that were written, the organization's first."""

    async def save(self, policy: JobPolicy) -> None:
        """Write a policy."""
