"""The store's contract for looking at many tokens at once: holders, last uses, expiries."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from watchword.domain.accounts import Role, User
from watchword.domain.ids import OrganizationId, TokenId, UserId
from watchword.domain.securitypolicy import Grant
from watchword.domain.tokens import Token
from watchword.domain.use import Use
from watchword.store.page import Page

Holder = tuple[OrganizationId, TokenId]
FIRST_DIGEST, LAST_DIGEST = b"\0" * 32, b"\xff" * 32


@dataclass(frozen=True, slots=True)
class Reaching:
    """An API access token that reaches an organization, and its owner.

    Attributes:
        owner: None where the person is gone.
        role: the owner's role in the organization; None where the person left it.
    """

    token: Token
    grant: Grant
    owner: User | None
    role: Role | None


class Hygiene(Protocol):
    """What hygiene, the access audit and lists of API access tokens ask."""

    async def reaching(
        self,
        organization_id: OrganizationId,
        page: Page,
        user_id: UserId | None = None,
        digests: tuple[bytes, bytes] = (FIRST_DIGEST, LAST_DIGEST),
    ) -> Sequence[Reaching]:
        """API access tokens that reach an organization and are not revoked, oldest first.

        Args:
            organization_id: the organization reached.
            page: which of them.
            user_id: whose; None for everybody's.
            digests: lowest and highest digest of the value.
        """

    async def reaching_one(self, organization_id: OrganizationId, token_id: TokenId) -> Reaching | None:
        """One API access token that reaches an organization, in whatever state."""

    async def last_uses(self, holders: Sequence[Holder]) -> Mapping[Holder, Use]:
        """The latest use of each token that was used, in one statement."""

    async def disabled(self, user_ids: Collection[UserId]) -> frozenset[UserId]:
        """Those of the people whose accounts are disabled."""

    async def callers(self, organization_id: OrganizationId, hour: int, limit: int) -> Sequence[Use]:
        """Uses, since an hour, of API access tokens that reach an organization."""

    async def administrators(self, organization_id: OrganizationId) -> Sequence[User]:
        """Administrators of an organization, by address."""

    async def expiring(self, after: tuple[int, str], until: int, limit: int) -> Sequence[tuple[Token, int]]:
        """Active tokens of all organizations that expire, the first ones first.

        Args:
            after: expiry and id of a token; only later ones are meant.
            until: the latest expiry that counts.
            limit: how many.

        Returns:
            Tokens, and the fewest days ahead of the expiry of which a reminder was sent; 0 for none.
        """

    async def remind(self, organization_id: OrganizationId, token_id: TokenId, days: int, at: int) -> bool:
        """Note that a reminder was sent; False where that was noted before."""
