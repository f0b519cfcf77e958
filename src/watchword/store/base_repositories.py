"""The store's contract for where credentials for repositories come from."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.ids import ClusterId, OrganizationId, RepositoryCredentialId
from watchword.domain.repositorycredentials import RepositoryCredential
from watchword.store.page import Page


class Repositories(Protocol):
    """Repository credentials; a cluster's row counts its own."""

    async def add(self, credential: RepositoryCredential) -> None:
        """Insert. Raises `Duplicate` where the cluster has the pattern."""

    async def find(
        self, organization_id: OrganizationId, credential_id: RepositoryCredentialId
    ) -> RepositoryCredential | None:
        """By id."""

    async def list(
        self, organization_id: OrganizationId, cluster_id: ClusterId, page: Page
    ) -> Sequence[RepositoryCredential]:
        """Of a cluster, by pattern."""

    async def note_use(
        self, organization_id: OrganizationId, credential_id: RepositoryCredentialId, at: int
    ) -> bool:
        """Note when a job last got a token; False if it is gone."""

    async def delete(
        self, organization_id: OrganizationId, cluster_id: ClusterId, credential_id: RepositoryCredentialId
    ) -> bool:
        """Delete; False if there was none."""

    async def delete_of_cluster(self, organization_id: OrganizationId, cluster_id: ClusterId) -> None:
        """Delete all of a cluster."""
