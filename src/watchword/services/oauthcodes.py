"""Redeeming authorization codes: good once; shown again, one ends what it gave (RFC 6749 §4.1)."""

import hmac
from dataclasses import dataclass, replace

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from watchword.crypto.values import Secret, digest
from watchword.domain.oauth import (
    AUTHORIZATION_CODE,
    AuthorizationCode,
    OAuthError,
    OAuthGrant,
    is_verifier,
)
from watchword.services.access import user_actor
from watchword.services.context import Caller, Context
from watchword.services.oauthclients import Credentials, client_in, person_in
from watchword.services.oauthends import end_grant_in
from watchword.services.oauthgrants import TokenAnswer, connect_in
from watchword.store.base import Transaction

Outcome = TokenAnswer | OAuthError


@dataclass(frozen=True, slots=True)
class Redemption:
    """What a client sends to have a code redeemed."""

    code: Secret
    redirect_uri: str
    verifier: str


def invalid_grant(message: str) -> OAuthError:
    """The refusal of whatever a client was given: a code, a device code, a refresh token."""
    return OAuthError("invalid_grant", message)


async def redeem_in(
    context: Context, tx: Transaction, caller: Caller, credentials: Credentials, asked: Redemption
) -> Outcome:
    """Redeem a code, inside a unit of work; an error that is returned leaves what it did in place.

    Raises:
        OAuthError: the client is not known or may not do this; nothing is changed.
    """
    application = await client_in(tx, credentials, AUTHORIZATION_CODE)
    now = context.clock.now()
    found = await tx.oauth.code(digest(asked.code.reveal()))
    if found is None or found.client_id != application.client_id:
        return invalid_grant("The code is not known.")
    if found.used_at:
        return await _reused_in(context, tx, caller, found)
    if not _fits(found, asked) or now >= found.expires_at:
        return invalid_grant("The code has expired, or redirect_uri or code_verifier are not its own.")
    user = await tx.accounts.user(found.user_id)
    if user is None or not await person_in(tx, found.organization_id, found.user_id):
        return invalid_grant("The person does not belong to the organization any more.")
    if not await tx.oauth.take_code(found.digest, now):
        return await _reused_in(context, tx, caller, found)
    fresh = OAuthGrant(
        organization_id=found.organization_id,
        id=found.grant_id,
        client_id=application.client_id,
        name=application.name,
        user_id=found.user_id,
        scopes=found.scopes,
        flow=AUTHORIZATION_CODE,
        address=found.address,
        user_agent=found.user_agent,
        granted_at=now,
        refreshed_at=now,
        access_id=None,
        refresh_id=None,
    )
    return await connect_in(context, tx, replace(caller, actor=user_actor(user)), application, fresh)


def _fits(found: AuthorizationCode, asked: Redemption) -> bool:
    """Whether address and verifier are those of the code (RFC 6749 §4.1.3, 7636 §4.6, 9700 §2.1.1)."""
    if asked.redirect_uri != found.redirect_uri:
        return False
    if not found.challenge:
        return not asked.verifier
    if not is_verifier(asked.verifier):
        return False
    return hmac.compare_digest(create_s256_code_challenge(asked.verifier), found.challenge)


async def _reused_in(
    context: Context, tx: Transaction, caller: Caller, found: AuthorizationCode
) -> OAuthError:
    """Somebody shows a used code: one of two is not the application, so that neither goes on."""
    grant = await tx.oauth.grant(found.organization_id, found.grant_id)
    if grant is not None:
        await end_grant_in(context, tx, caller, grant, None, "its authorization code was used twice")
    return invalid_grant("The code was used before; what it gave is revoked.")
