"""The store's contract for members of organizations, invitations and banners."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.accounts import Member, SsoMode, User
from watchword.domain.ids import InvitationId, OrganizationId, UserId
from watchword.domain.invitations import Invitation
from watchword.domain.securitypolicy import Grant
from watchword.domain.teams import Banner
from watchword.store.page import Page


class Members(Protocol):
    """Members, invitations and banners."""

    async def list(self, organization_id: OrganizationId, page: Page) -> Sequence[tuple[Member, User]]:
        """First come first."""

    async def find(self, organization_id: OrganizationId, user_id: UserId) -> tuple[Member, User] | None:
        """A member by the person's id."""

    async def by_email(self, organization_id: OrganizationId, email: str) -> tuple[Member, User] | None:
        """A member by address in lower case; the case of letters in the row makes no difference."""

    async def hold(self, organization_id: OrganizationId) -> None:
        """Until the unit ends no other changes administrators: of two at once the later sees the earlier."""

    async def promote(self, organization_id: OrganizationId, user_id: UserId) -> bool:
        """Make a member an administrator; False if there is none."""

    async def demote(self, organization_id: OrganizationId, user_id: UserId) -> bool:
        """Make an administrator an ordinary member; False if no other administrator would remain."""

    async def set_sso(self, organization_id: OrganizationId, user_id: UserId, mode: SsoMode) -> bool:
        """Change how a member signs in; False if there is none."""

    async def remove(self, organization_id: OrganizationId, user_id: UserId) -> bool:
        """Delete a membership; False if there is none, or no administrator would remain."""

    async def grants(self, organization_id: OrganizationId, user_id: UserId) -> Sequence[Grant]:
        """What a person's API access tokens hold of an organization; ended grants are left out."""

    async def add_invitation(self, invitation: Invitation) -> None:
        """Insert. Raises `Duplicate` where the address has a pending one."""

    async def invitation(
        self, organization_id: OrganizationId, invitation_id: InvitationId
    ) -> Invitation | None:
        """By id."""

    async def invitation_by_digest(self, digest: bytes) -> Invitation | None:
        """By the digest of its secret, in whatever organization and state."""

    async def invitations(self, organization_id: OrganizationId, page: Page) -> Sequence[Invitation]:
        """All, newest first."""

    async def pending(self, organization_id: OrganizationId, now: int) -> Sequence[Invitation]:
        """Those that can be accepted, newest first."""

    async def expire(self, organization_id: OrganizationId, now: int) -> None:
        """Write down which pending ones expired by `now`, so that their addresses can be invited anew."""

    async def accept(
        self, organization_id: OrganizationId, invitation_id: InvitationId, at: int, by: UserId
    ) -> bool:
        """Pending → accepted; False from any other state, and if it expired."""

    async def revoke(
        self, organization_id: OrganizationId, invitation_id: InvitationId, at: int, by: UserId | None
    ) -> bool:
        """Pending → revoked; False from any other state, and if it expired."""

    async def renew(
        self,
        organization_id: OrganizationId,
        invitation_id: InvitationId,
        at: int,
        digest: bytes,
        expires_at: int,
    ) -> bool:
        """Give a pending invitation another secret and longer life; False if it is not pending."""

    async def banner(self, organization_id: OrganizationId) -> Banner | None:
        """The organization's banner."""

    async def save_banner(self, banner: Banner) -> None:
        """Write a banner; the id and the time of the first stay."""

    async def drop_banner(self, organization_id: OrganizationId) -> bool:
        """Delete the banner; False if there is none."""
