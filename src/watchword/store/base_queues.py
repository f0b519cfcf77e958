"""The store's contract for what is done to queues beyond finding them, and for cluster secrets."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.accounts import Queue
from watchword.domain.ids import ClusterId, OrganizationId, QueueId, SecretId
from watchword.domain.secrets import ClusterSecret
from watchword.store.page import Page


class Queues(Protocol):
    """Changes of queues."""

    async def save(self, queue: Queue) -> None:
        """Write description and affinity."""

    async def delete(self, organization_id: OrganizationId, queue_id: QueueId) -> bool:
        """Delete; False if there was none."""

    async def agents(self, organization_id: OrganizationId, queue_id: QueueId) -> int:
        """How many live agents serve it."""

    async def open_jobs(self, organization_id: OrganizationId, queue_id: QueueId) -> int:
        """How many of its jobs have not ended."""


class Secrets(Protocol):
    """Cluster secrets."""

    async def add(self, secret: ClusterSecret) -> None:
        """Insert. Raises `Duplicate` where the cluster has the key."""

    async def find(self, organization_id: OrganizationId, secret_id: SecretId) -> ClusterSecret | None:
        """By id."""

    async def by_key(
        self, organization_id: OrganizationId, cluster_id: ClusterId, key: str
    ) -> ClusterSecret | None:
        """By key, in whatever case it was stored; the oldest where two differ in case alone."""

    async def note_read(self, organization_id: OrganizationId, secret_id: SecretId, at: int) -> bool:
        """Note when a job last got it; False if it is gone."""

    async def list(
        self, organization_id: OrganizationId, cluster_id: ClusterId, page: Page
    ) -> Sequence[ClusterSecret]:
        """Secrets of a cluster, oldest first."""

    async def save(self, secret: ClusterSecret) -> None:
        """Write description, policy, sealed value, and who changed it when."""

    async def delete(self, organization_id: OrganizationId, secret_id: SecretId) -> bool:
        """Delete; False if there was none."""

    async def delete_of_cluster(self, organization_id: OrganizationId, cluster_id: ClusterId) -> None:
        """Delete all secrets of a cluster."""
