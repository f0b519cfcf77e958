"""The store's contract for organizations, users, members, clusters and queues."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.accounts import Cluster, Member, Organization, Queue, User
from watchword.domain.ids import ClusterId, OrganizationId, QueueId, UserId
from watchword.store.page import Page


class Accounts(Protocol):
    """Organizations, users, members, clusters and queues."""

    async def add_organization(self, organization: Organization) -> None:
        """Insert. Raises `Duplicate` where the slug is taken."""

    async def set_default_cluster(self, organization_id: OrganizationId, cluster_id: ClusterId) -> None:
        """Name the cluster of pipelines that name none."""

    async def organization(self, organization_id: OrganizationId) -> Organization | None:
        """By id."""

    async def organization_by_slug(self, slug: str) -> Organization | None:
        """By slug."""

    async def organizations(self) -> Sequence[Organization]:
        """All, oldest first."""

    async def add_user(self, user: User) -> None:
        """Insert. Raises `Duplicate` where the address is taken."""

    async def user(self, user_id: UserId) -> User | None:
        """By id."""

    async def add_member(self, member: Member) -> None:
        """Insert. Raises `Duplicate` where the person is a member already."""

    async def member(self, organization_id: OrganizationId, user_id: UserId) -> Member | None:
        """A person's membership."""

    async def add_cluster(self, cluster: Cluster) -> None:
        """Insert."""

    async def cluster(self, organization_id: OrganizationId, cluster_id: ClusterId) -> Cluster | None:
        """By id."""

    async def clusters(self, organization_id: OrganizationId, page: Page) -> Sequence[Cluster]:
        """Oldest first."""

    async def save_cluster(self, cluster: Cluster) -> None:
        """Write name, description, emoji, color and default queue."""

    async def delete_cluster(self, organization_id: OrganizationId, cluster_id: ClusterId) -> None:
        """Delete the cluster and its queues."""

    async def add_queue(self, queue: Queue) -> None:
        """Insert. Raises `Duplicate` where the cluster has the key."""

    async def queue(self, organization_id: OrganizationId, queue_id: QueueId) -> Queue | None:
        """By id."""

    async def queue_by_key(
        self, organization_id: OrganizationId, cluster_id: ClusterId, key: str
    ) -> Queue | None:
        """By key."""

    async def queues(
        self, organization_id: OrganizationId, cluster_id: ClusterId, page: Page
    ) -> Sequence[Queue]:
        """Oldest first."""

    async def pause_queue(
        self, organization_id: OrganizationId, queue_id: QueueId, at: int, by: UserId | None, note: str
    ) -> bool:
        """Hold the queue's jobs back; False if they are already."""

    async def resume_queue(self, organization_id: OrganizationId, queue_id: QueueId) -> bool:
        """Dispatch the queue's jobs again; False if it was not paused."""

    async def paused_queues(self) -> Sequence[QueueId]:
        """Paused queues of all organizations, for a start."""
