"""Device authorization (RFC 8628): a program shows a code, a person approves it elsewhere."""

import secrets
from dataclasses import dataclass, replace

from watchword.crypto.values import Secret, digest
from watchword.domain.accounts import User
from watchword.domain.errors import NotFound
from watchword.domain.ids import ResourceId
from watchword.domain.oauth import (
    DEVICE_CODE,
    DEVICE_CODE_US,
    POLL_SECONDS,
    SECOND_US,
    SLOW_DOWN_SECONDS,
    DeviceCode,
    OAuthError,
    OAuthGrant,
    make_user_code,
    read_scopes,
    read_user_code,
)
from watchword.domain.oauthapplications import Application
from watchword.services.access import Access, user_actor
from watchword.services.context import Caller, Context
from watchword.services.oauthclients import Credentials, client_in, find_client_in, person_in
from watchword.services.oauthcodes import Outcome, invalid_grant
from watchword.services.oauthconsent import allowed_scopes, approved_in
from watchword.services.oauthgrants import connect_in
from watchword.services.oauthreplays import again_in, keep_in
from watchword.store.base import Transaction

_CODE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Started:
    """A device code that is under way, and the code that the person types."""

    device_code: Secret
    user_code: str
    expires_in: int
    interval: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A device that waits for a decision, as the person sees it."""

    device: DeviceCode
    application: Application
    user_code: str


async def start_in(
    context: Context, tx: Transaction, caller: Caller, credentials: Credentials, scope: str
) -> Started:
    """Begin; raises `store.base.Duplicate` where the user code is under way: try again.

    Raises:
        OAuthError: the client is not known or may not do this, or no scope is one of its own.
    """
    application = await client_in(tx, credentials, DEVICE_CODE)
    scopes = application.open_scopes(read_scopes(scope))
    if not scopes:
        raise OAuthError("invalid_scope", "The application may have none of these scopes.")
    now = context.clock.now()
    device_code, user_code = Secret(secrets.token_urlsafe(_CODE_BYTES)), make_user_code()
    await tx.oauth.add_device(
        DeviceCode(
            digest=digest(device_code.reveal()),
            user_digest=digest(user_code),
            client_id=application.client_id,
            scopes=" ".join(sorted(scopes)),
            address=caller.address or "",
            user_agent=caller.user_agent,
            wait_seconds=POLL_SECONDS,
            polled_at=0,
            created_at=now,
            expires_at=now + DEVICE_CODE_US,
        )
    )
    return Started(device_code, user_code, DEVICE_CODE_US // SECOND_US, POLL_SECONDS)


async def waiting_in(context: Context, tx: Transaction, text: str) -> Waiting:
    """The device of a user code that somebody typed.

    Raises:
        NotFound: no device waits with this code; those that ended and those that never were answer alike.
    """
    user_code = read_user_code(text)
    found = await tx.oauth.device_of_user(digest(user_code)) if user_code else None
    application = await find_client_in(tx, found.client_id) if found is not None else None
    if found is None or application is None or not found.waits_at(context.clock.now()):
        raise NotFound(
            "No device waits with this code: look at it again, or start anew on the device.",
            code="no_such_user_code",
        )
    return Waiting(found, application, user_code)


async def approve_in(context: Context, tx: Transaction, access: Access, waiting: Waiting) -> None:
    """Let a device in.

    Raises:
        NotFound: somebody decided about it a moment ago, or the application is another organization's.
        Forbidden: the organization lets administrators alone make access tokens.
        OAuthError: the person has none of the permissions.
    """
    application, device = waiting.application, waiting.device
    granted = allowed_scopes(access, application, frozenset(device.scopes.split()))
    scopes, grant_id = " ".join(sorted(granted)), ResourceId(context.new_id())
    now = context.clock.now()
    if not await tx.oauth.approve_device(
        device.user_digest, now, access.id, access.user.id, grant_id, scopes
    ):
        raise NotFound("Somebody decided about this code a moment ago.", code="no_such_user_code")
    await approved_in(context, tx, access, application, grant_id, scopes, DEVICE_CODE)


async def deny_in(context: Context, tx: Transaction, user: User, waiting: Waiting) -> None:
    """Refuse a device.

    Raises:
        NotFound: somebody decided about it a moment ago.
    """
    if not await tx.oauth.deny_device(waiting.device.user_digest, context.clock.now(), user.id):
        raise NotFound("Somebody decided about this code a moment ago.", code="no_such_user_code")


async def poll_in(
    context: Context, tx: Transaction, caller: Caller, credentials: Credentials, device_code: Secret
) -> Outcome:
    """What a device hears that asks again, inside a unit of work (RFC 8628 §3.5).

    Raises:
        OAuthError: the client is not known or may not do this; nothing is changed.
    """
    application = await client_in(tx, credentials, DEVICE_CODE)
    now = context.clock.now()
    found = await tx.oauth.device(digest(device_code.reveal()))
    if found is None or found.client_id != application.client_id:
        return invalid_grant("The device code is not known.")
    if found.used_at:
        return await _again_in(context, tx, found)
    if now >= found.expires_at:
        return OAuthError("expired_token", "The device code has expired; start anew.")
    if found.denied_at:
        return OAuthError("access_denied", "The person refused.")
    if not found.approved_at:
        return await _wait_in(tx, found, now)
    return await _give_in(context, tx, caller, application, found)


async def _wait_in(tx: Transaction, found: DeviceCode, now: int) -> OAuthError:
    early = bool(found.polled_at) and now < found.polled_at + found.wait_seconds * SECOND_US
    seconds = found.wait_seconds + (SLOW_DOWN_SECONDS if early else 0)
    await tx.oauth.poll_device(found.digest, now, seconds)
    if early:
        return OAuthError("slow_down", f"Wait {seconds} seconds between two requests.")
    return OAuthError("authorization_pending", "The person has not decided yet.")


async def _give_in(
    context: Context, tx: Transaction, caller: Caller, application: Application, found: DeviceCode
) -> Outcome:
    now, home, user_id, grant_id = context.clock.now(), found.organization_id, found.user_id, found.grant_id
    user = await tx.accounts.user(user_id) if user_id is not None else None
    if home is None or user is None or grant_id is None or not await person_in(tx, home, user.id):
        return OAuthError("access_denied", "The person does not belong to the organization any more.")
    if not await tx.oauth.take_device(found.digest, now):
        return await _again_in(context, tx, found)
    fresh = OAuthGrant(
        organization_id=home,
        id=grant_id,
        client_id=application.client_id,
        name=application.name,
        user_id=user.id,
        scopes=found.scopes,
        flow=DEVICE_CODE,
        address=found.address,
        user_agent=found.user_agent,
        granted_at=now,
        refreshed_at=now,
        access_id=None,
        refresh_id=None,
    )
    answer = await connect_in(context, tx, replace(caller, actor=user_actor(user)), application, fresh)
    await keep_in(context, tx, home, grant_id, found.client_id, answer)
    return answer


async def _again_in(context: Context, tx: Transaction, found: DeviceCode) -> Outcome:
    """A device that lost the answer gets the same for a moment; clients go on polling after a lost one."""
    home, grant_id = found.organization_id, found.grant_id
    grant = await tx.oauth.grant(home, grant_id) if home is not None and grant_id is not None else None
    if grant is not None and not grant.ended_at and grant.refreshed_at == grant.granted_at:
        answer = await again_in(context, tx, grant.organization_id, grant.id, found.client_id)
        if answer is not None:
            return answer
    return invalid_grant("The device code was used.")
