"""A portal's tokens and secrets, on the core of all tokens; steps of units of work (`…_in`).

Whoever calls has checked the right. Revoking is `services.revoking`'s, rotating `services.rotating`'s.
"""

from dataclasses import dataclass

from watchword.domain.accounts import User
from watchword.domain.errors import Conflict, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import ResourceId, TokenId, UserId, is_uuid
from watchword.domain.kinds import Kind
from watchword.domain.people import SealedValue
from watchword.domain.portals import MAX_SECRETS, PORTAL_KINDS, Portal
from watchword.domain.tokens import State, Token, check_description
from watchword.domain.use import Use
from watchword.services.context import Caller, Context
from watchword.services.issuing import Issued, add_token, build_token, mint_value
from watchword.services.ledger import Ledger
from watchword.services.queries import people
from watchword.services.sealedvalues import keep_copy
from watchword.store.base import EVERYTHING, Page, Transaction


@dataclass(frozen=True, slots=True)
class KeptPortalToken:
    """A token with what stands beside it.

    Attributes:
        owner: the member who approved a user-invoked token.
        revealable: whether a copy of its value is kept.
    """

    token: Token
    owner: User | None
    creator: User | None
    ender: User | None
    used: Use | None
    revealable: bool


async def create_service_token_in(
    context: Context, tx: Transaction, caller: Caller, portal: Portal, description: str, by: UserId | None
) -> Issued:
    """Make a long-lived service token.

    Raises:
        Invalid: the description is missing or too long.
        NotFound: the portal was deleted meanwhile.
    """
    await _hold(tx, portal)
    return await issue_in(
        context,
        tx,
        caller,
        portal,
        Kind.PORTAL_SERVICE,
        description=check_description(description),
        created_by=by,
    )


async def create_secret_in(
    context: Context, tx: Transaction, caller: Caller, portal: Portal, description: str, by: UserId | None
) -> Issued:
    """Make a secret, which asks for ephemeral tokens; a portal has two at most.

    Raises:
        Invalid: the description is missing or too long.
        Conflict: the portal has two.
        NotFound: the portal was deleted meanwhile.
    """
    await _hold(tx, portal)
    await require_room_in(tx, portal)
    return await issue_in(
        context,
        tx,
        caller,
        portal,
        Kind.PORTAL_SECRET,
        description=check_description(description),
        created_by=by,
    )


async def require_room_in(tx: Transaction, portal: Portal) -> None:
    """Require that a portal may have one secret more; the two of a rotation count both.

    Raises:
        Conflict: it has two.
    """
    known = await tx.portals.tokens(portal.organization_id, portal.id, Kind.PORTAL_SECRET, EVERYTHING)
    if sum(token.state is State.ACTIVE for token in known) >= MAX_SECRETS:
        raise Conflict(
            f"Validation failed: A portal has at most {MAX_SECRETS} secrets; revoke one first",
            code="too_many_secrets",
        )


async def require_rotation_room_in(tx: Transaction, token: Token) -> None:
    """Require that a portal may have one secret more where a secret of it is to be rotated.

    A rotation that is open already answers for itself; of other kinds a portal has as many as it likes.

    Raises:
        Conflict: it has two.
    """
    if token.kind is not Kind.PORTAL_SECRET or token.state is not State.ACTIVE:
        return
    portal = await portal_of_token(tx, token)
    if portal is not None and await tx.rotations.open_with(token.organization_id, token.id) is None:
        await require_room_in(tx, portal)


async def issue_in(
    context: Context,
    tx: Transaction,
    caller: Caller,
    portal: Portal,
    kind: Kind,
    *,
    description: str = "",
    user_id: UserId | None = None,
    parent_id: TokenId | None = None,
    expires_at: int = 0,
    created_by: UserId | None = None,
) -> Issued:
    """Issue a token of a portal of any kind."""
    value = mint_value(context, kind)
    token = build_token(
        context,
        kind,
        portal.organization_id,
        value,
        description=description,
        user_id=user_id,
        parent_id=parent_id,
        expires_at=expires_at,
        created_by=created_by,
        resource_id=portal.id,
    )
    await add_token(context, tx, caller, token, Action.TOKEN_CREATED)
    await keep_copy(context, tx, token, value)
    return Issued(token, value)


async def find_portal_token_in(
    tx: Transaction, portal: Portal, kinds: tuple[Kind, ...], token_id: str
) -> Token:
    """A token of a portal in whatever state.

    Raises:
        NotFound: the portal has none of these kinds.
    """
    text = token_id.lower()
    token = await tx.tokens.find(portal.organization_id, TokenId(text)) if is_uuid(text) else None
    if token is None or token.kind not in kinds or token.resource_id != portal.id:
        raise NotFound("No secret found" if kinds == (Kind.PORTAL_SECRET,) else "No token found")
    return token


async def portal_tokens_in(
    tx: Transaction, ledger: Ledger, portal: Portal, kind: Kind, page: Page
) -> list[KeptPortalToken]:
    """A portal's tokens of a kind, ended ones too, newest first."""
    found = await tx.portals.tokens(portal.organization_id, portal.id, kind, page)
    return [await kept_in(tx, ledger, token) for token in found]


async def live_tokens_in(tx: Transaction, portal: Portal, now: int) -> list[Token]:
    """What hangs on a portal: its live tokens and secrets, oldest first."""
    return list(await tx.portals.live_tokens(portal.organization_id, portal.id, now))


async def kept_in(tx: Transaction, ledger: Ledger, token: Token) -> KeptPortalToken:
    """A token with what stands beside it."""
    key = (token.organization_id, token.id)
    uses = await ledger.last_uses_in(tx, [key])
    known = await people(tx, [token.user_id, token.created_by, token.ended_by])
    copy: SealedValue | None = None
    if token.state is State.ACTIVE:
        copy = await tx.sealed.find(token.organization_id, token.id)
    return KeptPortalToken(
        token=token,
        owner=known.get(token.user_id) if token.user_id is not None else None,
        creator=known.get(token.created_by) if token.created_by is not None else None,
        ender=known.get(token.ended_by) if token.ended_by is not None else None,
        used=uses.get(key),
        revealable=copy is not None,
    )


async def portal_of_token(tx: Transaction, token: Token) -> Portal | None:
    """The portal that a token belongs to; None where it belongs to none, or to one that is gone."""
    if token.kind not in PORTAL_KINDS or token.resource_id is None:
        return None
    return await tx.portals.find(token.organization_id, ResourceId(token.resource_id))


async def _hold(tx: Transaction, portal: Portal) -> None:
    if not await tx.portals.hold(portal.organization_id, portal.id):
        raise NotFound("No portal found")
