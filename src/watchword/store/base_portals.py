"""The store's contract for portals and their codes."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.ids import OrganizationId, ResourceId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.portals import Portal, PortalCode
from watchword.domain.tokens import Token
from watchword.store.page import Page


class Portals(Protocol):
    """Portals of organizations."""

    async def add(self, portal: Portal) -> None:
        """Insert. Raises `Duplicate` where the slug is taken."""

    async def find(self, organization_id: OrganizationId, portal_id: ResourceId) -> Portal | None:
        """By id."""

    async def by_slug(self, organization_id: OrganizationId, slug: str) -> Portal | None:
        """By slug."""

    async def list(self, organization_id: OrganizationId, page: Page) -> Sequence[Portal]:
        """Oldest first."""

    async def save(self, portal: Portal) -> None:
        """Write what may change. Raises `Duplicate` where the slug is taken."""

    async def hold(self, organization_id: OrganizationId, portal_id: ResourceId) -> bool:
        """Hold its row to the end of the unit, so that what is counted stays so; False if it is gone."""

    async def tokens(
        self, organization_id: OrganizationId, portal_id: ResourceId, kind: Kind, page: Page
    ) -> Sequence[Token]:
        """Its tokens of a kind in whatever state, newest first."""

    async def live_tokens(
        self, organization_id: OrganizationId, portal_id: ResourceId, now: int
    ) -> Sequence[Token]:
        """Its tokens of every kind that are active and not expired at `now`, oldest first."""

    async def delete(self, organization_id: OrganizationId, portal_id: ResourceId) -> bool:
        """Delete it with its codes; False if it was gone."""

    async def add_code(self, code: PortalCode) -> None:
        """Insert."""

    async def code(
        self, organization_id: OrganizationId, portal_id: ResourceId, digest: bytes
    ) -> PortalCode | None:
        """A code by the SHA-256 of it."""

    async def decide(
        self,
        organization_id: OrganizationId,
        portal_id: ResourceId,
        digest: bytes,
        by: UserId,
        now: int,
        *,
        approve: bool,
    ) -> bool:
        """Approve or deny a code that is open at `now`: one conditional UPDATE; False if it was not."""

    async def use_code(
        self, organization_id: OrganizationId, portal_id: ResourceId, digest: bytes, now: int
    ) -> bool:
        """Use up an approved code that is open at `now`: one conditional UPDATE; False if it was not."""

    async def drop_codes(self, organization_id: OrganizationId, portal_id: ResourceId) -> None:
        """Delete every code of a portal."""

    async def forget_codes(self, before: int) -> None:
        """Delete codes of all portals that expired before a time."""
