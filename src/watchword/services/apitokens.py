"""API access tokens: mint, find, edit, revoke, copy, and take an organization from somebody's.

Who presents a token can never make or change one so that it is wider than the presented one (design §1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from watchword.crypto.values import Secret
from watchword.domain.accounts import Role
from watchword.domain.addresses import Block
from watchword.domain.errors import Conflict, Forbidden, Invalid, NotFound
from watchword.domain.events import TOPIC_TOKEN_CHANGED, Action
from watchword.domain.ids import OrganizationId, TokenId, is_uuid
from watchword.domain.kinds import Kind
from watchword.domain.minting import (
    Limits,
    Wish,
    grant_wish,
    require_expiry,
    require_networks,
    require_scopes,
    within,
)
from watchword.domain.restrictions import Restrictions, load
from watchword.domain.scopes import ALL_SCOPES, PRESETS, canonical
from watchword.domain.tokens import DAY_US, State, Token, check_description
from watchword.services.access import Access, enter_too
from watchword.services.context import Context
from watchword.services.importing import take_over
from watchword.services.issuing import Issued, add_api_token, mint_value
from watchword.services.letters import tell_removed
from watchword.services.oauthends import end_with_token_in
from watchword.services.revoking import revoke
from watchword.services.siblings import require_single, sibling
from watchword.store.base import Transaction
from watchword.store.base_hygiene import Reaching as Reaching  # noqa: PLC0414 - handed on to the surfaces

_NOT_FOUND = "No API access token found"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiTokenRequest:
    """What a caller asks of a new API access token; see `domain.minting.Wish`.

    Attributes:
        organizations: what it is to reach; the first is where it belongs.
    """

    description: str
    wish: Wish
    organizations: Sequence[Access]


def read_scopes(words: Sequence[str] | None, preset: str | None) -> frozenset[str]:
    """Scopes as callers write them: words, or one preset.

    Raises:
        Invalid: neither or both are given, or one is unknown.
    """
    if (words is None) == (preset is None):
        raise Invalid(
            f"Validation failed: Give scopes, or one preset of {', '.join(PRESETS)}", code="scopes_missing"
        )
    if preset is not None:
        if preset not in PRESETS:
            raise Invalid(f"Validation failed: Preset is one of {', '.join(PRESETS)}", code="unknown_preset")
        return PRESETS[preset]
    try:
        return canonical(words or ())
    except ValueError as error:
        raise Invalid(f"Validation failed: {error}", code="unknown_scope") from None


def limits_of(token: Token) -> Limits:
    """How wide a token is."""
    return Limits(frozenset(token.scopes.split()), load(token.restrictions).networks, token.expires_at)


def caller_limits(access: Access) -> Limits:
    """How wide what somebody makes may be: as the presented token; in person on the console, anything."""
    if access.presented is None:
        return Limits(ALL_SCOPES)
    return limits_of(access.presented.holder)


async def mint(context: Context, tx: Transaction, access: Access, request: ApiTokenRequest) -> Issued:
    """Make an API access token for the person behind the presented one, no wider than that.

    Raises:
        Forbidden: it would be wider, or an organization lets administrators alone create tokens.
        Invalid: description, scopes or expiry are not acceptable.
    """
    value = mint_value(context, Kind.API_ACCESS)
    return Issued(await _add(context, tx, access, request, value), value)


async def import_api_token(
    context: Context, tx: Transaction, access: Access, request: ApiTokenRequest, value_digest: bytes
) -> Token:
    """Take over an API access token that was issued elsewhere, no wider than the presented one.

    Raises:
        Conflict: the value is known here already.
        Forbidden: it would be wider, or an organization lets administrators alone create tokens.
        Invalid: description, scopes or expiry are not acceptable.
    """

    async def add() -> Token:
        return await _add(context, tx, access, request, value_digest)

    return await take_over(context, tx, value_digest, add)


async def _add(
    context: Context, tx: Transaction, access: Access, request: ApiTokenRequest, value: Secret | bytes
) -> Token:
    """Write a token for the person behind the presented one.

    Raises:
        Forbidden: it would be wider, or an organization lets administrators alone create tokens.
        Invalid: description, scopes or expiry are not acceptable.
    """
    for reached in request.organizations:
        require_creation(reached)
    days = [reached.policy.maximum_api_token_days for reached in request.organizations]
    longest = min((each for each in days if each), default=0)
    presented = access.presented
    limits = grant_wish(request.wish, caller_limits(access), context.clock.now(), longest)
    home, *further = request.organizations
    return await add_api_token(
        context,
        tx,
        access.caller,
        home.id,
        access.user.id,
        request.description,
        limits.scopes,
        limits.expires_at,
        value,
        restrictions=replace(
            presented.restrictions if presented is not None else Restrictions(), networks=limits.networks
        ),
        parent_id=presented.holder.id if presented is not None else None,
        further=[reached.id for reached in further],
    )


def require_creation(access: Access) -> None:
    """Require that a person may create API access tokens in an organization (contract rest-graphql §2.4).

    Raises:
        Forbidden: only administrators may, and the person is none; or an application asks that was
            connected, whose access would outlive its end.
    """
    access.require("api_token.create")
    if access.presented is not None and access.presented.holder.of_grant:
        raise Forbidden(
            "A connected application makes no API access tokens; make one on the console.",
            code="connected_application",
        )
    if access.policy.restrict_api_token_creation and access.member.role is not Role.ADMIN:
        raise Forbidden(
            "Only administrators may create API access tokens in this organization.",
            code="creation_restricted",
        )


async def find_api_token(tx: Transaction, access: Access, text: str) -> Reaching:
    """An API access token that reaches the organization: one's own, or anybody's for administrators.

    Raises:
        NotFound: there is none.
    """
    found = await tx.hygiene.reaching_one(access.id, TokenId(text.lower())) if is_uuid(text) else None
    return _visible(access, found)


async def find_by_digest(tx: Transaction, access: Access, digest: bytes) -> Reaching:
    """The API access token of a value's digest; see `find_api_token`.

    Raises:
        NotFound: there is none.
    """
    token = await tx.tokens.by_digest(digest)
    found = await tx.hygiene.reaching_one(access.id, token.id) if token is not None else None
    return _visible(access, found)


def _visible(access: Access, found: Reaching | None) -> Reaching:
    if found is None or found.token.kind is not Kind.API_ACCESS:
        raise NotFound(_NOT_FOUND)
    if found.token.user_id != access.user.id and not access.may("api_token.read"):
        raise NotFound(_NOT_FOUND)
    return found


def require_own(access: Access, token: Token) -> None:
    """Require that a token belongs to the person.

    Raises:
        Forbidden: it is somebody else's; administrators take the organization from it instead.
    """
    if token.user_id != access.user.id:
        raise Forbidden("You're not allowed to do that")


async def edit_api_token(
    context: Context,
    tx: Transaction,
    access: Access,
    token: Token,
    description: str | None,
    networks: tuple[Block, ...] | None,
) -> None:
    """Change description and networks of one's own token; None leaves one as it is.

    Addresses that are added must lie in the caller's own networks, and the caller must have every scope
    of the token: else a narrow token could open up a wide one.

    Raises:
        Conflict: the token has ended, is part of an open rotation, or carries a restriction that this
            version does not know.
        Forbidden: the token is somebody else's, or would become wider than the caller.
        Invalid: the description is not acceptable.
    """
    require_own(access, token)
    restrictions = load(token.restrictions)
    if restrictions.unknown:
        raise Conflict(
            "This token carries a restriction that this version does not know; it can only be revoked.",
            code="restriction_unknown",
        )
    if networks is not None and not within(networks, restrictions.networks):
        caller = caller_limits(access)
        require_scopes(limits_of(token).scopes, caller.scopes)
        require_networks(networks, (*caller.networks, *restrictions.networks) if caller.networks else ())
    if networks is not None and networks != restrictions.networks:
        await require_single(tx, token)
        restrictions = replace(restrictions, networks=networks)
    shown = token.description if description is None else check_description(description)
    if not await tx.tokens.edit(token.organization_id, token.id, shown, restrictions.dump()):
        raise Conflict("This token is not active any more.", code="token_ended")
    await _post_changed(context, tx, token)
    data = {"description": shown, "restrictions": restrictions.dump()}
    await _record(context, tx, access, token, Action.TOKEN_UPDATED, data)


async def require_rotation(tx: Transaction, access: Access, token: Token) -> None:
    """Require that the presented token may rotate one: itself, or one of its owner's that is no wider.

    A rotation shows a value that may do all that the predecessor may.

    Raises:
        Forbidden: the token is somebody else's, or wider than the presented one.
    """
    require_own(access, token)
    if access.presented is None or access.presented.id == token.id:
        return
    presented = access.presented.holder
    limits, caller = limits_of(token), limits_of(presented)
    require_scopes(limits.scopes, caller.scopes)
    require_networks(limits.networks, caller.networks)
    require_expiry(limits.expires_at, caller.expires_at)
    if not set(await organizations_of(tx, token)) <= set(await organizations_of(tx, presented)):
        raise Forbidden(
            "The token reaches organizations that your access token does not", code="wider_than_caller"
        )


async def revoke_api_token(context: Context, tx: Transaction, access: Access, token: Token) -> None:
    """Revoke one's own token everywhere. Repeating it changes nothing and is no error.

    Raises:
        Forbidden: it is somebody else's.
    """
    require_own(access, token)
    await revoke(context, tx, access.caller, token, access.user.id, "revoked by its owner")


async def duplicate(
    context: Context,
    tx: Transaction,
    access: Access,
    found: Reaching,
    description: str | None,
    expires_at: int | None,
) -> Issued:
    """Make another token like one that the person sees, no wider than the presented one.

    Where no expiry is asked for it lives as long as the first was to, as far as the caller may.

    Args:
        context: the ground.
        tx: the unit of work.
        access: who asks.
        found: the token to copy.
        description: None means the same.
        expires_at: microseconds, 0 for never; None means the same span of life.

    Raises:
        Forbidden: the copy would be wider than the caller.
        Invalid: description or expiry are not acceptable.
    """
    model, now = found.token, context.clock.now()
    limits = limits_of(model)
    if expires_at is None:
        caller, days = caller_limits(access).expires_at, access.policy.maximum_api_token_days
        span = now + (model.expires_at - model.created_at) if model.expires_at else 0
        ends = (span, caller, now + days * DAY_US if days else 0)
        expires_at = min((end for end in ends if end), default=0)
    wish = Wish(limits.scopes, limits.networks, expires_at)
    organizations = [access]
    if model.user_id == access.user.id:
        organizations += [
            await _enter_too(tx, access, owner)
            for owner in await organizations_of(tx, model)
            if owner != access.id
        ]
    title = model.description if description is None else description
    request = ApiTokenRequest(description=title, wish=wish, organizations=organizations)
    return await mint(context, tx, access, request)


async def _enter_too(tx: Transaction, access: Access, organization_id: OrganizationId) -> Access:
    """Enter a further organization of a token that is copied.

    Raises:
        Forbidden: the presented token does not reach it.
    """
    try:
        return await enter_too(tx, access, organization_id)
    except NotFound:
        raise Forbidden(
            "The token reaches organizations that your access token does not", code="wider_than_caller"
        ) from None


async def remove_organization(context: Context, tx: Transaction, access: Access, found: Reaching) -> None:
    """Take the organization from somebody's token, for good, and tell the owner; it goes on to reach others.

    Raises:
        NotFound: the token does not reach the organization any more.
    """
    token = found.token
    now = context.clock.now()
    if not await tx.policies.end_grant(access.id, token.id, now, access.user.id):
        raise NotFound(_NOT_FOUND)
    other = await sibling(tx, token.organization_id, token.id)
    if other is not None:  # both values of an open rotation are one token
        await tx.policies.end_grant(access.id, other, now, access.user.id)
    await _post_changed(context, tx, token)
    await end_with_token_in(context, tx, access.caller, token, access.user.id, "organization removed")
    data = {"description": token.description, "owner": token.user_id}
    await _record(context, tx, access, token, Action.TOKEN_ORGANIZATION_REMOVED, data)
    await tell_removed(context, tx, found.owner, access.organization, token)


async def organizations_of(tx: Transaction, token: Token) -> list[OrganizationId]:
    """Organizations that a token reaches, oldest grant first."""
    return [grant.organization_id for grant in await tx.policies.grants_of(token.id) if not grant.ended_at]


def is_live(token: Token, now: int) -> bool:
    """Whether a token passes at `now`, networks aside."""
    return token.state_at(now) is State.ACTIVE and token.not_before <= now


async def _post_changed(context: Context, tx: Transaction, token: Token) -> None:
    now = context.clock.now()
    await tx.audit.post(token.organization_id, TOPIC_TOKEN_CHANGED, token.digest.hex(), now)


async def _record(
    context: Context,
    tx: Transaction,
    access: Access,
    token: Token,
    action: Action,
    data: Mapping[str, object],
) -> None:
    await context.record(tx, access.caller, action, access.id, ("token", token.id), data)
