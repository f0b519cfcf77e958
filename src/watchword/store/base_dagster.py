"""The store's contract for code locations, work of Dagster agents, and these agents."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.codelocations import CodeLocation
from watchword.domain.dagsteragents import DagsterAgent
from watchword.domain.ids import DeploymentId, OrganizationId, TokenId, WorkItemId
from watchword.domain.workitems import WorkItem

# A line of waiting work: organization, deployment, whether that is a branch, queue.
Line = tuple[OrganizationId, DeploymentId, bool, str]


class CodeLocations(Protocol):
    """Code locations."""

    async def put(self, location: CodeLocation) -> None:
        """Insert, or write all of it in place of the one of its name."""

    async def find(
        self, organization_id: OrganizationId, deployment_id: DeploymentId, name: str
    ) -> CodeLocation | None:
        """By name."""

    async def list(
        self, organization_id: OrganizationId, deployment_id: DeploymentId
    ) -> Sequence[CodeLocation]:
        """Those of a deployment, by name."""

    async def delete(self, organization_id: OrganizationId, deployment_id: DeploymentId, name: str) -> bool:
        """Delete; False if there was none."""


class WorkItems(Protocol):
    """Work of Dagster agents."""

    async def add(self, item: WorkItem) -> None:
        """Insert."""

    async def find(self, organization_id: OrganizationId, item_id: WorkItemId) -> WorkItem | None:
        """By id."""

    async def lines(self, now: int) -> Sequence[Line]:
        """Where work waits, for a start."""

    async def waiting(
        self, organization_id: OrganizationId, deployment_id: DeploymentId, queue: str, now: int, limit: int
    ) -> Sequence[WorkItem]:
        """Work of a line that waits and has not expired, oldest first."""

    async def list(
        self, organization_id: OrganizationId, deployment_id: DeploymentId, limit: int
    ) -> Sequence[WorkItem]:
        """Work of a deployment in whatever state, the latest first."""

    async def take(
        self, organization_id: OrganizationId, item_id: WorkItemId, token_id: TokenId, now: int
    ) -> bool:
        """Hand it out; False if somebody else was faster, or it has expired."""

    async def answer(
        self, organization_id: OrganizationId, item_id: WorkItemId, answer: str, at: int
    ) -> bool:
        """Keep the answer to work that was handed out; False if there is none, or it has one."""

    async def forget(self, before: int) -> int:
        """Delete what was queued before a time; how many."""


class DagsterAgents(Protocol):
    """Dagster agents."""

    async def save(self, agents: Sequence[DagsterAgent]) -> None:
        """Insert, or write in place of what was known of each."""

    async def since(self, at: int) -> Sequence[DagsterAgent]:
        """Agents of all organizations that were heard of since a time, for a start."""

    async def forget(self, before: int) -> int:
        """Delete those that were not heard of since a time; how many."""
