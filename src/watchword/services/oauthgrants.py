"""Connected applications: what a person let one do, its tokens, and how they are renewed and shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from watchword.crypto.values import Secret
from watchword.domain.accounts import Organization, User
from watchword.domain.errors import NotFound
from watchword.domain.events import Action
from watchword.domain.ids import TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.oauth import REFRESH_US, SECOND_US, OAuthGrant
from watchword.domain.oauthapplications import Application
from watchword.domain.securitypolicy import Grant, SecurityPolicy
from watchword.domain.tokens import DAY_US, Token
from watchword.services.context import Caller, Context
from watchword.services.issuing import build_token, mint_value
from watchword.services.ledger import Ledger
from watchword.services.oauthends import end_grant_in
from watchword.store.base import EVERYTHING, Transaction


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """What an application is given (RFC 6749 §5.1).

    Attributes:
        expires_in: seconds that the access token lives; 0 means until it is revoked.
        refresh: None where the application gets none.
    """

    access: Secret
    refresh: Secret | None
    scope: str
    expires_in: int

    def body(self) -> dict[str, object]:
        """The fields of the answer."""
        shown: dict[str, object] = {
            "access_token": self.access.reveal(),
            "token_type": "Bearer",
            "scope": self.scope,
        }
        if self.expires_in:
            shown["expires_in"] = self.expires_in
        if self.refresh is not None:
            shown["refresh_token"] = self.refresh.reveal()
        return shown

    def dump(self) -> bytes:
        """As it is sealed for a client that lost the answer."""
        return msgspec.json.encode(self.body())

    @classmethod
    def load(cls, content: bytes) -> "TokenAnswer":
        """The reverse of `dump`."""
        body = msgspec.json.decode(content)
        refresh = body.get("refresh_token")
        return cls(
            Secret(body["access_token"]),
            Secret(refresh) if refresh else None,
            body["scope"],
            body.get("expires_in", 0),
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """Fresh tokens of a grant, and the answer that carries their values."""

    access: Token
    refresh: Token | None
    answer: TokenAnswer


async def connect_in(
    context: Context, tx: Transaction, caller: Caller, application: Application, fresh: OAuthGrant
) -> TokenAnswer:
    """Write a connected application with its first tokens, inside the unit that used up its code."""
    pair = await issue_in(context, tx, application, fresh, frozenset(fresh.scopes.split()), None)
    await tx.oauth.add_grant(
        replace(fresh, access_id=pair.access.id, refresh_id=pair.refresh.id if pair.refresh else None)
    )
    data = {
        "client_id": fresh.client_id,
        "name": fresh.name,
        "scopes": fresh.scopes,
        "flow": fresh.flow,
        "approved_from": fresh.address,
    }
    subject = ("oauth_grant", fresh.id)
    await context.record(tx, caller, Action.OAUTH_GRANT_CREATED, fresh.organization_id, subject, data)
    return pair.answer


async def issue_in(
    context: Context,
    tx: Transaction,
    application: Application,
    grant: OAuthGrant,
    scopes: frozenset[str],
    former: TokenId | None,
) -> Pair:
    """Write fresh tokens of a grant; what they replace is ended by whoever calls.

    Args:
        context: the ground.
        tx: the unit of work.
        application: what it allows.
        grant: whose tokens.
        scopes: what the access token opens.
        former: the refresh token that is used up for this.
    """
    now = context.clock.now()
    policy = await tx.policies.policy(grant.organization_id)
    end = end_of(policy, grant)
    expires = now + application.token_seconds * SECOND_US if application.token_seconds else 0
    value = mint_value(context, Kind.API_ACCESS)
    access = build_token(
        context,
        Kind.API_ACCESS,
        grant.organization_id,
        value,
        description=grant.name,
        user_id=grant.user_id,
        scopes=scopes,
        expires_at=min((each for each in (expires, end) if each), default=0),
        created_by=grant.user_id,
        resource_id=grant.id,
    )
    await tx.tokens.add(access)
    home = grant.organization_id
    await tx.policies.add_grant(Grant(home, access.id, home, now, grant.user_id))
    refresh, renewing = None, None
    if application.refresh:
        renewing = mint_value(context, Kind.OAUTH_REFRESH)
        idle = policy.revoke_inactive_after_days * DAY_US
        lasts = min(REFRESH_US, idle) if idle else REFRESH_US
        refresh = build_token(
            context,
            Kind.OAUTH_REFRESH,
            home,
            renewing,
            description=grant.name,
            user_id=grant.user_id,
            parent_id=former,
            scopes=grant.scopes.split(),
            expires_at=min(now + lasts, end) if end else now + lasts,
            created_by=grant.user_id,
            resource_id=grant.id,
        )
        await tx.tokens.add(refresh)
    seconds = -(-(access.expires_at - now) // SECOND_US) if access.expires_at else 0
    return Pair(access, refresh, TokenAnswer(value, renewing, access.scopes, seconds))


def end_of(policy: SecurityPolicy, grant: OAuthGrant) -> int:
    """When a connection has to be made anew: the longest life of tokens that the organization allows."""
    days = policy.maximum_api_token_days
    return grant.granted_at + days * DAY_US if days else 0


@dataclass(frozen=True, slots=True)
class Connected:
    """A connected application as its person sees it.

    Attributes:
        last_used_at: its last call or renewal.
        expires_at: when it ends by itself if it is not used; 0 means never.
    """

    grant: OAuthGrant
    organization: Organization
    last_used_at: int
    last_address: str
    expires_at: int


async def connected_in(tx: Transaction, ledger: Ledger, user: User) -> list[Connected]:
    """What a person let applications do, in all organizations, latest first."""
    found = []
    for grant in await tx.oauth.grants_of_user(user.id, EVERYTHING):
        organization = await tx.accounts.organization(grant.organization_id)
        if organization is not None:
            found.append(await _shown_in(tx, ledger, grant, organization))
    return found


async def _shown_in(
    tx: Transaction, ledger: Ledger, grant: OAuthGrant, organization: Organization
) -> Connected:
    home, used, address = grant.organization_id, grant.refreshed_at, ""
    live = [one for one in (grant.refresh_id, grant.access_id) if one is not None]
    uses = await ledger.last_uses_in(tx, [(home, one) for one in live])
    for use in uses.values():
        if use.last_at >= used:
            used, address = use.last_at, use.address
    lasting = await tx.tokens.find(home, live[0]) if live else None
    return Connected(grant, organization, used, address, lasting.expires_at if lasting else 0)


async def find_connected_in(tx: Transaction, user_id: UserId, text: str) -> OAuthGrant:
    """One's own connected application.

    Raises:
        NotFound: there is none, or it has ended.
    """
    for grant in await tx.oauth.grants_of_user(user_id, EVERYTHING):
        if grant.id == text.lower():
            return grant
    raise NotFound("No connected application found")


async def disconnect_in(context: Context, tx: Transaction, caller: Caller, grant: OAuthGrant) -> None:
    """End what one let an application do, at once: the grant and all its tokens."""
    await end_grant_in(context, tx, caller, grant, grant.user_id, "revoked by its owner")


async def end_all_in(
    context: Context,
    tx: Transaction,
    caller: Caller,
    application: Application,
    by: UserId | None,
    reason: str,
) -> Sequence[OAuthGrant]:
    """End what everybody let an application do in its organization."""
    found = await tx.oauth.grants_of_client(application.organization_id, application.client_id, EVERYTHING)
    for grant in found:
        await end_grant_in(context, tx, caller, grant, by, reason)
    return found
