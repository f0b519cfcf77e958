"""Ending connected applications: the grant and its tokens, in one unit of work.

An application renews its access token by itself, so that the end of one of its tokens, for whatever reason
but a renewal, ends all of them.
"""

from watchword.domain.events import TOPIC_TOKEN_ENDED, Action
from watchword.domain.ids import OrganizationId, ResourceId, TokenId, UserId
from watchword.domain.oauth import OAuthGrant
from watchword.domain.tokens import State, Token
from watchword.services.context import Caller, Context
from watchword.store.base import EVERYTHING, Transaction


async def end_grant_in(
    context: Context, tx: Transaction, caller: Caller, grant: OAuthGrant, by: UserId | None, reason: str
) -> bool:
    """End a connected application with its tokens; False if it had ended before."""
    now = context.clock.now()
    if not await tx.oauth.end_grant(grant.organization_id, grant.id, now, by, reason):
        return False
    # Read anew: a renewal may have been faster than whoever read the grant.
    current = await tx.oauth.grant(grant.organization_id, grant.id) or grant
    for token_id in (current.access_id, current.refresh_id):
        if token_id is not None:
            await end_of_grant_in(context, tx, grant.organization_id, token_id, State.REVOKED, by, reason)
    await context.record(
        tx,
        caller,
        Action.OAUTH_GRANT_REVOKED,
        grant.organization_id,
        ("oauth_grant", grant.id),
        {"client_id": grant.client_id, "name": grant.name, "user_id": grant.user_id, "reason": reason},
    )
    return True


async def end_of_grant_in(
    context: Context,
    tx: Transaction,
    organization_id: OrganizationId,
    token_id: TokenId,
    state: State,
    by: UserId | None,
    reason: str,
) -> bool:
    """End one token of a grant and tell the caches; False if it had ended before."""
    token = await tx.tokens.find(organization_id, token_id)
    now = context.clock.now()
    if token is None or not await tx.tokens.end(organization_id, token_id, state, now, by, reason):
        return False
    await tx.audit.post(organization_id, TOPIC_TOKEN_ENDED, token.digest.hex(), now)
    return True


async def end_with_token_in(
    context: Context, tx: Transaction, caller: Caller, token: Token, by: UserId | None, reason: str
) -> None:
    """What follows the end of a token that an application was given: the application's end."""
    if not token.of_grant:
        return
    grant = await tx.oauth.grant(token.organization_id, ResourceId(token.resource_id or ""))
    if grant is not None and token.id in (grant.access_id, grant.refresh_id):
        await end_grant_in(context, tx, caller, grant, by, reason)


async def end_grants_of_user_in(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization_id: OrganizationId,
    user_id: UserId,
    by: UserId | None,
    reason: str,
) -> None:
    """End what one person let applications do in one organization."""
    for grant in await tx.oauth.grants_of_user(user_id, EVERYTHING):
        if grant.organization_id == organization_id:
            await end_grant_in(context, tx, caller, grant, by, reason)
