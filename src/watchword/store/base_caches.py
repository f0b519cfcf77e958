"""The store's contract for the index of caches."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.caches import CacheEntry, CacheRegistry
from watchword.domain.ids import CacheEntryId, CacheRegistryId, ClusterId, OrganizationId
from watchword.store.page import Page


class Caches(Protocol):
    """Cache registries and their entries."""

    async def add_registry(self, registry: CacheRegistry) -> None:
        """Insert. Raises `Duplicate` where the cluster has the slug."""

    async def registry(
        self, organization_id: OrganizationId, registry_id: CacheRegistryId
    ) -> CacheRegistry | None:
        """By id."""

    async def registry_by_slug(
        self, organization_id: OrganizationId, cluster_id: ClusterId, slug: str
    ) -> CacheRegistry | None:
        """By slug."""

    async def registries(
        self, organization_id: OrganizationId, cluster_id: ClusterId, page: Page
    ) -> Sequence[CacheRegistry]:
        """Of a cluster, oldest first."""

    async def delete_registry(self, organization_id: OrganizationId, registry_id: CacheRegistryId) -> bool:
        """Delete with its entries; False if there was none."""

    async def delete_of_cluster(self, organization_id: OrganizationId, cluster_id: ClusterId) -> None:
        """Delete all registries of a cluster with their entries."""

    async def add_entry(self, entry: CacheEntry) -> None:
        """Insert."""

    async def entry(self, organization_id: OrganizationId, entry_id: CacheEntryId) -> CacheEntry | None:
        """By id."""

    async def entries(
        self, organization_id: OrganizationId, registry_id: CacheRegistryId, now: int, page: Page
    ) -> Sequence[CacheEntry]:
        """Live entries of a registry that have not expired, oldest first."""

    async def commit(self, entry: CacheEntry, now: int, expires_at: int) -> bool:
        """Make a pending entry live; False where it is not pending, or its address is taken in its scope."""

    async def exact(self, registry: CacheRegistry, scope: str, address: str, now: int) -> CacheEntry | None:
        """The live entry of an address in a scope."""

    async def relative(self, registry: CacheRegistry, scope: str, family: str, now: int) -> CacheEntry | None:
        """The newest live entry of a family in a scope."""

    async def use(self, entry: CacheEntry, now: int, expires_at: int) -> None:
        """Note a use, which puts the expiry off."""

    async def expire(self, organization_id: OrganizationId, entry_id: CacheEntryId) -> bool:
        """Delete an entry; False if there was none."""

    async def load(self, organization_id: OrganizationId, cluster_id: ClusterId) -> tuple[int, int]:
        """How many entries a cluster has, and their bytes together; pending ones included."""

    async def drop_expired(self, now: int, limit: int) -> int:
        """Delete entries that have expired, so many at most; how many there were."""
