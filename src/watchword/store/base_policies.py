"""The store's contract for security policies and for the organizations that API access tokens reach."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.ids import OrganizationId, TokenId, UserId
from watchword.domain.securitypolicy import Grant, SecurityPolicy
from watchword.store.page import Page


class Policies(Protocol):
    """Security policies and grants."""

    async def policy(self, organization_id: OrganizationId) -> SecurityPolicy:
        """An organization's policy; the defaults where none was written."""

    async def save(self, policy: SecurityPolicy) -> None:
        """Write a policy."""

    async def add_grant(self, grant: Grant) -> None:
        """Insert. Raises `Duplicate` where the token was granted the organization before."""

    async def grant(self, organization_id: OrganizationId, token_id: TokenId) -> Grant | None:
        """Whether a token reaches, or reached, an organization."""

    async def grants(self, organization_id: OrganizationId, page: Page) -> Sequence[Grant]:
        """Tokens that reach an organization, oldest first; ended grants are left out."""

    async def grants_of(self, token_id: TokenId) -> Sequence[Grant]:
        """Organizations that a token reaches or reached, oldest first."""

    async def end_grant(
        self, organization_id: OrganizationId, token_id: TokenId, at: int, by: UserId | None
    ) -> bool:
        """The token reaches the organization no more; False if it did not."""
