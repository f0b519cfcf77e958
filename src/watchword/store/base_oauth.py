"""The store's contract for OAuth: applications, codes under way, connected applications."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.ids import OrganizationId, ResourceId, TokenId, UserId
from watchword.domain.oauth import AuthorizationCode, DeviceCode, OAuthGrant
from watchword.domain.oauthapplications import Application
from watchword.store.page import Page


class OAuth(Protocol):
    """Applications, codes and connected applications; codes are found by their digests alone."""

    async def add_application(self, application: Application) -> None:
        """Insert. Raises `Duplicate` where the client id is known."""

    async def application(
        self, organization_id: OrganizationId, application_id: ResourceId
    ) -> Application | None:
        """One that was not deleted, by its id."""

    async def application_by_client(self, client_id: str) -> Application | None:
        """One that was not deleted, by its client id."""

    async def applications(self, organization_id: OrganizationId, page: Page) -> Sequence[Application]:
        """Those that were not deleted, oldest first."""

    async def save_application(self, application: Application) -> bool:
        """Write what may be changed; False if it was deleted."""

    async def end_application(
        self, organization_id: OrganizationId, application_id: ResourceId, at: int
    ) -> bool:
        """Delete; False if it was deleted before."""

    async def add_code(self, code: AuthorizationCode) -> None:
        """Insert."""

    async def code(self, digest: bytes) -> AuthorizationCode | None:
        """An authorization code, used and expired ones too."""

    async def take_code(self, digest: bytes, at: int) -> bool:
        """Use a code that is unused and lives at `at`: one conditional UPDATE."""

    async def add_device(self, device: DeviceCode) -> None:
        """Insert. Raises `Duplicate` where the user code is under way."""

    async def device(self, digest: bytes) -> DeviceCode | None:
        """A device code, used and expired ones too."""

    async def device_of_user(self, user_digest: bytes) -> DeviceCode | None:
        """The device code of a user code."""

    async def poll_device(self, digest: bytes, at: int, wait_seconds: int) -> None:
        """Note when the device asked, and how long it is to wait from now on."""

    async def approve_device(
        self,
        user_digest: bytes,
        at: int,
        organization_id: OrganizationId,
        user_id: UserId,
        grant_id: ResourceId,
        scopes: str,
    ) -> bool:
        """Approve one that nobody decided about and that lives at `at`: one conditional UPDATE."""

    async def deny_device(self, user_digest: bytes, at: int, user_id: UserId) -> bool:
        """Deny one that nobody decided about and that lives at `at`."""

    async def take_device(self, digest: bytes, at: int) -> bool:
        """Use one that was approved, is unused and lives at `at`: one conditional UPDATE."""

    async def forget_codes(self, before: int) -> None:
        """Delete codes of both sorts that ended earlier."""

    async def add_grant(self, grant: OAuthGrant) -> None:
        """Insert."""

    async def grant(self, organization_id: OrganizationId, grant_id: ResourceId) -> OAuthGrant | None:
        """One by its id, in whatever state."""

    async def grants_of_user(self, user_id: UserId, page: Page) -> Sequence[OAuthGrant]:
        """What is connected to a person, in all organizations, latest first."""

    async def grants_of_client(
        self, organization_id: OrganizationId, client_id: str, page: Page
    ) -> Sequence[OAuthGrant]:
        """What one application has in an organization, oldest first."""

    async def renew_grant(
        self,
        organization_id: OrganizationId,
        grant_id: ResourceId,
        former: TokenId,
        access_id: TokenId,
        refresh_id: TokenId,
        at: int,
    ) -> bool:
        """Put new tokens in the place of refresh token `former` and its fellow; False if that is not live."""

    async def end_grant(
        self, organization_id: OrganizationId, grant_id: ResourceId, at: int, by: UserId | None, reason: str
    ) -> bool:
        """End; False if it had ended."""
