"""The store's contract for applications that exchange assertions."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.exchanges import ExchangeApplication
from watchword.domain.ids import OrganizationId, ResourceId
from watchword.store.page import Page


class Exchanges(Protocol):
    """Applications; one that was deleted stays, and is found by nobody."""

    async def add(self, application: ExchangeApplication) -> None:
        """Insert."""

    async def find(
        self, organization_id: OrganizationId, application_id: ResourceId
    ) -> ExchangeApplication | None:
        """One application."""

    async def by_client(self, client_id: str) -> ExchangeApplication | None:
        """An application of any organization by its client id."""

    async def list(self, organization_id: OrganizationId, page: Page) -> Sequence[ExchangeApplication]:
        """An organization's applications, oldest first."""

    async def save(self, application: ExchangeApplication) -> bool:
        """Write a changed or deleted application; False where it was deleted before."""
