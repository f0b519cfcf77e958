"""The store's contract for artifacts: their records, and the room that their bytes take."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.artifacts import Artifact, ArtifactState
from watchword.domain.ids import ArtifactId, BuildId, JobId, OrganizationId


class Artifacts(Protocol):
    """Artifacts."""

    async def add(self, artifact: Artifact) -> None:
        """Insert. Raises `Duplicate` where the batch has something at this place."""

    async def find(self, organization_id: OrganizationId, artifact_id: ArtifactId) -> Artifact | None:
        """By id."""

    async def of_batch(
        self, organization_id: OrganizationId, job_id: JobId, batch_id: str
    ) -> Sequence[Artifact]:
        """What one call announced, in its order."""

    async def of_build(self, organization_id: OrganizationId, build_id: BuildId) -> Sequence[Artifact]:
        """All of a build in whatever state, oldest first."""

    async def move(self, artifact: Artifact, state: ArtifactState, at: int) -> bool:
        """From the state that `artifact` carries to another; False if it is in another one meanwhile."""

    async def room_of_build(self, organization_id: OrganizationId, build_id: BuildId) -> tuple[int, int]:
        """How many artifacts of a build are in our object store, and their bytes."""

    async def take_room(self, organization_id: OrganizationId, size: int, limit: int) -> bool:
        """Count bytes for an organization, unless that makes more than the limit."""

    async def give_room(self, organization_id: OrganizationId, size: int) -> None:
        """Count bytes off."""
