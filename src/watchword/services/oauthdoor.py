"""The door of OAuth: what clients ask for, one unit of work each, with limits on failures by address."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from watchword.crypto.values import Secret, digest
from watchword.domain.errors import NotFound, Refused
from watchword.domain.ids import ResourceId
from watchword.domain.kinds import Kind
from watchword.domain.oauth import KEEP_CODES_US, OAuthError
from watchword.domain.tokens import Reason
from watchword.services.addresslimits import AddressLimit
from watchword.services.context import Caller, Context
from watchword.services.oauthclients import Credentials, client_in
from watchword.services.oauthcodes import Outcome, Redemption, redeem_in
from watchword.services.oauthdevices import Started, Waiting, poll_in, start_in, waiting_in
from watchword.services.oauthends import end_grant_in
from watchword.services.oauthgrants import TokenAnswer
from watchword.services.oauthrefresh import Renewal, refresh_in
from watchword.services.verifying import Verifier
from watchword.store.base import Duplicate, Transaction

T = TypeVar("T")
# What is guessed: a secret, a code, a token.
_GUESSED = frozenset({"invalid_client", "invalid_grant"})
_REFRESH = (Kind.OAUTH_REFRESH,)
# RFC 8628 §5.1: user codes are short, so that few may be tried.
_USER_CODES = 10
_TRIES = 5


@dataclass(slots=True)
class OAuthDoor:
    """What clients of OAuth ask for.

    Attributes:
        failures: how many wrong secrets, codes and tokens an address may show.
        devices: how many device authorizations it may begin.
        user_codes: how many wrong user codes it may try.
    """

    context: Context
    verifier: Verifier
    failures: AddressLimit
    devices: AddressLimit
    user_codes: AddressLimit

    @classmethod
    def of(cls, context: Context, verifier: Verifier) -> "OAuthDoor":
        """The door with the installation's limits."""
        clock, limits = context.clock, context.installation.rate_limits
        return cls(
            context,
            verifier,
            AddressLimit(clock, limits.oauth_failures),
            AddressLimit(clock, limits.oauth_devices),
            AddressLimit(clock, _USER_CODES if limits.oauth_failures else 0),
        )

    async def redeem(self, caller: Caller, credentials: Credentials, asked: Redemption) -> TokenAnswer:
        """Redeem an authorization code.

        Raises:
            OAuthError: it gives nothing.
            TooMany: the address has failed too often.
        """
        return await self._ask(caller, lambda tx: redeem_in(self.context, tx, caller, credentials, asked))

    async def poll(self, caller: Caller, credentials: Credentials, device_code: Secret) -> TokenAnswer:
        """Ask whether a device was let in.

        Raises:
            OAuthError: not yet, or never.
            TooMany: the address has failed too often.
        """
        return await self._ask(caller, lambda tx: poll_in(self.context, tx, caller, credentials, device_code))

    async def refresh(
        self, caller: Caller, credentials: Credentials, value: Secret, scope: str
    ) -> TokenAnswer:
        """Use up a refresh token.

        Raises:
            OAuthError: it gives nothing.
            TooMany: the address has failed too often.
        """
        refused = ""
        try:
            await self.verifier.verify(
                value.reveal(), _REFRESH, address=caller.address, agent=caller.user_agent
            )
        except Refused as error:
            refused = error.code if error.code != Reason.SUPERSEDED else ""
        asked = Renewal(value, scope, refused)
        return await self._ask(caller, lambda tx: refresh_in(self.context, tx, caller, credentials, asked))

    async def start_device(self, caller: Caller, credentials: Credentials, scope: str) -> Started:
        """Begin a device authorization.

        Raises:
            OAuthError: the client is not known or may not do this, or it asks for nothing that it may have.
            TooMany: the address has begun or failed too often.
        """
        self.devices.spend(caller.address, 1)
        for _ in range(_TRIES):
            try:
                return await self._guarded(
                    caller, lambda tx: start_in(self.context, tx, caller, credentials, scope)
                )
            except Duplicate:  # the user code is under way elsewhere
                continue
        raise OAuthError("server_error", "Try again.")

    async def revoke(self, caller: Caller, credentials: Credentials, value: Secret) -> None:
        """Revoke a token and all that came with it (RFC 7009); one that is not known is no error.

        Raises:
            OAuthError: the client is not known, or the token is not its own.
            TooMany: the address has failed too often.
        """

        async def work(tx: Transaction) -> None:
            application = await client_in(tx, credentials, "")
            token = await tx.tokens.by_digest(digest(value.reveal()))
            if token is None:
                return
            grant = await tx.oauth.grant(token.organization_id, ResourceId(token.resource_id or ""))
            if not token.of_grant or grant is None or grant.client_id != application.client_id:
                raise OAuthError("invalid_grant", "The token was not issued to this client.")
            await end_grant_in(self.context, tx, caller, grant, None, "revoked by the application")

        await self._guarded(caller, work)

    async def waiting(self, caller: Caller, user_code: str) -> Waiting:
        """The device that waits with a user code.

        Raises:
            NotFound: there is none.
            TooMany: too many wrong ones came from the address.
        """
        self.user_codes.require(caller.address)
        try:
            return await self.context.store.read(lambda tx: waiting_in(self.context, tx, user_code))
        except NotFound:
            self.user_codes.count(caller.address)
            raise

    async def forget(self) -> None:
        """Delete codes that ended long ago."""
        before = self.context.clock.now() - KEEP_CODES_US
        await self.context.store.write(lambda tx: tx.oauth.forget_codes(before))

    async def _ask(self, caller: Caller, work: Callable[[Transaction], Awaitable[Outcome]]) -> TokenAnswer:
        """Run a unit whose refusals leave something in place, so that they come as answers of it."""
        outcome = await self._guarded(caller, work)
        if isinstance(outcome, TokenAnswer):
            return outcome
        self._note(caller, outcome)
        raise outcome

    async def _guarded(self, caller: Caller, work: Callable[[Transaction], Awaitable[T]]) -> T:
        self.failures.require(caller.address)
        try:
            return await self.context.store.write(work)
        except OAuthError as error:
            self._note(caller, error)
            raise

    def _note(self, caller: Caller, error: OAuthError) -> None:
        if error.code in _GUESSED:
            self.failures.count(caller.address)
