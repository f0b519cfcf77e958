"""The store's contract for tokens."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.ids import ClusterId, OrganizationId, ResourceId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import State, Token
from watchword.store.page import Page


class Tokens(Protocol):
    """Tokens of all kinds, and the directory of their digests."""

    async def add(self, token: Token) -> None:
        """Insert. Raises `Duplicate` where the digest is known."""

    async def find(self, organization_id: OrganizationId, token_id: TokenId) -> Token | None:
        """One token of an organization."""

    async def by_digest(self, digest: bytes) -> Token | None:
        """The token of a value's digest, in whatever state."""

    async def list(
        self, organization_id: OrganizationId, kind: Kind, cluster_id: ClusterId | None, page: Page
    ) -> Sequence[Token]:
        """Tokens that are neither revoked nor superseded, oldest first; expired ones are listed."""

    async def list_in(
        self,
        organization_id: OrganizationId,
        kind: Kind,
        cluster_id: ClusterId | None,
        state: State | None,
        now: int,
        page: Page,
    ) -> Sequence[Token]:
        """Tokens in a state as it is at `now`, or in any, oldest first."""

    async def of_resource(
        self, organization_id: OrganizationId, resource_id: ResourceId, page: Page, *, active: bool = False
    ) -> Sequence[Token]:
        """Tokens of any kind that belong to a portal, a registry, an application or a trusted issuer.

        Oldest first; `active` leaves out those that were revoked or superseded.
        """

    async def imported(self) -> Sequence[bytes]:
        """Digests of values that were issued elsewhere, of all organizations and in any state."""

    async def edit(
        self, organization_id: OrganizationId, token_id: TokenId, description: str, restrictions: str
    ) -> bool:
        """Change what may be changed of an active token."""

    async def end(
        self,
        organization_id: OrganizationId,
        token_id: TokenId,
        state: State,
        at: int,
        by: UserId | None,
        reason: str,
    ) -> bool:
        """Revoke or supersede an active token, and drop its sealed value; False if it had ended before."""

    async def take_use(self, organization_id: OrganizationId, token_id: TokenId, now: int) -> bool:
        """Count one use if the token is active at `now` and has one left: one conditional UPDATE."""

    async def return_use(self, organization_id: OrganizationId, token_id: TokenId) -> None:
        """Give back a use that came to nothing."""
